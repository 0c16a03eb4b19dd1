from functools import partial

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from odoo.addons.crm_omnichannel.columns import readable
from odoo.addons.crm_omnichannel.tools.timeline import TimelineSource

from ..const import TECHNICAL_EVENTS

_lt = LazyTranslate(__name__)

KIND = "event"
TEXTS = {
    "page_viewed": _lt("Saw %(page)s on %(source)s"),
    "action_tracked": _lt("%(event)s on %(source)s"),
}


class OmniTimeline(models.AbstractModel):
    _inherit = "omni.timeline"

    @api.model
    def _timeline_sources(self):
        sources = super()._timeline_sources()
        if self.env["behavior.event"].has_access("read"):
            sources.append(
                TimelineSource(
                    KIND,
                    "behavior.event",
                    self.env._("Behavior"),
                    "fa-mouse-pointer",
                    partial(self._fetch_behavior, KIND),
                )
            )
        return sources

    @api.model
    def _timeline_texts(self):
        return {**super()._timeline_texts(), **TEXTS}

    @api.model
    def _fetch_behavior(self, kind, partners, before, limit):
        """What customers did on websites and in apps.

        What Odoo itself notes stands on the timeline as the order it is about; how a
        page was used is for reports.
        """
        events = self.env["behavior.event"]
        query = events._search(
            [
                ("partner_id", "in", partners.ids),
                ("type", "in", ("page", "screen", "track")),
                ("event", "not in", TECHNICAL_EVENTS),
            ]
        )
        source = query.join(
            events._table, "source_id", "behavior_source", "id", "source"
        )
        query.add_where(SQL("%s <> 'odoo'", SQL.identifier(source, "type")))

        kind_of_event = SQL.identifier(events._table, "type")
        return self._fetch_events(
            kind,
            events,
            query,
            [
                (
                    "page_viewed",
                    readable(events, "timestamp"),
                    SQL("%s IN ('page', 'screen')", kind_of_event),
                ),
                (
                    "action_tracked",
                    readable(events, "timestamp"),
                    SQL("%s = 'track'", kind_of_event),
                ),
            ],
            {
                "page": SQL(
                    "coalesce(%s, %s)",
                    readable(events, "page"),
                    readable(events, "event"),
                ),
                "event": readable(events, "event"),
                "source": readable(self.env["behavior.source"], "name", source),
            },
            before,
            limit,
        )
