from odoo import api, fields, models
from odoo.tools import SQL

KEPT_DAYS = 730


class OmniSegmentEvent(models.Model):
    """A customer came into a segment or went; written by the refresh alone."""

    _name = "omni.segment.event"
    _description = "Segment Event"
    _order = "at desc, id desc"
    _rec_name = "partner_id"
    # rows are set in bulk, at tells when
    _log_access = False

    segment_id = fields.Many2one(
        "omni.segment", required=True, readonly=True, index=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    kind = fields.Selection(
        [("entered", "Entered"), ("left", "Left")],
        "What Happened",
        required=True,
        readonly=True,
    )
    at = fields.Datetime("When", required=True, readonly=True)

    @api.model
    def _log(self, segment, change, at):
        """Write down who came and who went, in one statement.

        :param segment: ``omni.segment``, one record
        :param change: ``Change`` of its refresh
        :param at: naive UTC
        """
        partner_ids = [*change.entered, *change.left]
        if not partner_ids:
            return
        kinds = ["entered"] * len(change.entered) + ["left"] * len(change.left)
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO omni_segment_event (segment_id, partner_id, kind, at)
                SELECT %s, found.partner_id, found.kind, %s
                FROM unnest(%s, %s) AS found (partner_id, kind)
                """,
                segment.id,
                at,
                partner_ids,
                kinds,
            )
        )
        self.invalidate_model()

    @api.autovacuum
    def _gc_segment_event(self):
        """Forget what happened more than two years ago."""
        self.env.cr.execute(
            SQL(
                "DELETE FROM omni_segment_event"
                " WHERE at < (now() AT TIME ZONE 'UTC') - %s * interval '1 day'",
                KEPT_DAYS,
            )
        )
        self.invalidate_model()
