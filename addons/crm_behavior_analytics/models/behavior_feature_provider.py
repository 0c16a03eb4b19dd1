import importlib
import json
from typing import Any, NamedTuple

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from ..tools.prediction import LAKE_FILE

_lt = LazyTranslate(__name__)

FETCH_ROWS = 50_000


class Table(NamedTuple):
    """A table of facts that a provider gathers.

    :param query: method name: ``env["behavior.feature.provider"].<query>(company,
        until)`` gives the SQL of one query
    :param dict columns: name → Arrow type, in the order of the query
    :param tuple sources: fields (``model.field``) that the rows come from, for lineage
    :param dict origins: column → the fields that it comes from, for the lineage of
        definitions that say what they read; others have all ``sources``
    :param changed: method name: ``<changed>(company, since)`` gives the SQL of the
        units whose facts were written since a moment; None: nobody can tell, and all
        units are computed anew
    """

    query: str
    columns: dict
    sources: tuple
    origins: dict = {}
    changed: "str | None" = None


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

    def sources(self, definition):
        """The fields that a definition of this provider is made of, sorted."""
        if not definition.table:
            # a derived one rests on what it is shown with
            module = importlib.import_module(self.module)
            parts = [
                one
                for one in module.DEFINITIONS
                if one.table and one.code in definition.shown_with
            ]
            return sorted({source for one in parts for source in self.sources(one)})
        table = self.tables[definition.table]
        if not definition.reads:
            return sorted(table.sources)
        return sorted(
            {
                source
                for column in definition.reads
                for source in table.origins.get(column, table.sources)
            }
        )


