import time
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import NO_ACCESS, Domain
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

from ..messages import outlines, render
from ..tools.landing import pack, unpack
from ..tools.platform import PARK, REFUSED, STOP, read_page
from .omni_sync import PAUSING

#: a tick is a minute: the next one goes on
CRON_SECONDS = 45
BATCH_SIZE = 100
#: failures of one object: its callbacks are parked, the others go on
PARKING = frozenset({PARK, REFUSED})
KEEP_DAYS = 30


class OmniCallback(models.Model):
    """What a platform called back to say, as it was sent.

    It is answered as soon as it is stored. What it speaks of is fetched afterwards,
    once for all that speak of the same: messages come late, twice and out of order.
    """

    _name = "omni.callback"
    _description = "Callback"
    _order = "id desc"
    _rec_name = "subject"
    _log_access = False

    channel_id = fields.Many2one(
        "omni.channel", required=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="channel_id.company_id")
    key = fields.Char(required=True, readonly=True)
    subject = fields.Char(
        required=True, readonly=True, help="What it speaks of, and its id."
    )
    payload = fields.Binary(
        attachment=False,
        readonly=True,
        groups=NO_ACCESS,
        help="The bytes as received and decrypted, compressed with zlib.",
    )
    payload_text = fields.Text("Content", compute="_compute_payload_text")
    state = fields.Selection(
        [("waiting", "Waiting"), ("done", "Done"), ("parked", "Parked")],
        "Status",
        required=True,
        readonly=True,
        default="waiting",
    )
    received_at = fields.Datetime("Received", required=True, readonly=True)
    processed_at = fields.Datetime("Processed", readonly=True)
    repeat_count = fields.Integer(
        "Repeated", readonly=True, help="How often the platform sent it again."
    )
    error_code = fields.Selection(
        "_selection_error_code", "Kind of Reason", readonly=True, validate=False
    )
    error_params = fields.Json(readonly=True)
    error_message = fields.Char("Reason", compute="_compute_error_message")

    _channel_key_uniq = models.Constraint(
        "UNIQUE(channel_id, key)", "This message has been received already."
    )
    _waiting_idx = models.Index("(channel_id, id) WHERE state = 'waiting'")
    _subject_idx = models.Index("(subject)")

    @api.model
    def _selection_error_code(self):
        return outlines(self.env)

    def _compute_payload_text(self):
        self.check_access("read")
        for callback in self:
            # sudo: the bytes are closed to RPC, the reader's right was just checked
            stored = callback.sudo().with_context(bin_size=False).payload
            callback.payload_text = stored and unpack(stored).decode(errors="replace")

    @api.depends("error_code", "error_params")
    @api.depends_context("lang")
    def _compute_error_message(self):
        for callback in self:
            callback.error_message = render(
                self.env, callback.error_code, callback.error_params
            )

    # --- RECEIVE ---

    @api.model
    def _receive(self, channel, callback, received_at):
        """Store a verified message, once.

        :param Callback callback: ``tools/platform.py``
        :param datetime received_at: naive UTC
        :return: whether it is new
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO omni_callback AS callback
                    (channel_id, key, subject, payload, state, received_at,
                     repeat_count)
                VALUES (%s, %s, %s, %s, 'waiting', %s, 0)
                ON CONFLICT (channel_id, key) DO UPDATE
                SET repeat_count = callback.repeat_count + 1
                RETURNING repeat_count
                """,
                channel.id,
                callback.key,
                callback.subject,
                pack(callback.payload),
                received_at,
            )
        )
        [repeats] = self.env.cr.fetchone()
        if not repeats:
            self._trigger()
        return not repeats

    @api.model
    def _trigger(self, at=None):
        self.env.ref("crm_omnichannel.ir_cron_callback").sudo()._trigger(at)

    # --- ACTIONS ---

    def action_replay(self):
        """Work on these callbacks again."""
        self.channel_id.check_access("write")
        # sudo: these rows are written by the system only
        self.filtered(lambda callback: callback.sudo().payload).sudo().write(
            {"state": "waiting", "error_code": False, "error_params": False}
        )
        self._trigger()

    # --- WORK ---

    @api.model
    def _waiting_domain(self):
        return Domain("state", "=", "waiting") & Domain(
            "channel_id.state", "=", "active"
        )

    @api.model
    def _cron_work(self):
        """Fetch what the waiting callbacks speak of."""
        deadline = time.monotonic() + CRON_SECONDS
        done = 0
        for [channel] in self._read_group(self._waiting_domain(), ["channel_id"]):
            while time.monotonic() < deadline:
                # no transaction stays open while the platform is asked
                self.env["ir.cron"]._commit_progress()
                count = self._work_batch(channel)
                if not count:
                    break
                done += count
        self.env["ir.cron"]._commit_progress(done)

    @api.model
    def _work_batch(self, channel):
        """Work off a batch of a channel's callbacks; return how many."""
        parallel, wait_until = self.env["omni.token"]._pace(channel)
        if wait_until:
            self._trigger(wait_until)
            return 0
        subjects = self._gather(channel)
        if not subjects:
            return 0
        adapter = channel._adapter()
        states = {
            subject: state
            for subject in subjects
            if (state := adapter.subject_state(subject))
        }
        with channel._client(parallel) as client:
            pages, failures = self._fetch(client, adapter, states)
        done = 0
        for subject, callback_ids in subjects.items():
            failure = failures.get(subject)
            if not failure or failure.kind in PARKING:
                done += self._finish(
                    channel, subject, callback_ids, pages.get(subject, ()), failure
                )
        self._meet(channel, client, list(failures.values()))
        return done

    @api.model
    def _fetch(self, client, adapter, states):
        """Fetch the objects, several at once, to the last page of each.

        :param dict states: subject → state of its first request
        :return: ``({subject: [Page, …]}, {subject: Failure})``
        """
        pages, failures = {subject: [] for subject in states}, {}
        while states:
            requests = [adapter.request(state) for state in states.values()]
            outcomes = client.call_many(requests)
            following = {}
            for (subject, state), (answer, failure) in zip(
                states.items(), outcomes, strict=True
            ):
                page = None
                if not failure:
                    page, failure = read_page(adapter, state, answer, {})
                elif failure.kind == PARK:
                    page = adapter.skip(state, failure)
                if not page or (failure and not page.wholes):
                    failures[subject] = failure
                    continue
                # not to be had, because it is over, is an answer too
                pages[subject].append(page)
                if page.state:
                    following[subject] = page.state
            states = following
        return pages, failures

    @api.model
    def _gather(self, channel):
        """Return ``{subject: ids}`` of the oldest that wait."""
        with self.pool.cursor() as cr:
            cr.execute(
                SQL(
                    "SELECT id, subject FROM omni_callback"
                    " WHERE channel_id = %s AND state = 'waiting'"
                    " ORDER BY id LIMIT %s",
                    channel.id,
                    BATCH_SIZE,
                )
            )
            subjects = {}
            for callback_id, subject in cr.fetchall():
                subjects.setdefault(subject, []).append(callback_id)
        return subjects

    @api.model
    def _finish(self, channel, subject, callback_ids, pages, failure):
        """Land what was fetched and close the callbacks, as one transaction."""
        try:
            with self.pool.cursor() as cr:
                env = self.env(cr=cr)
                cr.execute(
                    SQL(
                        "SELECT id FROM omni_callback WHERE id = ANY(%s)"
                        " AND state = 'waiting' ORDER BY id FOR UPDATE",
                        callback_ids,
                    ),
                    log_exceptions=False,
                )
                found = self.with_env(env).browse(row[0] for row in cr.fetchall())
                channel = channel.with_env(env)
                if not found or channel.state != "active":
                    return 0
                for page in pages:
                    channel._land_fetched(page)
                if channel._adapter().asks_for_all(subject):
                    env["omni.sync"]._request(channel, "full")
                found.write(
                    {
                        "state": "parked" if failure else "done",
                        "error_code": failure.code if failure else False,
                        "error_params": failure.params if failure else False,
                        "processed_at": fields.Datetime.now(),
                    }
                )
                return len(found)
        except CONCURRENCY_ERRORS:
            # they are still waiting, and are taken again
            return 0

    @api.model
    def _meet(self, channel, client, failures):
        """Do what the failures ask for."""
        for failure in failures:
            if failure.kind == REFUSED:
                channel._alert_now(failure)
        failures = [failure for failure in failures if failure.kind not in PARKING]
        if not failures:
            self.env["omni.token"]._went_well(channel, client)
            return
        for failure in failures:
            if failure.kind == STOP:
                channel._stop(failure)
                return
        pausing = [failure for failure in failures if failure.kind in PAUSING]
        # what somebody has to look at is tried again after a pause too
        until = self.env["omni.token"]._wait_for(channel, (pausing or failures)[0])
        if not pausing:
            channel._alert_now(failures[0])
        self._trigger(until)

    @api.autovacuum
    def _gc_callback(self):
        self.env.cr.execute(
            SQL(
                "DELETE FROM omni_callback WHERE state = 'done' AND processed_at < %s",
                fields.Datetime.now() - timedelta(days=KEEP_DAYS),
            )
        )
        self.invalidate_model()
