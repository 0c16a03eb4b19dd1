from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.rfm import CLASSES, classify

THRESHOLDS = (100, 1000, 5000)


@tagged("post_install", "-at_install")
class TestRfm(BaseCase):
    def test_bands(self):
        for days, orders, turnover, expected in (
            (0, 12, 5000, ("champion", 5, 5, 5)),
            (30, 6, 1000, ("champion", 5, 4, 4)),
            (31, 3, 999, ("loyal", 4, 3, 3)),
            (90, 1, 0, ("new", 4, 1, 1)),
            (90, 2, 50, ("promising", 4, 2, 2)),
            (91, 2, 0, ("promising", 3, 2, 1)),
            (180, 1, 100, ("loyal", 3, 1, 3)),
            (181, 6, 0, ("at_risk", 2, 4, 1)),
            (365, 1, 99, ("dormant", 2, 1, 2)),
            (366, 0, 9000, ("lost", 1, 1, 5)),
        ):
            with self.subTest(days=days, orders=orders, turnover=turnover):
                self.assertEqual(classify(days, orders, turnover, THRESHOLDS), expected)

    def test_never_ordered(self):
        self.assertIsNone(classify(None, 0, 10, THRESHOLDS))

    def test_every_class_is_reached(self):
        found = {
            classify(days, orders, turnover, THRESHOLDS).code
            for days in (1, 60, 120, 300, 500)
            for orders in (0, 1, 2, 3, 6, 12)
            for turnover in (0, 50, 500, 2000, 9000)
        }
        self.assertEqual(found, set(CLASSES))
