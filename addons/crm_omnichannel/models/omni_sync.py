import time
from datetime import timedelta
from typing import NamedTuple

from odoo import api, fields, models
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

from ..messages import outlines, render
from ..platform_client import UNREACHABLE, WAITING
from ..tools.platform import BUSY, PARALLEL, PARK, RATE, STOP, read_page

#: a tick is a minute: the next one goes on
CRON_SECONDS = 45
MAX_PROBLEMS = 50
KEEP_DAYS = 90
#: failures after which the same request is made again later
PAUSING = frozenset({RATE, PARALLEL, BUSY, UNREACHABLE, WAITING})


class Position(NamedTuple):
    """Where a synchronisation stands; ``revision`` tells whether it still does."""

    revision: int
    state: dict
    facts: dict


class OmniSync(models.Model):
    """One synchronisation of a channel with its platform, page by page.

    A page is fetched without a transaction, then landed together with the new position
    in one: whoever dies between them has lost nothing and repeats one request.
    """

    _name = "omni.sync"
    _description = "Synchronisation"
    _order = "id desc"
    _rec_name = "started_at"

    channel_id = fields.Many2one(
        "omni.channel", required=True, readonly=True, ondelete="cascade", index=True
    )
    company_id = fields.Many2one(related="channel_id.company_id")
    mode = fields.Selection(
        [("full", "Full"), ("incremental", "New Customers")],
        required=True,
        readonly=True,
        help="Full: all details of everybody are fetched and compared. New customers:"
        " the lists of customers are compared, and details are fetched where there is"
        " somebody new.",
    )
    status = fields.Selection(
        [
            ("open", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="open",
    )
    state = fields.Json("Cursor", readonly=True)
    facts = fields.Json(readonly=True)
    step = fields.Char(compute="_compute_step")
    revision = fields.Integer("Pages", readonly=True, required=True, default=0)
    not_before = fields.Datetime("Waits Until", readonly=True)
    started_at = fields.Datetime(
        "Started", readonly=True, default=lambda self: self._default_started_at()
    )
    finished_at = fields.Datetime("Finished", readonly=True)
    accepted = fields.Integer(
        "Changed", readonly=True, default=0, help="New records that landed."
    )
    duplicates = fields.Integer("Unchanged", readonly=True, default=0)
    error_code = fields.Selection(
        "_selection_error_code", "Kind of Reason", readonly=True, validate=False
    )
    error_params = fields.Json(readonly=True)
    error_message = fields.Char("Reason", compute="_compute_messages")
    problems = fields.Json(readonly=True)
    problem_messages = fields.Text("Left Out", compute="_compute_messages")

    _open_uniq = models.UniqueIndex("(channel_id, mode) WHERE status = 'open'")

    @api.model
    def _default_started_at(self):
        return fields.Datetime.now()

    @api.model
    def _selection_error_code(self):
        return outlines(self.env)

    @api.depends("state")
    def _compute_step(self):
        labels = {
            "tags": self.env._("Tags"),
            "members": self.env._("Members"),
            "lists": self.env._("Lists of customers"),
            "contacts": self.env._("Customers"),
            "groups": self.env._("Groups"),
            "group": self.env._("Groups"),
        }
        for sync in self:
            step = (sync.state or {}).get("step")
            sync.step = labels.get(step, step)

    @api.depends("error_code", "error_params", "problems")
    @api.depends_context("lang")
    def _compute_messages(self):
        for sync in self:
            sync.error_message = render(self.env, sync.error_code, sync.error_params)
            sync.problem_messages = "\n".join(
                render(self.env, code, params) for code, params in sync.problems or []
            )

    # --- START AND END ---

    @api.model
    def _request(self, channels, mode):
        """Let the channels be synchronised soon; one that is under way goes on.

        :param str mode: ``full`` or ``incremental``
        """
        open_ones = self.search(
            [
                ("channel_id", "in", channels.ids),
                ("mode", "=", mode),
                ("status", "=", "open"),
            ]
        )
        self.create(
            [
                {
                    "channel_id": channel.id,
                    "mode": mode,
                    "state": channel._adapter().start(mode, channel._sync_options()),
                    "facts": {},
                }
                for channel in channels - open_ones.channel_id
            ]
        )
        if channels:
            self._trigger()

    @api.model
    def _trigger(self, at=None):
        self.env.ref("crm_omnichannel.ir_cron_sync").sudo()._trigger(at)

    def action_cancel(self):
        """End a synchronisation; what has landed stays."""
        self.channel_id.check_access("write")
        # sudo: these rows are written by the system only
        self.filtered(lambda sync: sync.status == "open").sudo().write(
            {"status": "cancelled", "finished_at": fields.Datetime.now()}
        )

    # --- WORK ---

    @api.model
    def _due_domain(self):
        return [
            ("status", "=", "open"),
            ("channel_id.state", "=", "active"),
            ("channel_id.active", "=", True),
            "|",
            ("not_before", "=", False),
            ("not_before", "<=", fields.Datetime.now()),
        ]

    @api.model
    def _cron_sync(self):
        """Go on with what is under way, as far as the time of a tick reaches."""
        syncs = self.search(self._due_domain(), order="id")
        for sync in syncs:
            # no transaction stays open while the platform is asked
            self.env["ir.cron"]._commit_progress()
            # a large one leaves the others their share of the tick
            sync._advance(time.monotonic() + CRON_SECONDS / len(syncs))
        self.env["ir.cron"]._commit_progress(1)
        self.env.invalidate_all()
        remaining = self.search_count(self._due_domain())
        self.env["ir.cron"]._commit_progress(remaining=remaining)

    def _advance(self, deadline):
        """Fetch and land page after page until the end, a pause or the deadline.

        :param float deadline: value of ``time.monotonic()``
        """
        channel = self.channel_id
        adapter = channel._adapter()
        _parallel, wait_until = self.env["omni.token"]._pace(channel)
        if wait_until:
            self._wait(wait_until)
            return
        position = self._read_position()
        failure = None
        with channel._client() as client:
            while position and time.monotonic() < deadline:
                answer, failure = client.call(adapter.request(position.state))
                if not failure:
                    page, failure = read_page(
                        adapter, position.state, answer, position.facts
                    )
                if failure:
                    position = self._handle(position, failure)
                else:
                    position = self._apply(position, page)
        if not failure:
            self.env["omni.token"]._went_well(channel, client)

    def _read_position(self):
        with self.pool.cursor() as cr:
            sync = self.with_env(self.env(cr=cr)).exists()
            if sync.status != "open":
                return None
            return Position(sync.revision, sync.state, sync.facts or {})

    def _apply(self, position, page, problem=None):
        """Land a page and move on, as one transaction.

        :param problem: ``(code, params)`` of what was left out
        :return: the next :class:`Position`; None: nothing more to do now
        """
        try:
            with self.pool.cursor() as cr:
                sync = self.with_env(self.env(cr=cr))
                if not sync._is_at(position):
                    return None
                return sync._land_page(position, page, problem)
        except CONCURRENCY_ERRORS:
            # somebody changed the same rows: the page is fetched again
            return self._read_position()

    def _is_at(self, position):
        """Take the step for this transaction, unless somebody else made it."""
        self.env.cr.execute(
            SQL(
                """
                UPDATE omni_sync AS sync SET revision = revision + 1
                FROM omni_channel AS channel
                WHERE sync.id = %s AND sync.revision = %s AND sync.status = 'open'
                  AND channel.id = sync.channel_id AND channel.state = 'active'
                """,
                self.id,
                position.revision,
            ),
            log_exceptions=False,
        )
        taken = bool(self.env.cr.rowcount)
        self.invalidate_recordset()
        return taken

    def _land_page(self, position, page, problem):
        channel = self.channel_id
        result, fresh = channel._land_fetched(page)
        state = page.fresh_state if fresh and page.fresh_state else page.state
        values = {"not_before": False}
        if result["accepted"] or result["duplicates"]:
            values["accepted"] = self.accepted + result["accepted"]
            values["duplicates"] = self.duplicates + result["duplicates"]
        if page.facts is not None:
            values["facts"] = page.facts
        if problem:
            values["problems"] = [*(self.problems or []), problem][-MAX_PROBLEMS:]
        if state:
            values["state"] = state
        else:
            values.update(status="done", finished_at=fields.Datetime.now())
        self.write(values)
        if not state:
            return None
        facts = position.facts if page.facts is None else page.facts
        return Position(position.revision + 1, state, facts)

    def _handle(self, position, failure):
        """Do what a failure asks for; return the position to go on from, or None."""
        channel = self.channel_id
        if failure.kind == PARK:
            page = channel._adapter().skip(position.state, failure)
            if page:
                return self._apply(position, page, (failure.code, failure.params))
        if failure.kind in PAUSING:
            self._wait(self.env["omni.token"]._wait_for(channel, failure))
        elif failure.kind == STOP:
            channel._stop(failure)
        else:
            self._fail(failure)
        return None

    def _wait(self, until):
        """Go on later, at the same place."""
        with self.pool.cursor() as cr:
            sync = self.with_env(self.env(cr=cr))
            sync.not_before = until
            sync._trigger(until)

    def _fail(self, failure):
        with self.pool.cursor() as cr:
            sync = self.with_env(self.env(cr=cr))
            sync.write(
                {
                    "status": "failed",
                    "finished_at": fields.Datetime.now(),
                    "error_code": failure.code,
                    "error_params": failure.params,
                }
            )
            sync.channel_id._alert(failure)

    # --- NIGHTLY ---

    @api.model
    def _cron_reconcile(self):
        """Compare everything once a night: not every change makes a callback."""
        channels = self.env["omni.channel"].search(
            [("state", "=", "active"), ("connected_at", "!=", False)]
        )
        self._request(channels.filtered("syncs"), "full")

    @api.autovacuum
    def _gc_sync(self):
        self.env.cr.execute(
            SQL(
                "DELETE FROM omni_sync WHERE status <> 'open' AND finished_at < %s",
                fields.Datetime.now() - timedelta(days=KEEP_DAYS),
            )
        )
        self.invalidate_model()
