#: What a write key may do: append events, nothing else.
SCOPE = "behavior.append"
#: What a key of the model server may do: ask for predictions, nothing else.
PREDICT_SCOPE = "behavior.predict"
