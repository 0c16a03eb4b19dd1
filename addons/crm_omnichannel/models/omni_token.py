from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import NO_ACCESS
from odoo.tools import SQL
from odoo.tools.misc import consteq

from odoo.addons.crm_data_governance.db import read_committed

from ..messages import render
from ..platform_client import WAITING, fetch_token
from ..tools.platform import RATE, STOP, Failure

#: who finds the token this close to its end renews it; others use it on meanwhile
EARLY_SECONDS = 600
#: this close to its end nobody uses it any more
LATE_SECONDS = 300
#: after a refusal by rate: the minute's window, then the hour's
RATE_PAUSES = (60, 3600)
PAUSES = (60, 300, 900)
START_PARALLEL = 4


class OmniToken(models.Model):
    """The access of one channel to its platform: the token that all processes share,
    and how fast the platform may be asked."""

    _name = "omni.token"
    _description = "Platform Access"
    _rec_name = "channel_id"
    _log_access = False

    channel_id = fields.Many2one(
        "omni.channel", required=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="channel_id.company_id")
    secret_id = fields.Many2one(
        "governance.secret", readonly=True, groups=NO_ACCESS, ondelete="set null"
    )
    fetched_at = fields.Datetime("Token From", readonly=True)
    expires_at = fields.Datetime("Token Until", readonly=True)
    fetch_count = fields.Integer("Tokens Fetched", readonly=True)
    problem_code = fields.Char(readonly=True)
    problem_params = fields.Json(readonly=True)
    problem_at = fields.Datetime("Problem Since", readonly=True)
    problem_message = fields.Char("Problem", compute="_compute_problem_message")
    wait_until = fields.Datetime("Waits Until", readonly=True)
    wait_count = fields.Integer(readonly=True)
    parallel = fields.Integer(
        "Calls at Once",
        readonly=True,
        default=START_PARALLEL,
        help="Halved when the platform complains of too many calls at once, and raised"
        " again by one after each round without a complaint.",
    )

    _channel_uniq = models.Constraint(
        "UNIQUE(channel_id)", "A channel has one access to its platform."
    )

    @api.depends("problem_code", "problem_params")
    @api.depends_context("lang")
    def _compute_problem_message(self):
        for access in self:
            access.problem_message = render(
                self.env, access.problem_code, access.problem_params
            )

    # --- TOKEN ---

    @api.model
    def _get_token(self, channel, failed=None):
        """Return the channel's token; get a new one where needed, once for all.

        The row is locked in a short READ COMMITTED transaction while the platform is
        asked, so that of many processes one asks and the others find its token. A new
        one is got only if the token that failed is still the one that is stored.
        After a refusal that a repetition would not change nobody asks again until the
        settings are changed or tried.

        :param channel: ``omni.channel``
        :param str failed: token that the platform refused
        :return: ``(token, failure)``, one of them None
        """
        with read_committed(self.env) as cr:
            # sudo: no right reaches the token
            access = self.with_env(self.env(cr=cr, su=True))._row(channel.id)
            token = access._usable(failed)
            if token and not access._is_early():
                return token, None
            if not access._lock(wait=not token):
                # somebody renews it, and it is still good
                return token, None
            # whoever was waited for may have stored another one
            token = access._usable(failed)
            if token and not access._is_early():
                return token, None
            if access.problem_code:
                return None, access._stopped()
            if access._waits():
                return (token, None) if token else (None, access._waiting())
            return access._renew(token)

    @api.model
    def _row(self, channel_id):
        """Return the channel's row, made on first use."""
        self.env.cr.execute(
            SQL(
                "INSERT INTO omni_token (channel_id, parallel, fetch_count, wait_count)"
                " VALUES (%s, %s, 0, 0) ON CONFLICT (channel_id) DO NOTHING",
                channel_id,
                START_PARALLEL,
            )
        )
        return self.search([("channel_id", "=", channel_id)])

    def _lock(self, wait):
        """Lock the row and read it anew; return False if another process has it."""
        self.env.cr.execute(
            SQL(
                "SELECT id FROM omni_token WHERE id = %s FOR UPDATE %s",
                self.id,
                SQL() if wait else SQL("SKIP LOCKED"),
            )
        )
        locked = bool(self.env.cr.fetchone())
        self.env.invalidate_all()
        return locked

    def _usable(self, failed):
        """Return the stored token unless it is over, or the one that failed."""
        late = fields.Datetime.now() + timedelta(seconds=LATE_SECONDS)
        if not self.secret_id.sealed or not self.expires_at or self.expires_at < late:
            return None
        try:
            token = self.secret_id._open()
        except UserError:
            # sealed with a key that is gone: as if there were none
            return None
        return None if failed and consteq(token, failed) else token

    def _waits(self):
        return bool(self.wait_until) and self.wait_until > fields.Datetime.now()

    def _is_early(self):
        early = fields.Datetime.now() + timedelta(seconds=EARLY_SECONDS)
        return bool(self.expires_at) and self.expires_at < early

    def _renew(self, token):
        """Ask the platform; the row is locked. A token that is still good stays so."""
        channel = self.channel_id
        app, failure = channel._platform_app()
        made = None
        if not failure:
            self.fetch_count += 1
            made, failure = fetch_token(channel._adapter(), channel.platform_url, app)
        if failure:
            self._note_failure(failure)
            if failure.kind == STOP:
                token = None
            return (token, None) if token else (None, failure)
        if not self.secret_id:
            self.secret_id = self.env["governance.secret"].create(
                {
                    "name": self.env._("Token of %(channel)s", channel=channel.code),
                    "company_id": channel.company_id.id,
                }
            )
        now = fields.Datetime.now()
        self.secret_id._seal(made.value)
        self.write(
            {
                "fetched_at": now,
                "expires_at": now + timedelta(seconds=made.seconds),
                "problem_code": False,
                "problem_params": False,
                "problem_at": False,
                "wait_until": False,
                "wait_count": 0,
            }
        )
        return made.value, None

    def _note_failure(self, failure):
        now = fields.Datetime.now()
        if failure.kind == STOP:
            self.write(
                {
                    "problem_code": failure.code,
                    "problem_params": failure.params,
                    "problem_at": now,
                }
            )
            return
        pauses = RATE_PAUSES if failure.kind == RATE else PAUSES
        pause = pauses[min(self.wait_count, len(pauses) - 1)]
        self.write(
            {
                "wait_until": now + timedelta(seconds=pause),
                "wait_count": self.wait_count + 1,
            }
        )

    def _stopped(self):
        return Failure(STOP, self.problem_code, self.problem_params or {})

    def _waiting(self):
        return Failure(WAITING, "waiting", {})

    # --- PACE ---

    @api.model
    def _pace(self, channel):
        """:return: ``(calls at once, time until which to wait or False)``"""
        with read_committed(self.env) as cr:
            access = self.with_env(self.env(cr=cr, su=True))._row(channel.id)
            return access.parallel, access._waits() and access.wait_until

    @api.model
    def _wait_for(self, channel, failure):
        """Leave the platform alone for its window; longer each time in a row.

        :return: when to ask again
        """
        with read_committed(self.env) as cr:
            access = self.with_env(self.env(cr=cr, su=True))._row(channel.id)
            access._lock(wait=True)
            # the token service may have noted it already
            if not access._waits():
                access._note_failure(failure)
            return access.wait_until

    @api.model
    def _went_well(self, channel, client):
        """Keep what a round of calls taught about the pace."""
        with read_committed(self.env) as cr:
            access = self.with_env(self.env(cr=cr, su=True))._row(channel.id)
            parallel = access.parallel
            if client.lowered:
                parallel = client.parallel
            elif client.used >= parallel:
                parallel = min(parallel + 1, START_PARALLEL)
            if (access.parallel, access.wait_count) != (parallel, 0):
                access._lock(wait=True)
                access.write({"parallel": parallel, "wait_count": 0})

    @api.model
    def _forget(self, channels):
        """Start anew: the settings were changed, or are tried once more."""
        # sudo: whoever may set up the channel may let it try again
        accesses = self.sudo().search([("channel_id", "in", channels.ids)])
        for access in accesses:
            if access.secret_id:
                access.secret_id._seal("")
        accesses.write(
            {
                "expires_at": False,
                "problem_code": False,
                "problem_params": False,
                "problem_at": False,
                "wait_until": False,
                "wait_count": 0,
            }
        )
