from typing import Any, NamedTuple

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

_lt = LazyTranslate(__name__)

FETCH_ROWS = 50_000


class Table(NamedTuple):
    """A table of facts that a provider gathers.

    :param query: method name: ``env["behavior.feature.provider"].<query>(company,
        until)`` gives the SQL of one query
    :param dict columns: name → Arrow type, in the order of the query
    :param tuple sources: fields (``model.field``) that the rows come from, for lineage
    """

    query: str
    columns: dict
    sources: tuple


class Provider(NamedTuple):
    """Where features come from: definitions in ``tools/``, and what they read.

    :param title: what a person calls it, a lazy translation
    :param str module: tools module with ``DEFINITIONS``
    :param str res_model: whose features they are
    :param dict tables: name → :class:`Table`
    """

    title: Any
    module: str
    res_model: str
    tables: dict


COMMERCE = Provider(
    _lt("Orders, Invoices, Deliveries"),
    "crm_behavior_analytics_tools.features_commerce",
    "res.partner",
    {
        "orders": Table(
            "_query_orders",
            {
                "unit_id": "int64",
                "known_at": "timestamp[us]",
                "amount": "int64",
                "gap_days": "float64",
            },
            ("sale.order.date_order", "sale.order.amount_untaxed"),
        ),
        "invoices": Table(
            "_query_invoices",
            {
                "unit_id": "int64",
                "known_at": "timestamp[us]",
                "due_at": "timestamp[us]",
                "paid_at": "timestamp[us]",
                "amount": "int64",
            },
            (
                "account.move.invoice_date_due",
                "account.move.payment_state",
                "account.move.amount_total_signed",
            ),
        ),
        "deliveries": Table(
            "_query_deliveries",
            {
                "unit_id": "int64",
                "known_at": "timestamp[us]",
                "done_at": "timestamp[us]",
            },
            ("stock.picking.date_deadline", "stock.picking.date_done"),
        ),
    },
)
BEHAVIOR = Provider(
    _lt("Behavior"),
    "crm_behavior_analytics_tools.features_behavior",
    "res.partner",
    {
        "events": Table(
            "_query_events",
            {
                "unit_id": "int64",
                "known_at": "timestamp[us]",
                "at": "timestamp[us]",
                "type": "string",
                "event": "string",
                "page": "string",
            },
            ("behavior.event.timestamp", "behavior.event.type"),
        ),
    },
)


class BehaviorFeatureProvider(models.AbstractModel):
    """Gathers what features are made of, one query a table.

    An upper addon extends it with ``_inherit``: it adds its provider to
    :meth:`_feature_providers` and a method for each of its tables.
    """

    _name = "behavior.feature.provider"
    _description = "Feature Provider"

    @api.model
    def _feature_providers(self):
        """:return: dict of code → :class:`Provider`"""
        return {"commerce": COMMERCE, "behavior": BEHAVIOR}

    @api.model
    def _export_tables(self, providers, company, until):
        """Ways to write the tables of some providers, as files of a job.

        :param providers: iterable of :class:`Provider`
        :param company: ``res.company``, whose facts
        :param datetime until: naive UTC; later rows are left out
        :return: dict of file name → callable that writes to the path it is given
        """
        tables = {}
        for provider in providers:
            tables |= provider.tables
        return {
            f"{name}.parquet": self._exporter(table, company, until)
            for name, table in tables.items()
        }

    @api.model
    def _exporter(self, table, company, until):
        def export(path):
            self._export(getattr(self, table.query)(company, until), table, path)

        return export

    @api.model
    def _export(self, query, table, path):
        """Write the rows of a query to a Parquet file, part by part."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema(
            [
                (name, pa.timestamp("us") if kind == "timestamp[us]" else kind)
                for name, kind in table.columns.items()
            ]
        )
        cr = self.env.cr
        self.env.flush_all()
        cr.execute(SQL("DECLARE behavior_export NO SCROLL CURSOR FOR %s", query))
        with pq.ParquetWriter(path, schema) as writer:
            while True:
                cr.execute(SQL("FETCH %s FROM behavior_export", FETCH_ROWS))
                rows = cr.fetchall()
                if not rows:
                    break
                columns = zip(*rows, strict=True)
                arrays = [
                    pa.array(column, field.type)
                    for column, field in zip(columns, schema, strict=True)
                ]
                writer.write_table(pa.table(arrays, schema=schema))
        cr.execute("CLOSE behavior_export")

    # --- QUERIES ---

    @api.model
    def _query_orders(self, company, until):
        return SQL(
            """
            SELECT unit_id, known_at, amount,
                   (extract(epoch FROM known_at - lag(known_at) OVER (
                       PARTITION BY unit_id ORDER BY known_at, id
                   )) / 86400.0)::float8
            FROM (
                SELECT sale.id, customer.commercial_partner_id AS unit_id,
                       sale.date_order AS known_at,
                       round(sale.amount_untaxed * 100
                             / coalesce(nullif(sale.currency_rate, 0), 1))::bigint
                           AS amount
                FROM sale_order AS sale
                JOIN res_partner AS customer ON customer.id = sale.partner_id
                WHERE sale.state = 'sale' AND sale.company_id = %s
                  AND sale.date_order < %s
            ) AS placed
            """,
            company.id,
            until,
        )

    @api.model
    def _query_invoices(self, company, until):
        # An invoice is due on its day and overdue on the next one.
        return SQL(
            """
            SELECT invoice.commercial_partner_id, invoice.invoice_date::timestamp,
                   invoice.invoice_date_due + interval '1 day',
                   CASE WHEN invoice.payment_state IN
                             ('paid', 'in_payment', 'reversed')
                        THEN coalesce(paid.day, invoice.invoice_date_due)::timestamp
                   END,
                   round(invoice.amount_total_signed * 100)::bigint
            FROM account_move AS invoice
            LEFT JOIN LATERAL (
                SELECT max(partial.max_date) AS day
                FROM account_move_line AS line
                JOIN account_partial_reconcile AS partial
                  ON partial.debit_move_id = line.id
                WHERE line.move_id = invoice.id
            ) AS paid ON TRUE
            WHERE invoice.move_type = 'out_invoice' AND invoice.state = 'posted'
              AND invoice.company_id = %s AND invoice.invoice_date < %s
              AND invoice.commercial_partner_id IS NOT NULL
            """,
            company.id,
            until,
        )

    @api.model
    def _query_deliveries(self, company, until):
        # A delivery is promised for a day: it is late when that day is over.
        return SQL(
            """
            SELECT customer.commercial_partner_id, promised.day_end, delivery.date_done
            FROM stock_picking AS delivery
            CROSS JOIN LATERAL (
                SELECT date_trunc('day', delivery.date_deadline) + interval '1 day'
                       AS day_end
            ) AS promised
            JOIN stock_picking_type AS kind ON kind.id = delivery.picking_type_id
            JOIN res_partner AS customer ON customer.id = delivery.partner_id
            WHERE kind.code = 'outgoing' AND delivery.state <> 'cancel'
              AND delivery.company_id = %s AND promised.day_end < %s
            """,
            company.id,
            until,
        )

    @api.model
    def _query_events(self, company, until):
        # What Odoo itself notes is among the orders already.
        return SQL(
            """
            SELECT customer.commercial_partner_id, event.received_at,
                   event."timestamp", event.type, event.event, event.page
            FROM behavior_event AS event
            JOIN behavior_source AS source ON source.id = event.source_id
            JOIN res_partner AS customer ON customer.id = event.partner_id
            WHERE source.type <> 'odoo' AND event.company_id = %s
              AND event.received_at < %s
            """,
            company.id,
            until,
        )
