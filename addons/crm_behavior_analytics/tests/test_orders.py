from odoo.tests import tagged

from .common import EventCase


@tagged("post_install", "-at_install")
class TestOrders(EventCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.product = cls.env["product.product"].create(
            {"name": "Tea 茶", "default_code": "TEA", "list_price": 80}
        )

    def _orders(self, count=1, **values):
        return self.env["sale.order"].create(
            [
                {
                    "partner_id": self.partner.id,
                    "order_line": [
                        (0, 0, {"product_id": self.product.id, "product_uom_qty": 2})
                    ],
                    **values,
                }
                for _number in range(count)
            ]
        )

    def _completed(self, orders):
        return self.Event.search(
            [
                ("event", "=", "Order Completed"),
                ("message_id", "in", [f"order-completed:{o.id}" for o in orders]),
            ]
        )

    def test_confirmed_order(self):
        order = self._orders()
        self.assertFalse(self._completed(order))
        order.action_confirm()
        event = self._completed(order)
        self.assertEqual(event.partner_id, self.partner)
        self.assertEqual(event.source_id.type, "odoo")
        properties = event.properties
        self.assertEqual(properties["order_id"], order.name)
        self.assertEqual(properties["revenue"], order.amount_untaxed)
        self.assertEqual(properties["currency"], order.currency_id.name)
        (product,) = properties["products"]
        self.assertEqual((product["sku"], product["quantity"]), ("TEA", 2))

    def test_once(self):
        order = self._orders()
        order.action_confirm()
        order._action_cancel()
        order.action_draft()
        order.action_confirm()
        self.assertEqual(len(self._completed(order)), 1)

    def test_created_as_confirmed(self):
        order = self._orders(state="sale")
        self.assertEqual(len(self._completed(order)), 1)

    def test_not_saved_no_event(self):
        order = self._orders()
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            order.action_confirm()
            raise ZeroDivisionError
        self.env.invalidate_all()
        self.assertFalse(self._completed(order))

    def test_large_order_fits(self):
        order = self._orders(
            order_line=[
                (0, 0, {"product_id": self.product.id, "name": "x" * 900})
                for _number in range(120)
            ]
        )
        order.action_confirm()
        properties = self._completed(order).properties
        self.assertEqual(len(properties["products"]), 50)
        self.assertEqual(properties["product_count"], 120)

    def test_many_orders(self):
        """A constant number of queries for any number of orders."""
        self._orders(state="sale")

        def count(orders):
            orders.mapped("order_line.product_id.categ_id.name")
            self.env.flush_all()
            before = self.env.cr.sql_log_count
            orders._track_completed()
            return self.env.cr.sql_log_count - before

        one, many = count(self._orders(1)), count(self._orders(60))
        self.assertLessEqual(many, one)