TIME = "timestamp[us]"
COMMERCE = Provider(
    _lt("Orders, Invoices, Deliveries"),
    "crm_behavior_analytics_tools.features_commerce",
    "res.partner",
    {
        "orders": Table(
            "_query_orders",
            {
                "unit_id": "int64",
                "known_at": TIME,
                "amount": "int64",
                "gap_days": "float64",
                "lines": "int64",
                "quantity": "float64",
                "day": "int64",
            },
            ("sale.order.date_order", "sale.order.amount_untaxed"),
            {
                "known_at": ("sale.order.date_order",),
                "gap_days": ("sale.order.date_order",),
                "day": ("sale.order.date_order",),
                "amount": ("sale.order.amount_untaxed",),
                "lines": ("sale.order.order_line",),
                "quantity": ("sale.order.line.product_uom_qty",),
            },
            "_changed_orders",
        ),
        "lines": Table(
            "_query_lines",
            {
                "unit_id": "int64",
                "known_at": TIME,
                "category": "int64",
                "product": "int64",
                "amount": "int64",
                "discount": "int64",
                "full": "int64",
                "reduced": "bool",
                "bought_before": "bool",
            },
            ("sale.order.date_order", "sale.order.line.price_subtotal"),
            {
                "known_at": ("sale.order.date_order",),
                "category": ("product.template.categ_id",),
                "product": ("sale.order.line.product_id",),
                "bought_before": ("sale.order.line.product_id",),
                "amount": ("sale.order.line.price_subtotal",),
                "discount": ("sale.order.line.discount",),
                "reduced": ("sale.order.line.discount",),
                "full": ("sale.order.line.price_subtotal",),
            },
            "_changed_orders",
        ),
        "goods": Table(
            "_query_goods",
            {
                "unit_id": "int64",
                "known_at": TIME,
                "returned": "bool",
                "amount": "int64",
                "margin": "int64",
            },
            ("stock.move.date", "sale.order.line.price_subtotal", "stock.move.value"),
            {
                "known_at": ("stock.move.date",),
                "returned": ("stock.move.location_dest_id",),
                "amount": ("sale.order.line.price_subtotal", "stock.move.quantity"),
                "margin": ("sale.order.line.price_subtotal", "stock.move.value"),
            },
            "_changed_goods",
        ),
        "invoices": Table(
            "_query_invoices",
            {
                "unit_id": "int64",
                "known_at": TIME,
                "due_at": TIME,
                "paid_at": TIME,
                "amount": "int64",
            },
            (
                "account.move.invoice_date_due",
                "account.move.payment_state",
                "account.move.amount_total_signed",
            ),
            {
                "known_at": ("account.move.invoice_date",),
                "due_at": ("account.move.invoice_date_due",),
                "paid_at": ("account.move.payment_state",),
                "amount": ("account.move.amount_total_signed",),
            },
            "_changed_invoices",
        ),
        "deliveries": Table(
            "_query_deliveries",
            {"unit_id": "int64", "known_at": TIME, "done_at": TIME},
            ("stock.picking.date_deadline", "stock.picking.date_done"),
            {
                "known_at": ("stock.picking.date_deadline",),
                "done_at": ("stock.picking.date_done",),
            },
            "_changed_deliveries",
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
                "id": "int64",
                "known_at": TIME,
                "at": TIME,
                "type": "string",
                "event": "string",
                "page": "string",
                "channel": "string",
                "category": "string",
                "amount": "int64",
                "day": "int64",
                "hour_of_week": "int64",
            },
            ("behavior.event.timestamp", "behavior.event.type"),
            {
                "at": ("behavior.event.timestamp",),
                "day": ("behavior.event.timestamp",),
                "hour_of_week": ("behavior.event.timestamp",),
                "type": ("behavior.event.type",),
                "event": ("behavior.event.event",),
                "page": ("behavior.event.page",),
                "channel": ("behavior.event.context", "behavior.source.type"),
                "category": ("behavior.event.properties",),
                "amount": ("behavior.event.properties",),
                "starts_visit": ("behavior.event.received_at",),
                "gap_days": ("behavior.event.received_at",),
            },
            "_changed_events",
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
    def _export_tables(self, providers, company, until, units=None):
        """Ways to write the tables of some providers, as files of a job.

        :param providers: iterable of :class:`Provider`
        :param company: ``res.company``, whose facts
        :param datetime until: naive UTC; later rows are left out
        :param units: ids, of these only
        :return: dict of file name → callable that writes to the path it is given
        """
        tables = {}
        for provider in providers:
            tables |= provider.tables
        files = {
            f"{name}.parquet": self._exporter(table, company, until, units)
            for name, table in tables.items()
        }
        if "events" in tables:
            files |= self._export_lake(company)
        return files

    @api.model
    def _export_lake(self, company):
        """What a job needs to read the events that the store has let go of."""
        parts = self.env["behavior.lake.part"].search_fetch([], ["name"])
        if not parts:
            return {}
        spec = {
            "url": parts._lake_url(),
            "parts": parts.mapped("name"),
            "company_id": company.id,
            "identities": [list(row) for row in parts._identity_rows()],
        }
        return {LAKE_FILE: json.dumps(spec).encode()}

    @api.model
    def _exporter(self, table, company, until, units):
        def export(path):
            query = self._facts(table, company, until)
            if units is not None:
                # Every query partitions by the unit, so this reaches into it.
                query = SQL("%s WHERE unit_id = ANY(%s)", query, list(units))
            self._export(query, table, path)

        return export

    @api.model
    def _facts(self, table, company, until):
        """The rows of a table, its columns under the names that the table gives."""
        return SQL(
            "SELECT * FROM (%s) AS fact(%s)",
            getattr(self, table.query)(company, until),
            SQL(", ").join(SQL.identifier(name) for name in table.columns),
        )

    @api.model
    def _export(self, query, table, path):
        """Write the rows of a query to a Parquet file, part by part."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema(
            [
                (name, pa.timestamp("us") if kind == TIME else pa.type_for_alias(kind))
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


def local(company, moment):
    """A moment (SQL, UTC) on the company's clock."""
    zone = company.resource_calendar_id.tz or company.partner_id.tz or "UTC"
    return SQL("(%s AT TIME ZONE 'UTC' AT TIME ZONE %s)", moment, zone)


def day_of(company, moment):
    """The day of a moment (SQL, UTC) in the company's calendar, in days since 1970."""
    return SQL("(%s::date - DATE '1970-01-01')::bigint", local(company, moment))
