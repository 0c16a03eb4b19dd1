"""``make pictures``: take the documentation's pictures from the running product.

They are the screens that the journey of the first customers passes through.
"""

import os
import shutil

from . import testing
from .console import Failure, say
from .layout import ROOT

PICTURES = ROOT / "docs/pictures"
JOURNEY = "tests/journeys/test_first_customers.py"
# screen of the journey -> name in the documentation
SCREENS = {
    "apps": "apps",
    "channel": "channel",
    "records": "records",
    "mapping": "mapping",
    "partner-sources": "partner-sources",
}
LANGUAGES = {"en_US": "en", "zh_CN": "zh"}


def main():
    os.environ["TEST"] = JOURNEY
    if testing.test():
        raise Failure("The journey failed; the pictures stay as they were.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for screen, name in SCREENS.items():
        for language, short in LANGUAGES.items():
            shutil.copy(
                testing.SCREENSHOTS / f"{screen}-{language}-wide.png",
                PICTURES / f"{name}-{short}.png",
            )
    say(f"{len(SCREENS) * len(LANGUAGES)} pictures in {PICTURES.relative_to(ROOT)}")
