from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.crm_omnichannel.tools.mapping import mentions

from ..messages import render
from ..tools.tracking import MAX_EXCERPT, Message, excerpts

KEEP_DAYS = 7
# Of one batch: what is wrong with the others is seldom something else.
MOST_A_BATCH = 20
# Excerpts that are read at once.
SCAN_SIZE = 1000


class BehaviorRejection(models.Model):
    """A message that made no event, for a few days: what it was, and why.

    Of somebody who has refused analytics nothing but the fact is kept.
    """

    _name = "behavior.rejection"
    _description = "Message That Made No Event"
    _order = "received_at desc, id desc"
    _rec_name = "message_id"
    _log_access = False

    source_id = fields.Many2one(
        "behavior.source", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="source_id.company_id")
    received_at = fields.Datetime("Received", required=True, readonly=True, index=True)
    outcome = fields.Selection(
        [("duplicate", "Duplicate"), ("refused", "Refused")],
        required=True,
        readonly=True,
    )
    code = fields.Char(readonly=True)
    reason = fields.Char(compute="_compute_reason")
    message_id = fields.Char("Message ID", readonly=True)
    type = fields.Char(readonly=True)
    event = fields.Char(readonly=True)
    visitor = fields.Char(readonly=True)
    excerpt = fields.Text("As Sent", readonly=True)

    @api.depends("code")
    @api.depends_context("lang")
    def _compute_reason(self):
        for rejection in self:
            rejection.reason = (
                render(rejection.env, rejection.code) if rejection.code else False
            )

    @api.model
    def _note(self, source, received_at, items, verdicts, body):
        """Keep what became no event, some of each batch.

        :param source: ``behavior.source``, one record
        :param datetime received_at: naive UTC
        :param list items: ``Message`` and ``Refused``, as they were landed
        :param list verdicts: of ``behavior.event._land``, one an item
        :param bytes body: as it arrived
        """
        chosen = [
            (item, verdict)
            for item, verdict in zip(items, verdicts, strict=True)
            if verdict["status"] != "accepted"
        ][:MOST_A_BATCH]
        if not chosen:
            return
        unread = [item.index for item, _v in chosen if not isinstance(item, Message)]
        texts = excerpts(body, unread) if unread else {}
        self.create(
            [
                {
                    "source_id": source.id,
                    "received_at": received_at,
                    "outcome": verdict["status"],
                    "code": verdict.get("error"),
                    **self._prepare_content(item, verdict, texts),
                }
                for item, verdict in chosen
            ]
        )

    @api.model
    def _prepare_content(self, item, verdict, texts):
        if not isinstance(item, Message):
            return {"excerpt": texts.get(item.index)}
        if verdict["status"] == "refused":
            return {}
        return {
            "message_id": item.message_id,
            "type": item.type,
            "event": item.event or item.page,
            "visitor": item.user_id or item.anonymous_id,
        }

    @api.model
    def _note_body(self, source, received_at, code, body):
        """Keep the beginning of a body that could not be read as a whole."""
        text = body[: 4 * MAX_EXCERPT]
        self.create(
            {
                "source_id": source.id,
                "received_at": received_at,
                "outcome": "refused",
                "code": code,
                "excerpt": excerpts(text, [0]).get(0),
            }
        )

    @api.model
    def _find_of(self, source, names):
        """Return what a source sent that speaks of a person.

        :param source: ``behavior.source``, one record
        :param set names: ``(kind, value)``, as the source knows the person
        """
        from_source = Domain("source_id", "=", source.id)
        visitors = [
            value for kind, value in names if kind in ("anonymous_id", "user_id")
        ]
        found = self.search(from_source & Domain("visitor", "in", visitors))
        excerpts = from_source & Domain("excerpt", "!=", False)
        last = 0
        while texts := self.search_fetch(
            excerpts & Domain("id", ">", last), ["excerpt"], order="id", limit=SCAN_SIZE
        ):
            last = texts[-1].id
            found |= texts.filtered(lambda one: mentions(one.excerpt, names))
            texts.invalidate_recordset(["excerpt"])
        return found

    @api.autovacuum
    def _gc_rejection(self):
        before = fields.Datetime.now() - timedelta(days=KEEP_DAYS)
        self.env.cr.execute(
            SQL("DELETE FROM behavior_rejection WHERE received_at < %s", before)
        )
        self.invalidate_model()
