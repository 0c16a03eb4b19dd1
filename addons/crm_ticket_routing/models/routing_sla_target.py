import logging
import time
from datetime import timedelta

from pytz import UTC

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, format_list

from odoo.addons.crm_data_governance.db import take_batches
from odoo.addons.crm_data_governance.messages import render

from ..messages import CRITERIA, OUTCOMES, REASONS
from ..tools import sla_clock

_logger = logging.getLogger(__name__)

BATCH = 500
#: Seconds that one run of the cron may work on; the next one is a minute away.
CRON_SECONDS = 40
#: Span of working intervals that is asked for at first and at most.
FIRST_SPAN = timedelta(days=60)
LAST_SPAN = timedelta(days=1_200)
#: Working time left at which a target is shown as due soon.
SOON = 0.25


class RoutingSlaTarget(models.Model):
    _name = "routing.sla.target"
    _description = "Service Target"
    _order = "deadline, id"

    ticket_id = fields.Many2one(
        "helpdesk.ticket", required=True, index=True, ondelete="cascade"
    )
    kind = fields.Selection(
        [("first_response", "First Response"), ("resolution", "Resolution")],
        required=True,
        readonly=True,
    )
    company_id = fields.Many2one(related="ticket_id.company_id", store=True, index=True)
    team_id = fields.Many2one(
        related="ticket_id.team_id", store=True, index="btree_not_null"
    )
    user_id = fields.Many2one(related="ticket_id.user_id", string="Assigned to")
    policy_id = fields.Many2one(
        "routing.sla.policy",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    calendar_id = fields.Many2one(
        "resource.calendar", string="Working Hours", readonly=True, ondelete="set null"
    )
    minutes = fields.Integer(string="Working Minutes", readonly=True)
    start_at = fields.Datetime(string="Clock Started on", required=True, readonly=True)
    deadline = fields.Datetime(readonly=True)
    warn_at = fields.Datetime(
        string="Due Soon from",
        readonly=True,
        help="The moment at which a quarter of the working time is left.",
    )
    state = fields.Selection(
        [("running", "Running"), ("met", "Met"), ("failed", "Failed")],
        required=True,
        readonly=True,
        default="running",
    )
    met_at = fields.Datetime(string="Done on", readonly=True)
    failed_at = fields.Datetime(string="Failed on", readonly=True)
    reason_code = fields.Char(readonly=True)
    reason_params = fields.Json(readonly=True)
    reason = fields.Char(string="Why This Policy", compute="_compute_reason")
    outcome_code = fields.Char(readonly=True)
    outcome_params = fields.Json(readonly=True)
    outcome = fields.Char(compute="_compute_outcome")

    _kind_uniq = models.Constraint(
        "UNIQUE(ticket_id, kind)", "A ticket has one target of a kind."
    )
    # What the cron looks for each minute.
    _due_idx = models.Index("(deadline) WHERE state = 'running'")

    # --- WORDS ---

    @api.depends("kind", "ticket_id")
    @api.depends_context("lang")
    def _compute_display_name(self):
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for target in self:
            target.display_name = f"{kinds[target.kind]} · {target.ticket_id.number}"

    @api.depends("reason_code", "reason_params")
    @api.depends_context("lang")
    def _compute_reason(self):
        for target in self:
            params = dict(target.reason_params or {})
            criteria = [
                render(self.env, CRITERIA, name)
                for name in params.get("matched") or ["every"]
            ]
            params["matched"] = format_list(
                self.env, criteria, lang_code=self.env.lang or "en_US"
            )
            params["policy"] = target.policy_id.name or params.get("policy")
            target.reason = (
                render(self.env, REASONS, target.reason_code, params) or False
            )

    @api.depends("outcome_code", "outcome_params")
    @api.depends_context("lang")
    def _compute_outcome(self):
        told = {target: dict(target.outcome_params or {}) for target in self}
        users = self.env["res.users"].browse(
            params["user"] for params in told.values() if "user" in params
        )
        # sudo: names of colleagues, whose records may be out of the reader's reach.
        names = {user.id: user.name for user in users.sudo().exists()}
        for target, params in told.items():
            if "user" in params:
                params["user"] = names.get(params["user"]) or self.env._(
                    "Unknown agent"
                )
            target.outcome = (
                render(self.env, OUTCOMES, target.outcome_code, params) or False
            )

    # --- CLOCK ---

    @api.model
    def _work_intervals(self, calendar, company, start, stop):
        """Working time of a calendar, holidays left out.

        :param calendar: one ``resource.calendar``
        :param company: whose public holidays count
        :param datetime start: naive UTC
        :param datetime stop: naive UTC
        :return: ``list[(start, stop)]``, naive UTC
        """
        # sudo: the clock is the same for whoever looks at it.
        batch = calendar.sudo()._work_intervals_batch(
            UTC.localize(start),
            UTC.localize(stop),
            # Without it the holidays of every company would be left out.
            domain=[
                ("time_type", "=", "leave"),
                ("company_id", "in", [False, company.id]),
            ],
            compute_leaves=True,
        )
        return [
            (
                begin.astimezone(UTC).replace(tzinfo=None),
                end.astimezone(UTC).replace(tzinfo=None),
            )
            for begin, end, _meta in batch[False]
        ]

    def _refresh_deadlines(self):
        """Compute the deadlines of the targets that run.

        One look at each calendar for all targets on it; a wider one for those that
        the first look does not reach.
        """
        running = self.filtered(lambda t: t.state == "running")
        pauses = running.ticket_id._routing_pauses()
        for (calendar, company), targets in running.grouped(
            lambda t: (t.calendar_id, t.company_id)
        ).items():
            start = min(targets.mapped("start_at"))
            latest = max(targets.mapped("start_at"))
            span = FIRST_SPAN
            waiting = targets
            while waiting:
                intervals = (
                    self._work_intervals(calendar, company, start, latest + span)
                    if calendar
                    else [(start, latest + span)]
                )
                waiting = waiting._write_deadlines(
                    intervals, pauses, final=span >= LAST_SPAN
                )
                span = min(span * 4, LAST_SPAN)

    def _write_deadlines(self, intervals, pauses, final):
        """Write the deadlines that the intervals hold.

        :param list intervals: working time
        :param dict pauses: ticket id → pauses
        :param bool final: write that there is none where they hold too little
        :return: the targets that need a wider look
        """
        wider = self.browse()
        for target in self:
            rests = pauses.get(target.ticket_id.id, [])
            paused = any(stop is None for _start, stop in rests)
            budget = timedelta(minutes=target.minutes)
            deadline = sla_clock.deadline(target.start_at, budget, intervals, rests)
            if deadline is None and not paused and not final:
                wider |= target
                continue
            code, params = False, False
            if deadline is None and paused:
                code = "paused"
            elif deadline is None:
                code, params = (
                    "no_working_time",
                    {"calendar": target.calendar_id.name or ""},
                )
            values = {
                "deadline": deadline or False,
                "warn_at": sla_clock.deadline(
                    target.start_at, budget * (1 - SOON), intervals, rests
                )
                if deadline
                else False,
                "outcome_code": code,
                "outcome_params": params,
            }
            if any(target[name] != value for name, value in values.items()):
                target.write(values)
        return wider

    # --- LIFE ---

    def _mark_met(self, moment, code, params=None):
        """Stop the clock: met, or failed when it was done too late.

        A failed target stays failed; when it was done is noted.

        :param datetime moment: when it was done
        :param str code: of ``OUTCOMES``
        """
        for target in self.filtered(lambda t: not t.met_at):
            values = {"met_at": moment}
            if target.state == "running":
                late = target.deadline and target.deadline < moment
                values.update(
                    {
                        "state": "failed" if late else "met",
                        "failed_at": target.deadline if late else False,
                        "outcome_code": "breached" if late else code,
                        "outcome_params": False if late else params,
                    }
                )
            target.write(values)

    def _reopen(self):
        """Let the clock of the resolution go on; a failed one stays failed."""
        for target in self.filtered(lambda t: t.kind == "resolution" and t.met_at):
            values = {"met_at": False}
            if target.state == "met":
                values.update(
                    {"state": "running", "outcome_code": False, "outcome_params": False}
                )
            target.write(values)

    @api.model
    def _get_breached_condition(self, now):
        """The targets whose time is over, for the queue."""
        return SQL("state = 'running' AND deadline <= %s", now)

    def _mark_breached(self):
        """Mark these targets as failed at their deadlines; safe to run twice."""
        now = fields.Datetime.now()
        breached = self.filtered(
            lambda t: t.state == "running" and t.deadline and t.deadline <= now
        )
        for deadline, targets in breached.grouped("deadline").items():
            targets.write(
                {
                    "state": "failed",
                    "failed_at": deadline,
                    "outcome_code": "breached",
                    "outcome_params": False,
                }
            )
        return breached

    @api.model
    def _cron_mark_breached(self):
        """Each minute: mark what the clock has overtaken, batch by batch."""

        def work(env, target_ids):
            env["routing.sla.target"].browse(target_ids)._mark_breached()

        done = take_batches(
            self.env.registry,
            self.env.uid,
            (
                self._table,
                self._get_breached_condition(fields.Datetime.now()),
                SQL("deadline, id"),
                BATCH,
            ),
            work,
            deadline=time.monotonic() + CRON_SECONDS,
        )
        if done:
            _logger.info("Service targets: %d have failed", done)

    @api.model
    def _get_due_soon_domain(self, now):
        return (
            Domain("state", "=", "running")
            & Domain("warn_at", "<=", now)
            & Domain("deadline", ">", now)
        )
