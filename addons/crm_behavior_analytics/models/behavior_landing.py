from odoo import api, fields, models
from odoo.tools import SQL

from ..messages import render

KEEP_SINGLE_DAYS = 7


class BehaviorLanding(models.Model):
    """How many messages of a batch landed, were known or were refused, and why."""

    _name = "behavior.landing"
    _description = "Landed Messages"
    _order = "received_at desc, id desc"
    _rec_name = "received_at"
    _log_access = False

    source_id = fields.Many2one(
        "behavior.source", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="source_id.company_id")
    received_at = fields.Datetime("Received", readonly=True, required=True)
    outcome = fields.Selection(
        [
            ("accepted", "Accepted"),
            ("duplicate", "Duplicate"),
            ("refused", "Refused"),
        ],
        readonly=True,
        required=True,
    )
    code = fields.Char(readonly=True)
    reason = fields.Char(compute="_compute_reason")
    messages = fields.Integer(readonly=True)

    @api.depends("code")
    @api.depends_context("lang")
    def _compute_reason(self):
        for landing in self:
            landing.reason = (
                render(landing.env, landing.code) if landing.code else False
            )

    @api.autovacuum
    def _gc_landing(self):
        """Add up the batches of each past day: single posts would fill the table."""
        self.env.cr.execute(
            SQL(
                """
                WITH old AS (
                    DELETE FROM behavior_landing
                    WHERE received_at < (now() AT TIME ZONE 'UTC')::date - %s
                    RETURNING source_id, received_at, outcome, code, messages
                )
                INSERT INTO behavior_landing
                    (source_id, received_at, outcome, code, messages)
                SELECT source_id, date_trunc('day', received_at), outcome, code,
                       sum(messages)
                FROM old GROUP BY 1, 2, 3, 4
                """,
                KEEP_SINGLE_DAYS,
            )
        )
        self.invalidate_model()
