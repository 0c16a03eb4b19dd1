from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from odoo.addons.crm_behavior_analytics.models.behavior_feature_provider import (
    Provider,
    Table,
)

_lt = LazyTranslate(__name__)

TICKETS = Provider(
    _lt("Tickets, Ratings, Promises"),
    "crm_ticket_routing_tools.features_tickets",
    "res.partner",
    {
        "tickets": Table(
            "_query_tickets",
            {
                "unit_id": "int64",
                "known_at": "timestamp[us]",
                "closed_at": "timestamp[us]",
            },
            ("helpdesk.ticket.create_date", "helpdesk.ticket.closed_date"),
            changed="_changed_tickets",
        ),
        "ratings": Table(
            "_query_ticket_ratings",
            {"unit_id": "int64", "known_at": "timestamp[us]", "rating": "float64"},
            ("rating.rating.rating",),
            changed="_changed_ticket_ratings",
        ),
        "promises": Table(
            "_query_missed_promises",
            {"unit_id": "int64", "known_at": "timestamp[us]"},
            ("routing.sla.target.failed_at",),
            changed="_changed_promises",
        ),
    },
)


class BehaviorFeatureProvider(models.AbstractModel):
    _inherit = "behavior.feature.provider"

    @api.model
    def _feature_providers(self):
        return {**super()._feature_providers(), "tickets": TICKETS}

    @api.model
    def _query_tickets(self, company, until):
        return SQL(
            """
            SELECT customer.commercial_partner_id, ticket.create_date,
                   ticket.closed_date
            FROM helpdesk_ticket AS ticket
            JOIN res_partner AS customer ON customer.id = ticket.partner_id
            WHERE ticket.company_id = %s AND ticket.create_date < %s
            """,
            company.id,
            until,
        )

    @api.model
    def _query_ticket_ratings(self, company, until):
        if self.env.get("rating.rating") is None:
            return SQL("SELECT 0, now()::timestamp, 0::float8 WHERE FALSE")
        return SQL(
            """
            SELECT customer.commercial_partner_id, given.at, given.rating::float8
            FROM (
                -- a later touch of the row is no later rating
                SELECT *, least(rated_on, write_date) AS at FROM rating_rating
            ) AS given
            JOIN helpdesk_ticket AS ticket ON ticket.id = given.res_id
            JOIN res_partner AS customer ON customer.id = ticket.partner_id
            WHERE given.res_model = 'helpdesk.ticket' AND given.consumed
              AND given.rating > 0 AND ticket.company_id = %s
              AND given.at < %s
            """,
            company.id,
            until,
        )

    @api.model
    def _query_missed_promises(self, company, until):
        return SQL(
            """
            SELECT customer.commercial_partner_id, target.failed_at
            FROM routing_sla_target AS target
            JOIN helpdesk_ticket AS ticket ON ticket.id = target.ticket_id
            JOIN res_partner AS customer ON customer.id = ticket.partner_id
            WHERE target.company_id = %s AND target.failed_at < %s
            """,
            company.id,
            until,
        )

    @api.model
    def _changed_tickets(self, company, since):
        return SQL(
            """
            SELECT customer.commercial_partner_id
            FROM helpdesk_ticket AS ticket
            JOIN res_partner AS customer ON customer.id = ticket.partner_id
            WHERE ticket.company_id = %s AND ticket.write_date >= %s
            """,
            company.id,
            since,
        )

    @api.model
    def _changed_ticket_ratings(self, company, since):
        if self.env.get("rating.rating") is None:
            return SQL("SELECT 0 WHERE FALSE")
        return SQL(
            """
            SELECT customer.commercial_partner_id
            FROM rating_rating AS given
            JOIN helpdesk_ticket AS ticket ON ticket.id = given.res_id
            JOIN res_partner AS customer ON customer.id = ticket.partner_id
            WHERE given.res_model = 'helpdesk.ticket' AND ticket.company_id = %s
              AND given.write_date >= %s
            """,
            company.id,
            since,
        )

    @api.model
    def _changed_promises(self, company, since):
        return SQL(
            """
            SELECT customer.commercial_partner_id
            FROM routing_sla_target AS target
            JOIN helpdesk_ticket AS ticket ON ticket.id = target.ticket_id
            JOIN res_partner AS customer ON customer.id = ticket.partner_id
            WHERE target.company_id = %s AND target.write_date >= %s
            """,
            company.id,
            since,
        )
