from odoo import api, models
from odoo.tools import SQL

from .behavior_feature_provider import day_of, local

VISIT_SECONDS = 1800
#: greatest amount that an event may name; more is a mistake
MAX_AMOUNT = 10**12


class BehaviorFeatureProvider(models.AbstractModel):
    """The facts of events, in one query."""

    _inherit = "behavior.feature.provider"

    @api.model
    def _query_events(self, company, until):
        """Events in the order in which they were received.

        That order is the only one that the past keeps: by the moment at which they
        happened, an event that arrives late would come before one known long ago.
        """
        # What Odoo itself notes is among the orders already.
        return SQL(
            """
            SELECT unit_id, received_at, "timestamp", type, event, page, channel,
                   category, round(100 * greatest(least(amount, %(max)s), -%(max)s))
                   ::bigint, %(day)s, %(hour)s,
                   gap IS NULL OR gap > %(visit)s,
                   CASE WHEN gap > %(visit)s THEN (gap / 86400.0)::float8 END
            FROM (
                SELECT customer.commercial_partner_id AS unit_id, event.received_at,
                       event."timestamp", event.type, event.event, event.page,
                       %(channel)s AS channel,
                       left(event.properties ->> 'category', 64) AS category,
                       %(amount)s AS amount,
                       extract(epoch FROM event.received_at - lag(event.received_at)
                           OVER (PARTITION BY customer.commercial_partner_id
                                 ORDER BY event.received_at, event.id)) AS gap
                FROM behavior_event AS event
                JOIN behavior_source AS source ON source.id = event.source_id
                JOIN res_partner AS customer ON customer.id = event.partner_id
                WHERE source.type <> 'odoo' AND event.company_id = %(company)s
                  AND event.received_at < %(until)s
            ) AS happened
            """,
            max=MAX_AMOUNT,
            day=day_of(company, SQL('"timestamp"')),
            hour=SQL(
                "((extract(isodow FROM %(at)s) - 1) * 24"
                " + extract(hour FROM %(at)s))::bigint",
                at=local(company, SQL('"timestamp"')),
            ),
            visit=VISIT_SECONDS,
            channel=self._sql_channel(),
            amount=self._sql_amount(),
            company=company.id,
            until=until,
        )

    @api.model
    def _sql_channel(self):
        """What an event came through, see ``CHANNELS`` of ``features_behavior.py``."""
        return SQL(
            """
            CASE WHEN source.type = 'server' THEN 'server'
                 WHEN event.context ->> 'userAgent' LIKE '%%MicroMessenger%%'
                 THEN 'wechat'
                 WHEN event.type = 'screen'
                      OR event.context -> 'device' ->> 'type' IN ('ios', 'android')
                 THEN 'app'
                 WHEN event.context ->> 'userAgent' LIKE '%%Mobi%%' THEN 'mobile'
                 ELSE 'web' END
            """
        )

    @api.model
    def _sql_amount(self):
        """What an event is worth by Segment's names: a value, or price × quantity."""
        return SQL(
            """
            CASE WHEN jsonb_typeof(event.properties -> 'price') = 'number'
                 THEN (event.properties ->> 'price')::numeric
                      * CASE WHEN jsonb_typeof(event.properties -> 'quantity')
                                  = 'number'
                             THEN (event.properties ->> 'quantity')::numeric
                             ELSE 1 END
                 WHEN jsonb_typeof(event.properties -> 'value') = 'number'
                 THEN (event.properties ->> 'value')::numeric
                 WHEN jsonb_typeof(event.properties -> 'revenue') = 'number'
                 THEN (event.properties ->> 'revenue')::numeric END
            """
        )

    @api.model
    def _changed_events(self, company, since):
        """Those with new events, and whoever was merged; identities tell the rest."""
        return SQL(
            """
            SELECT customer.commercial_partner_id
            FROM behavior_event AS event
            JOIN res_partner AS customer ON customer.id = event.partner_id
            WHERE event.company_id = %(company)s AND event.received_at >= %(since)s
            UNION
            -- merged, parted or moved below another company
            SELECT unnest(ARRAY[customer.id, customer.commercial_partner_id])
            FROM res_partner AS customer WHERE customer.write_date >= %(since)s
            """,
            company=company.id,
            since=since,
        )
