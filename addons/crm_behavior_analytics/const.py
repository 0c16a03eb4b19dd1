#: What a write key may do: append events, nothing else.
SCOPE = "behavior.append"

#: What the tracking script tells by itself of how a page was used. It is for reports;
#: a customer's timeline shows what somebody did.
TECHNICAL_EVENTS = (
    "Dead Click",
    "Element Clicked",
    "Error Caught",
    "Form Abandoned",
    "Form Started",
    "Page Left",
    "Rage Click",
    "Web Vitals",
)
