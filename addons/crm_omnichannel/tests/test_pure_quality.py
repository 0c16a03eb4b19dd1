from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.mapping import Line
from odoo.addons.crm_omnichannel.tools.quality import tally

LINES = [
    Line("mail", "email"),
    Line("mobile", "phone"),
    Line("tel", "phone"),
    Line("tags", "tags"),
]


@tagged("post_install", "-at_install")
class TestQuality(BaseCase):
    def count(self, *payloads, tallies=None):
        found = tally(payloads, LINES, "CN", tallies)
        return found, {
            target: (one.filled, one.valid, one.distinct)
            for target, one in found.items()
        }

    def test_counts(self):
        counts = self.count(
            {"mail": "a@example.org", "mobile": "139 1612 3456"},
            {"mail": "A@example.org ", "mobile": "nonsense", "tel": "021-65529988"},
            {"mail": "a at example", "mobile": "nonsense"},
            # nothing, and what stands for nothing
            {"mail": "null", "mobile": None, "tags": []},
            {"tags": ["vip", "b"]},
            {"tags": "b, vip"},
            # a number that everybody types is there, and no number
            {"mobile": "13800138000"},
        )[1]
        self.assertEqual(
            counts, {"email": (3, 2, 1), "phone": (4, 2, 2), "tags": (2, 2, 1)}
        )

    def test_goes_on(self):
        tallies, _counts = self.count({"mail": "a@example.org"})
        counts = self.count(
            {"mail": "b@example.org"}, {"mail": "a@example.org"}, tallies=tallies
        )[1]
        self.assertEqual(counts["email"], (3, 3, 2))

    def test_nothing(self):
        self.assertEqual(set(self.count()[1].values()), {(0, 0, 0)})
