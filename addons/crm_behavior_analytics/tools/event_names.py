"""Names of events that mean the same to all that read them."""

#: What the tracking script tells by itself of how a page was used. It is for reports:
#: no action of the customer, and nothing for the timeline.
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
