from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import SQL

COMPARISONS = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
READERS = "account.group_account_invoice,sales_team.group_sale_manager"
# of a customer's posted invoices, and of their confirmed orders
MONEY = ("omni_lifetime_value", "omni_turnover")
ORDERS = ("omni_order_count", "omni_last_order_at")


class ResPartner(models.Model):
    """Key figures that lists and segments ask for, in the current company.

    Those of its branches count, and what stayed with a customer who was merged. They
    belong to the commercial entity, as the tier does; its contacts have the same.
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

    def _set_figures(self, names):
        owners = self.commercial_partner_id.ids
        found = defaultdict(lambda: [None] * len(names))
        if owners:
            for owner, *values in self.env.execute_query(
                self._figures_sql(names, owners)
            ):
                found[owner] = values
        for partner in self:
            values = found[partner.commercial_partner_id.id]
            for name, value in zip(names, values, strict=True):
                partner[name] = value

    @api.model
    def _figures_sql(self, names, owner_ids=None):
        """Return the query of ``owner, figure, …`` of the current company.

        :param names: of ``MONEY``, or of ``ORDERS``
        :param owner_ids: commercial entities; None: all
        """
        if set(names) <= set(MONEY):
            model = self.env["account.move"]
            condition = SQL(
                "source.state = 'posted'"
                " AND source.move_type IN ('out_invoice', 'out_refund')"
            )
            if set(names) == {"omni_turnover"}:
                # older invoices need not be read
                condition = SQL("%s AND %s", condition, self._turnover_sql("source"))
        else:
            model = self.env["sale.order"]
            condition = SQL("source.state = 'sale'")
        model.flush_model()
        return SQL(
            """
            SELECT contact.owner_id AS owner, %(figures)s
            FROM %(source)s AS source
            JOIN (%(contacts)s) AS contact ON contact.id = source.partner_id
            WHERE %(condition)s AND source.company_id IN (%(companies)s)
            GROUP BY 1
            """,
            figures=SQL(", ").join(
                SQL("%s AS %s", self._figure_sql(name), SQL.identifier(name))
                for name in names
            ),
            source=SQL.identifier(model._table),
            contacts=self._owners_sql(owner_ids),
            condition=condition,
            companies=self._companies_sql(),
        )

    @api.model
    def _figure_sql(self, name):
        """Return the aggregate of a figure over its ``source``."""
        if name == "omni_lifetime_value":
            return SQL("sum(source.amount_untaxed_signed)")
        if name == "omni_turnover":
            return SQL(
                "sum(source.amount_untaxed_signed) FILTER (WHERE %s)",
                self._turnover_sql("source"),
            )
        if name == "omni_order_count":
            return SQL("count(*)")
        return SQL("max(source.date_order)")

    @api.model
    def _turnover_sql(self, invoice):
        """Return whether an invoice counts as turnover of the last twelve months.

        Its state and kind are asked by the caller.

        :param str invoice: alias of ``account_move``
        """
        return SQL(
            "(%(at)s > %(since)s AND %(company)s IN (%(companies)s))",
            at=SQL.identifier(invoice, "invoice_date"),
            since=fields.Date.subtract(fields.Date.context_today(self), months=12),
            company=SQL.identifier(invoice, "company_id"),
            companies=self._companies_sql(),
        )

    @api.model
    def _companies_sql(self):
        """Return the query of the ids of the current company and its branches.

        Whoever may work in them.
        """
        companies = self.env["res.company"]
        companies.flush_model(["parent_path"])
        # sudo: how a company is reached from the top
        path = self.env.company.sudo().parent_path
        return SQL("SELECT id FROM res_company WHERE parent_path LIKE %s", f"{path}%")

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
        return [
            (
                "commercial_partner_id",
                # the rights to the figure, not to each document, were asked
                "any!",
                SQL(
                    "SELECT owner.id FROM res_partner AS owner"
                    " LEFT JOIN (%s) AS found ON found.owner = owner.id"
                    " WHERE owner.commercial_partner_id = owner.id AND %s",
                    self._figures_sql([name]),
                    condition,
                ),
            )
        ]
