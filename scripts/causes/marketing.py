"""What a campaign does, known because half of those addressed were left out by lot.

The world
    A campaign of week ``w`` addresses everybody who was a customer before. A coin
    decides who is mailed. For an active customer who is mailed, the purchase rate is
    multiplied by ``1 + UPLIFT`` in the weeks ``w`` and ``w + 1``; a firm with few
    purchases is even put off. A mailed customer clicks with the chance that
    ``behavior.py`` states. The true uplift of a person is the rate times the season
    times ``UPLIFT`` over these weeks, 0 for who is gone.
"""

import numpy as np

CAMPAIGNS = (
    (12, "Spring New Arrivals"),
    (25, "Summer Refresh"),
    (38, "Back to School"),
    (51, "Year-End Thanks"),
    (64, "Spring Restock"),
    (77, "Mid-Year Festival"),
    (90, "Autumn Collection"),
    (99, "Loyal Customer Week"),
)
WEEKS = 2
#: by (firm, western language): what a mailing adds to the rate
UPLIFT = np.array([[0.80, 0.30], [0.10, -0.20]])
MAILED = 0.5


def uplift(is_firm, is_foreign):
    """Return the relative effect of a mailing on the rate of an active customer."""
    return UPLIFT[is_firm.astype(int), is_foreign.astype(int)]
