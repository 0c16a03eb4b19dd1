from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.tier import Adjustment, by_turnover, decide

THRESHOLDS = (10, 100, 1000)


@tagged("post_install", "-at_install")
class TestTier(BaseCase):
    def test_turnover(self):
        for turnover, tier in (
            (-5, "standard"),
            (0, "standard"),
            (9.99, "standard"),
            (10, "silver"),
            (99.99, "silver"),
            (100, "gold"),
            (1000, "vip"),
            (1e9, "vip"),
        ):
            with self.subTest(turnover=turnover):
                self.assertEqual(by_turnover(turnover, THRESHOLDS), tier)

    def test_reason(self):
        self.assertEqual(
            decide(150.5, THRESHOLDS),
            ("gold", {"code": "turnover", "params": {"amount": 150.5}, "also": []}),
        )
        self.assertEqual(
            decide(0, THRESHOLDS),
            ("standard", {"code": "no_turnover", "params": {}, "also": []}),
        )

    def test_by_hand_stands(self):
        tier, reason = decide(5000, THRESHOLDS, "silver", [Adjustment(1, "x", {})])
        self.assertEqual(
            (tier, reason["code"], reason["also"]), ("silver", "manual", [])
        )

    def test_adjustments(self):
        risk = Adjustment(1, "churn_risk", {"score": 0.8})
        tier, reason = decide(50, THRESHOLDS, None, [risk])
        self.assertEqual(tier, "gold")
        self.assertEqual(
            reason["also"], [{"code": "churn_risk", "params": {"score": 0.8}}]
        )
        # what changes nothing is no reason
        tier, reason = decide(5000, THRESHOLDS, None, [risk])
        self.assertEqual((tier, reason["also"]), ("vip", []))
        tier, _reason = decide(50, THRESHOLDS, None, [Adjustment(-9, "bad_payer", {})])
        self.assertEqual(tier, "standard")
