from functools import partial

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from odoo.addons.crm_omnichannel.columns import readable
from odoo.addons.crm_omnichannel.tools.timeline import TimelineSource

_lt = LazyTranslate(__name__)

KIND = "ticket"
TEXTS = {
    "ticket_opened": _lt("New ticket %(number)s: %(name)s"),
    "ticket_closed": _lt("Ticket %(number)s closed: %(name)s"),
}


class OmniTimeline(models.AbstractModel):
    _inherit = "omni.timeline"

    @api.model
    def _timeline_sources(self):
        sources = super()._timeline_sources()
        if self.env["helpdesk.ticket"].has_access("read"):
            sources.append(
                TimelineSource(
                    KIND,
                    "helpdesk.ticket",
                    self.env._("Tickets"),
                    "fa-life-ring",
                    partial(self._fetch_ticket, KIND),
                )
            )
        return sources

    @api.model
    def _timeline_texts(self):
        return {**super()._timeline_texts(), **TEXTS}

    @api.model
    def _fetch_ticket(self, kind, partners, before, limit):
        tickets = self.env["helpdesk.ticket"].with_context(active_test=False)
        query = tickets._search([("partner_id", "in", partners.ids)])
        return self._fetch_events(
            kind,
            tickets,
            query,
            [
                ("ticket_opened", SQL("helpdesk_ticket.create_date"), SQL("TRUE")),
                ("ticket_closed", readable(tickets, "closed_date"), SQL("TRUE")),
            ],
            {
                "number": readable(tickets, "number"),
                "name": readable(tickets, "name"),
            },
            before,
            limit,
        )
