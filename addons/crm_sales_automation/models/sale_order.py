from odoo import fields, models


class SaleOrder(models.Model):
    _name = "sale.order"
    _inherit = "sale.order"

    generation_key = fields.Char(
        readonly=True,
        copy=False,
        help="What the quotation was made of by rule; empty for one made by hand.",
    )
    generation_template_id = fields.Many2one(
        "sale.order.template", readonly=True, copy=False, ondelete="set null"
    )

    _generated_uniq = models.UniqueIndex(
        "(opportunity_id) WHERE generation_key IS NOT NULL AND state <> 'cancel'",
        "The opportunity has a generated quotation already.",
    )
