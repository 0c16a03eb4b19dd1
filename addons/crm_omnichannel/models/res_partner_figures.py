from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import SQL

COMPARISONS = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
READERS = "account.group_account_invoice,sales_team.group_sale_manager"
# field -> what it is of a customer's posted invoices or confirmed orders
MONEY = {
    "omni_lifetime_value": SQL("sum(amount_untaxed_signed)"),
    "omni_turnover": SQL(
        "sum(amount_untaxed_signed) FILTER (WHERE invoice_date >"
        " current_date - interval '12 months')"
    ),
}
ORDERS = {
    "omni_order_count": SQL("count(*)"),
    "omni_last_order_at": SQL("max(date_order)"),
}


class ResPartner(models.Model):
    """Key figures that lists and segments ask for, in the current company.

    They belong to the commercial entity, as the tier does; its contacts have the same.
    They are worked out when they are asked for: never out of date, nothing to refresh.
    """

    _name = "res.partner"
    _inherit = "res.partner"

    omni_lifetime_value = fields.Monetary(
        "Lifetime Value",
        compute="_compute_omni_money",
        search="_search_omni_lifetime_value",
        groups=READERS,
        help="Invoiced without taxes, less credit notes.",
    )
    omni_turnover = fields.Monetary(
        "Turnover of Twelve Months",
        compute="_compute_omni_money",
        search="_search_omni_turnover",
        groups=READERS,
        help="Invoiced without taxes in the last twelve months, less credit notes.",
    )
    omni_order_count = fields.Integer(
        "Confirmed Orders",
        compute="_compute_omni_orders",
        search="_search_omni_order_count",
        groups=READERS,
    )
    omni_last_order_at = fields.Datetime(
        "Last Order",
        compute="_compute_omni_orders",
        search="_search_omni_last_order_at",
        groups=READERS,
    )

    @api.depends("commercial_partner_id")
    @api.depends_context("company")
    def _compute_omni_money(self):
        self._set_figures(MONEY)

    @api.depends("commercial_partner_id")
    @api.depends_context("company")
    def _compute_omni_orders(self):
        self._set_figures(ORDERS)

    def _set_figures(self, figures):
        owners = self.commercial_partner_id.ids
        found = defaultdict(lambda: [None] * len(figures))
        if owners:
            for owner, *values in self.env.execute_query(
                self._figures_sql(
                    figures, SQL("partner.commercial_partner_id = ANY(%s)", owners)
                )
            ):
                found[owner] = values
        for partner in self:
            values = found[partner.commercial_partner_id.id]
            for name, value in zip(figures, values, strict=True):
                partner[name] = value

    @api.model
    def _figures_sql(self, figures, only=None):
        """Return the query of ``commercial entity, figure, …`` of the current company.

        :param dict figures: name -> aggregate
        :param only: condition on ``partner``, or None
        """
        model, condition = (
            (
                self.env["account.move"],
                SQL(
                    "source.state = 'posted'"
                    " AND source.move_type IN ('out_invoice', 'out_refund')"
                ),
            )
            if figures.keys() <= MONEY.keys()
            else (self.env["sale.order"], SQL("source.state = 'sale'"))
        )
        model.flush_model()
        self.flush_model(["commercial_partner_id"])
        return SQL(
            """
            SELECT partner.commercial_partner_id AS owner, %(figures)s
            FROM %(source)s AS source
            JOIN res_partner AS partner ON partner.id = source.partner_id
            WHERE %(condition)s AND source.company_id = %(company)s AND %(only)s
            GROUP BY 1
            """,
            figures=SQL(", ").join(
                SQL("%s AS %s", aggregate, SQL.identifier(name))
                for name, aggregate in figures.items()
            ),
            source=SQL.identifier(model._table),
            condition=condition,
            company=self.env.company.id,
            only=only or SQL("TRUE"),
        )

    # --- SEARCH ---

    @api.model
    def _search_omni_lifetime_value(self, operator, value):
        return self._search_figure("omni_lifetime_value", operator, value)

    @api.model
    def _search_omni_turnover(self, operator, value):
        return self._search_figure("omni_turnover", operator, value)

    @api.model
    def _search_omni_order_count(self, operator, value):
        return self._search_figure("omni_order_count", operator, value)

    @api.model
    def _search_omni_last_order_at(self, operator, value):
        return self._search_figure("omni_last_order_at", operator, value)

    @api.model
    def _search_figure(self, name, operator, value):
        """Return the domain of a comparison; who has no documents has 0, or no date."""
        column = SQL.identifier(name)
        is_date = self._fields[name].type == "datetime"
        if not is_date:
            column = SQL("coalesce(%s, 0)", column)
        if operator == "in":
            values = [one for one in value if one not in (False, None)]
            condition = SQL("%s = ANY(%s)", column, values) if values else SQL("FALSE")
            if len(values) < len(list(value)):
                nothing = SQL("%s IS NULL" if is_date else "%s = 0", column)
                condition = SQL("(%s OR %s)", condition, nothing)
        elif operator in COMPARISONS:
            condition = SQL("%s %s %s", column, SQL(COMPARISONS[operator]), value)
        else:
            return NotImplemented
        aggregate = {**MONEY, **ORDERS}[name]
        return [
            (
                "commercial_partner_id",
                # the rights to the figure, not to each document, were asked
                "any!",
                SQL(
                    "SELECT owner.id FROM res_partner AS owner"
                    " LEFT JOIN (%s) AS found ON found.owner = owner.id"
                    " WHERE owner.commercial_partner_id = owner.id AND %s",
                    self._figures_sql({name: aggregate}),
                    condition,
                ),
            )
        ]
