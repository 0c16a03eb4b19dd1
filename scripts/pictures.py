"""``make pictures``: take the documentation's pictures from the running product.

They are the screens that the journeys pass through.
"""

import os
import shutil

from . import testing
from .console import Failure, say
from .layout import ROOT

PICTURES = ROOT / "docs/pictures"
JOURNEYS = "tests/journeys"
SCREENS = (
    "apps",
    "channel",
    "records",
    "mapping",
    "partner-sources",
    "walk-profile",
    "walk-churn",
    "walk-process",
    "walk-slot",
    "walk-ticket",
    "walk-policy",
    "walk-lineage",
    "live-shop",
    "funnel",
    "retention",
    "identity-review",
    "identity-merge",
)
LANGUAGES = {"en_US": "en", "zh_CN": "zh"}


def main():
    os.environ["TEST"] = JOURNEYS
    if testing.test():
        raise Failure("A journey failed; the pictures stay as they were.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for screen in SCREENS:
        for language, short in LANGUAGES.items():
            shutil.copy(
                testing.SCREENSHOTS / f"{screen}-{language}-wide.png",
                PICTURES / f"{screen}-{short}.png",
            )
    say(f"{len(SCREENS) * len(LANGUAGES)} pictures in {PICTURES.relative_to(ROOT)}")
