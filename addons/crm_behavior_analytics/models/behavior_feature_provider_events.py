# The queries of two subjects, a file each.
# pylint: disable=consider-merging-classes-inherited
from odoo import api, models
from odoo.tools import SQL

from .behavior_feature_provider import day_of, local

#: greatest amount that an event may name; more is a mistake
MAX_AMOUNT = 10**12


class BehaviorFeatureProvider(models.AbstractModel):
    """The facts of events, in one query."""

    _inherit = "behavior.feature.provider"

    @api.model
    def _query_events(self, company, until):
        """Events of the store; ``tools/lake.py`` adds the lake's, and the visits."""
        # What Odoo itself notes is among the orders already.
        return SQL(
            """
            SELECT customer.commercial_partner_id, event.id, event.received_at,
                   event."timestamp", event.type, event.event, event.page, %(channel)s,
                   left(event.properties ->> 'category', 64), %(amount)s, %(day)s,
                   %(hour)s
            FROM behavior_event AS event
            JOIN behavior_source AS source ON source.id = event.source_id
            JOIN res_partner AS customer ON customer.id = event.partner_id
            WHERE source.type <> 'odoo' AND event.company_id = %(company)s
              AND event.received_at < %(until)s
            """,
            channel=self._sql_channel(),
            amount=self._sql_minor_amount(),
            day=day_of(company, SQL('event."timestamp"')),
            hour=local_hour(company, SQL('event."timestamp"')),
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
    def _sql_minor_amount(self):
        """What an event is worth by Segment's names: a value, or price × quantity."""
        return SQL(
            """
            round(100 * greatest(least(
            CASE WHEN jsonb_typeof(event.properties -> 'price') = 'number'
                 THEN (event.properties ->> 'price')::numeric
                      * CASE WHEN jsonb_typeof(event.properties -> 'quantity')
                                  = 'number'
                             THEN (event.properties ->> 'quantity')::numeric
                             ELSE 1 END
                 WHEN jsonb_typeof(event.properties -> 'value') = 'number'
                 THEN (event.properties ->> 'value')::numeric
                 WHEN jsonb_typeof(event.properties -> 'revenue') = 'number'
                 THEN (event.properties ->> 'revenue')::numeric END,
            %(max)s), -%(max)s))::bigint
            """,
            max=MAX_AMOUNT,
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


def local_hour(company, moment):
    """The hour of the week of a moment (SQL, UTC); 0 is Monday before one o'clock."""
    at = local(company, moment)
    return SQL(
        "((extract(isodow FROM %s) - 1) * 24 + extract(hour FROM %s))::bigint", at, at
    )
