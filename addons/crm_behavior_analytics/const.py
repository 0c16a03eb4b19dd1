#: What a write key may do: append events, nothing else.
SCOPE = "behavior.append"
