"""What the key figures of a customer are made of, to be asked in one statement."""

from odoo.fields import Domain
from odoo.tools import SQL

from .columns import asked, readable

#: sums of the row "money", in their order: invoiced without taxes, what the goods cost,
#: not yet paid, invoiced in the last twelve months
MONEY = ("lifetime_value", "cost", "open_amount", "turnover")
_NOBODY = SQL("NULL::text")


def figure_queries(env, family):
    """Return the queries, each by the rights and rules of the reader.

    :param env: environment of the reader
    :param family: ``res.partner``, the customer and all below
    :return: ``{name: SQL}`` with the columns name, code, label, numbers (numeric[]) and
        moments (timestamp[]); a reader without the right to a model has no such query
    """
    mine = Domain("partner_id", "in", family.ids)
    makers = {
        "account.move": ("money", _money),
        "sale.order": ("orders", _orders),
        "omni.record": ("channels", _channels),
    }
    queries = {
        name: make(env, mine)
        for model, (name, make) in makers.items()
        if env[model].has_access("read")
    }
    queries["mail"] = _mail(env, family)
    return queries


def _row(name, code, label, numbers=(), moments=()):
    return SQL(
        "%s, %s, %s, ARRAY[%s]::numeric[], ARRAY[%s]::timestamp[]",
        name,
        code,
        label,
        SQL(", ").join(numbers),
        SQL(", ").join(moments),
    )


def _money(env, mine):
    """One row a currency of the companies whose invoices are seen."""
    moves = env["account.move"]
    query = asked(
        moves,
        mine
        & Domain("move_type", "in", ("out_invoice", "out_refund"))
        & Domain("state", "=", "posted"),
    )
    company = query.join(moves._table, "company_id", "res_company", "id", "company")
    currency = SQL.identifier(company, "currency_id")
    query.groupby = currency
    invoiced = readable(moves, "amount_untaxed_signed")
    return query.select(
        _row(
            "money",
            SQL("%s::text", currency),
            _NOBODY,
            (
                SQL("sum(%s)", invoiced),
                _cost(env),
                SQL("sum(%s)", readable(moves, "amount_residual_signed")),
                SQL(
                    "coalesce(sum(%s) FILTER (WHERE %s), %s)",
                    invoiced,
                    env["res.partner"]._turnover_sql(moves._table),
                    # none in that time is 0, a closed field is not
                    SQL("sum(%s) * 0", invoiced),
                ),
            ),
        )
    )


def _cost(env):
    """What the goods on an invoice cost, at the product's cost of today.

    Each company has its own cost of a product; a line without a product costs nothing.
    """
    products = env["product.product"]
    closed = "standard_price" in products._closed_fields() or (
        not products._has_field_access(products._fields["standard_price"], "read")
    )
    if closed or not env["account.move.line"].has_access("read"):
        return SQL("NULL::numeric")
    products.flush_model(["standard_price"])
    env["product.template"].flush_model(["uom_id"])
    env["account.move.line"].flush_model(
        ["display_type", "move_id", "product_id", "product_uom_id", "quantity"]
    )
    return SQL(
        """
        coalesce(sum((
            SELECT sum(
                CASE account_move.move_type WHEN 'out_refund' THEN -1 ELSE 1 END
                * line.quantity
                * coalesce(unit.factor / nullif(own_unit.factor, 0), 1)
                * (product.standard_price->>account_move.company_id::text)::numeric
            )
            FROM account_move_line AS line
            JOIN product_product AS product ON product.id = line.product_id
            JOIN product_template AS template ON template.id = product.product_tmpl_id
            LEFT JOIN uom_uom AS unit ON unit.id = line.product_uom_id
            LEFT JOIN uom_uom AS own_unit ON own_unit.id = template.uom_id
            WHERE line.move_id = account_move.id AND line.display_type = 'product'
        )), 0)
        """
    )


def _orders(env, mine):
    orders = env["sale.order"]
    query = asked(orders, mine & Domain("state", "=", "sale"))
    at = readable(orders, "date_order")
    return query.select(
        _row(
            "orders",
            _NOBODY,
            _NOBODY,
            (
                SQL("count(*)"),
                SQL(
                    "count(*) FILTER (WHERE %s > now() AT TIME ZONE 'UTC'"
                    " - interval '12 months')",
                    at,
                ),
            ),
            (SQL("min(%s)", at), SQL("max(%s)", at)),
        )
    )


def _channels(env, mine):
    """The last record of each channel."""
    records = env["omni.record"]
    query = asked(records, mine)
    channel = query.join(records._table, "channel_id", "omni_channel", "id", "channel")
    code, name = (
        readable(env["omni.channel"], column, channel) for column in ("code", "name")
    )
    query.groupby = SQL("%s, %s", code, name)
    return query.select(
        _row(
            "contact",
            code,
            name,
            moments=(SQL("max(%s)", readable(records, "received_at")),),
        )
    )


def _mail(env, family):
    """The last message from or to the customer."""
    # sudo: as in the timeline, the domain holds the reader's rights
    reader = env["mail.message"]
    query = reader.sudo()._search(
        env["omni.timeline"]._message_domain(family)
        & (
            Domain("message_type", "in", ("email", "email_outgoing"))
            | Domain("author_id", "in", family.ids)
            & Domain("message_type", "=", "comment")
        )
    )
    return query.select(
        _row(
            "contact",
            SQL("'mail'"),
            _NOBODY,
            moments=(SQL("max(%s)", readable(reader, "date")),),
        )
    )
