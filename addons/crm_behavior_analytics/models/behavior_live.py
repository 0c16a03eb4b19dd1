from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..messages import render

ROWS = 50
DAYS = 1
OUTCOMES = ("accepted", "duplicate", "refused")
# Where a word that somebody looks for may stand.
EVENT_WORDS = ("event", "page", "message_id", "anonymous_id", "user_id")
REJECTION_WORDS = ("event", "message_id", "visitor", "excerpt")


class BehaviorLive(models.AbstractModel):
    """What has just arrived, and what became of it: the live stream's question."""

    _name = "behavior.live"
    _description = "Live Stream of Messages"

    @api.model
    def read_sources(self):
        """Return the sources that the reader may choose, those in use first.

        :return: list of ``{"id", "name", "type", "state", "example", "snippet"}``
        """
        sources = self.env["behavior.source"].search([("type", "!=", "odoo")])
        return [
            {
                "id": source.id,
                "name": source.name,
                "type": source.type,
                "state": source.state,
                "example": source.request_example or "",
                "snippet": source.snippet or "",
            }
            for source in sources.sorted(lambda source: source.state != "active")
        ]

    @api.model
    def read_stream(self, source_id=None, outcome=None, words=None):
        """Return what arrived within a day, newest first, by the reader's own rights.

        :param int source_id: one source; None: all
        :param str outcome: accepted, duplicate or refused; None: all
        :param str words: what an event, a page, an ID or a refused message contains
        :return: ``{"rows": [{"key", "at" (ISO, UTC), "outcome", "type", "title",
            "visitor", "partner", "source", "reason", "message", "excerpt",
            "event_id"}], "warning": text or False}``
        """
        domain = Domain(
            "received_at", ">=", fields.Datetime.now() - timedelta(days=DAYS)
        )
        if source_id:
            domain &= Domain("source_id", "=", source_id)
        rows = []
        if outcome in (None, "accepted"):
            rows += self._read_events(domain & self._about(words, EVENT_WORDS))
        if outcome != "accepted":
            found = domain & self._about(words, REJECTION_WORDS)
            if outcome:
                found &= Domain("outcome", "=", outcome)
            rows += self._read_rejections(found)
        rows.sort(key=lambda row: row["at"], reverse=True)
        return {"rows": rows[:ROWS], "warning": self._read_warning(source_id)}

    @api.model
    def _about(self, words, names):
        words = (words or "").strip()
        if not words:
            return Domain.TRUE
        return Domain.OR(Domain(name, "ilike", words) for name in names)

    @api.model
    def _read_events(self, domain):
        events = self.env["behavior.event"].search(domain, limit=ROWS)
        types = dict(
            self.env["behavior.event"]._fields["type"]._description_selection(self.env)
        )
        return [
            {
                "key": f"event-{event.id}",
                "event_id": event.id,
                "at": event.received_at.isoformat(),
                "outcome": "accepted",
                "type": types.get(event.type, event.type),
                "title": event.event or event.page or "",
                "visitor": event.user_id or event.anonymous_id,
                "partner": event.partner_id.display_name or "",
                "source": event.source_id.display_name,
                "reason": "",
                "excerpt": "",
                "message": {
                    "type": event.type,
                    "event": event.event or None,
                    "messageId": event.message_id,
                    "anonymousId": event.anonymous_id or None,
                    "userId": event.user_id or None,
                    "timestamp": event.timestamp.isoformat() + "Z",
                    "properties": event.properties,
                    "context": event.context,
                },
            }
            for event in events
        ]

    @api.model
    def _read_rejections(self, domain):
        rejections = self.env["behavior.rejection"].search(domain, limit=ROWS)
        types = dict(
            self.env["behavior.event"]._fields["type"]._description_selection(self.env)
        )
        return [
            {
                "key": f"rejection-{rejection.id}",
                "event_id": False,
                "at": rejection.received_at.isoformat(),
                "outcome": rejection.outcome,
                "type": types.get(rejection.type, rejection.type or ""),
                "title": rejection.event or "",
                "visitor": rejection.visitor or "",
                "partner": "",
                "source": rejection.source_id.display_name,
                "reason": rejection.reason
                or render(self.env, "known_message", {"message": rejection.message_id}),
                "excerpt": rejection.excerpt or "",
                "message": False,
            }
            for rejection in rejections
        ]

    @api.model
    def _read_warning(self, source_id):
        """Say how many requests of the sources were refused before they were read."""
        sources = self.env["behavior.source"].search(
            [("id", "=", source_id)] if source_id else []
        )
        hour = fields.Datetime.now().replace(minute=0, second=0) - timedelta(hours=1)
        # sudo: counts of sources that the reader sees; their credentials stay unseen.
        [(refused, limited)] = (
            self.env["governance.usage"]
            .sudo()
            ._read_group(
                [
                    ("credential_id", "in", sources.sudo().credential_id.ids),
                    ("hour", ">=", hour),
                ],
                [],
                ["errors_4xx:sum", "rate_limited:sum"],
            )
        )
        if not refused:
            return False
        return render(
            self.env, "requests_refused", {"refused": refused, "limited": limited or 0}
        )
