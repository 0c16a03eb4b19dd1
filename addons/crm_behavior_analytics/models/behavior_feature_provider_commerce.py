from odoo import api, models
from odoo.tools import SQL

from .behavior_feature_provider import day_of


class BehaviorFeatureProvider(models.AbstractModel):
    """The facts of orders, invoices and deliveries, one query a table."""

    _inherit = "behavior.feature.provider"

    @api.model
    def _query_orders(self, company, until):
        return SQL(
            """
            SELECT unit_id, known_at, amount,
                   (extract(epoch FROM known_at - lag(known_at) OVER (
                       PARTITION BY unit_id ORDER BY known_at, id
                   )) / 86400.0)::float8,
                   lines, quantity, %(day)s
            FROM (
                SELECT sale.id, customer.commercial_partner_id AS unit_id,
                       sale.date_order AS known_at,
                       round(sale.amount_untaxed * 100
                             / coalesce(nullif(sale.currency_rate, 0), 1))::bigint
                           AS amount,
                       basket.lines, basket.quantity
                FROM sale_order AS sale
                JOIN res_partner AS customer ON customer.id = sale.partner_id
                CROSS JOIN LATERAL (
                    SELECT count(*) AS lines,
                           coalesce(sum(line.product_uom_qty), 0)::float8 AS quantity
                    FROM sale_order_line AS line
                    WHERE line.order_id = sale.id AND line.display_type IS NULL
                ) AS basket
                WHERE sale.state = 'sale' AND sale.company_id = %(company)s
                  AND sale.date_order < %(until)s
            ) AS placed
            """,
            day=day_of(company, SQL("known_at")),
            company=company.id,
            until=until,
        )

    @api.model
    def _query_lines(self, company, until):
        return SQL(
            """
            SELECT unit_id, known_at, category, product, amount, "full" - amount,
                   "full", "full" > amount,
                   row_number() OVER (
                       PARTITION BY unit_id, product ORDER BY known_at, id
                   ) > 1
            FROM (
                SELECT line.id, customer.commercial_partner_id AS unit_id,
                       sale.date_order AS known_at,
                       nullif(split_part(category.parent_path, '/', 1), '')::bigint
                           AS category,
                       line.product_id AS product,
                       round(line.price_subtotal * 100 / currency.rate)::bigint
                           AS amount,
                       -- what is free has no price left to reckon with
                       round(CASE WHEN line.discount >= 100
                                  THEN line.price_unit * line.product_uom_qty
                                  ELSE line.price_subtotal
                                       / (1 - coalesce(line.discount, 0) / 100)
                             END * 100 / currency.rate)::bigint AS "full"
                FROM sale_order_line AS line
                JOIN sale_order AS sale ON sale.id = line.order_id
                JOIN res_partner AS customer ON customer.id = sale.partner_id
                JOIN product_product AS product ON product.id = line.product_id
                JOIN product_template AS template
                  ON template.id = product.product_tmpl_id
                LEFT JOIN product_category AS category
                  ON category.id = template.categ_id
                CROSS JOIN LATERAL (
                    SELECT coalesce(nullif(sale.currency_rate, 0), 1)::numeric AS rate
                ) AS currency
                WHERE sale.state = 'sale' AND line.display_type IS NULL
                  AND sale.company_id = %(company)s AND sale.date_order < %(until)s
            ) AS placed
            """,
            company=company.id,
            until=until,
        )

    @api.model
    def _query_goods(self, company, until):
        # What a move costs is its valuation: as it was then, not as it would be today.
        return SQL(
            """
            SELECT customer.commercial_partner_id, move.date,
                   origin.usage = 'customer', price.amount,
                   price.amount - round(abs(coalesce(move.value, 0)) * 100)::bigint
            FROM stock_move AS move
            JOIN sale_order_line AS line ON line.id = move.sale_line_id
            JOIN sale_order AS sale ON sale.id = line.order_id
            JOIN res_partner AS customer ON customer.id = sale.partner_id
            JOIN stock_location AS origin ON origin.id = move.location_id
            JOIN stock_location AS target ON target.id = move.location_dest_id
            CROSS JOIN LATERAL (
                SELECT round(line.price_subtotal * move.quantity * 100
                             / nullif(line.product_uom_qty, 0)
                             / coalesce(nullif(sale.currency_rate, 0), 1)::numeric
                       )::bigint AS amount
            ) AS price
            WHERE move.state = 'done' AND 'customer' IN (origin.usage, target.usage)
              AND price.amount IS NOT NULL
              AND move.company_id = %(company)s AND move.date < %(until)s
            """,
            company=company.id,
            until=until,
        )

    @api.model
    def _query_invoices(self, company, until):
        # An invoice is due on its day and overdue on the next one.
        return SQL(
            """
            SELECT customer.owner_id, invoice.invoice_date::timestamp,
                   invoice.invoice_date_due + interval '1 day',
                   CASE WHEN invoice.payment_state IN
                             ('paid', 'in_payment', 'reversed')
                        THEN coalesce(paid.day, invoice.invoice_date_due)::timestamp
                   END,
                   round(invoice.amount_total_signed * 100)::bigint
            FROM account_move AS invoice
            JOIN (%s) AS customer ON customer.id = invoice.partner_id
            LEFT JOIN LATERAL (
                SELECT max(partial.max_date) AS day
                FROM account_move_line AS line
                JOIN account_partial_reconcile AS partial
                  ON partial.debit_move_id = line.id
                WHERE line.move_id = invoice.id
            ) AS paid ON TRUE
            WHERE invoice.move_type = 'out_invoice' AND invoice.state = 'posted'
              AND invoice.company_id = %s AND invoice.invoice_date < %s
            """,
            self.env["res.partner"]._owners_sql(),
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

    # --- WHAT WAS WRITTEN ---
    # Without the conditions of the queries above: what was cancelled is a change too.

    @api.model
    def _changed_orders(self, company, since):
        return SQL(
            """
            SELECT customer.commercial_partner_id
            FROM sale_order AS sale
            JOIN res_partner AS customer ON customer.id = sale.partner_id
            WHERE sale.company_id = %(company)s
              AND (sale.write_date >= %(since)s OR EXISTS (
                  SELECT FROM sale_order_line AS line
                  WHERE line.order_id = sale.id AND line.write_date >= %(since)s))
            """,
            company=company.id,
            since=since,
        )

    @api.model
    def _changed_goods(self, company, since):
        return SQL(
            """
            SELECT customer.commercial_partner_id
            FROM stock_move AS move
            JOIN sale_order_line AS line ON line.id = move.sale_line_id
            JOIN sale_order AS sale ON sale.id = line.order_id
            JOIN res_partner AS customer ON customer.id = sale.partner_id
            WHERE move.company_id = %s AND move.write_date >= %s
            """,
            company.id,
            since,
        )

    @api.model
    def _changed_invoices(self, company, since):
        # A payment may leave the invoice's own row as it is; so do a merge and its
        # undo, where the invoice is sealed.
        return SQL(
            """
            WITH customer AS (%(owners)s)
            SELECT customer.owner_id
            FROM account_move AS invoice
            JOIN customer ON customer.id = invoice.partner_id
            WHERE invoice.move_type = 'out_invoice' AND invoice.company_id = %(company)s
              AND (invoice.write_date >= %(since)s OR EXISTS (
                  SELECT FROM account_move_line AS line
                  JOIN account_partial_reconcile AS partial
                    ON partial.debit_move_id = line.id
                  WHERE line.move_id = invoice.id
                    AND partial.write_date >= %(since)s))
            UNION
            SELECT customer.owner_id
            FROM omni_merge AS merge
            JOIN customer ON customer.id IN (merge.target_id, merge.source_id)
            WHERE greatest(merge.merged_at, merge.undone_at) >= %(since)s
            """,
            owners=self.env["res.partner"]._owners_sql(),
            company=company.id,
            since=since,
        )

    @api.model
    def _changed_deliveries(self, company, since):
        return SQL(
            """
            SELECT customer.commercial_partner_id
            FROM stock_picking AS delivery
            JOIN res_partner AS customer ON customer.id = delivery.partner_id
            WHERE delivery.company_id = %s AND delivery.write_date >= %s
            """,
            company.id,
            since,
        )
