from odoo import fields, models


class OmniSegmentMember(models.Model):
    """Who is in a segment, and since when; written by the refresh alone."""

    _name = "omni.segment.member"
    _description = "Segment Member"
    _order = "since desc, id desc"
    _rec_name = "partner_id"
    # rows are set in bulk, since tells when
    _log_access = False

    segment_id = fields.Many2one(
        "omni.segment", required=True, readonly=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    since = fields.Datetime(required=True, readonly=True)

    _segment_partner_uniq = models.UniqueIndex("(segment_id, partner_id)")
