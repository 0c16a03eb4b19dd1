from odoo import api, models

# An event holds 32 KB; the first products tell what an order is about.
MAX_PRODUCTS = 50
MAX_TEXT = 80


class SaleOrder(models.Model):
    _inherit = "sale.order"

    @api.model_create_multi
    def create(self, vals_list):
        orders = super().create(vals_list)
        orders.filtered(lambda order: order.state == "sale")._track_completed()
        return orders

    def write(self, vals):
        confirmed = self.browse()
        if vals.get("state") == "sale":
            confirmed = self.filtered(lambda order: order.state != "sale")
        result = super().write(vals)
        if confirmed:
            confirmed._track_completed()
        return result

    def _track_completed(self):
        """Make confirmed orders events of their customers, each order once.

        A constant number of queries for each company, in the order's transaction: an
        order that is not saved leaves no event.
        """
        # sudo: the salesperson need not see events, nor each field of the order.
        for company, orders_sudo in self.sudo().grouped("company_id").items():
            source_sudo = self.env["behavior.source"]._odoo_source(company)
            if not source_sudo:
                # The company or its source was archived: nothing is collected.
                continue
            events_sudo = self.env["behavior.event"].sudo()
            events_sudo._claim_identities(
                source_sudo,
                {
                    ("user_id", order._behavior_user_id()): order.partner_id.id
                    for order in orders_sudo
                },
            )
            events_sudo._track(
                source_sudo, [order._prepare_completed() for order in orders_sudo]
            )

    def _behavior_user_id(self):
        """The name under which Odoo's events know the customer of the order."""
        return f"partner:{self.partner_id.id}"

    def _prepare_completed(self):
        """The event of a confirmed order, in the naming of Segment's e-commerce spec.

        :return: dict, a message for ``behavior.event._track``
        """
        self.ensure_one()
        lines = self.order_line.filtered(
            lambda line: line.product_id and not line.display_type
        )
        return {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"order-completed:{self.id}",
            "userId": self._behavior_user_id(),
            "timestamp": min(self.date_order, self.env.cr.now()).isoformat(),
            "properties": {
                "order_id": self.name,
                "total": self.amount_total,
                "revenue": self.amount_untaxed,
                "tax": self.amount_tax,
                "currency": self.currency_id.name,
                "product_count": len(lines),
                "products": [
                    line._prepare_completed() for line in lines[:MAX_PRODUCTS]
                ],
            },
        }


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    def _prepare_completed(self):
        """One product of the event of a confirmed order."""
        product = self.product_id
        return {
            "product_id": product.id,
            "sku": (product.default_code or "")[:MAX_TEXT],
            "name": (product.name or "")[:MAX_TEXT],
            "category": (product.categ_id.name or "")[:MAX_TEXT],
            "price": self.price_unit,
            "quantity": self.product_uom_qty,
        }
