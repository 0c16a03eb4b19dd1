from odoo import api, fields, models
from odoo.exceptions import UserError

from odoo.addons.crm_data_governance.db import read_committed

from ..messages import render
from ..platform_client import Client
from ..tools.platform import STOP


class OmniChannel(models.Model):
    """Fetching from the platform, and what happens when that fails."""

    _name = "omni.channel"
    _inherit = "omni.channel"

    sync_ids = fields.One2many("omni.sync", "channel_id")
    callback_ids = fields.One2many("omni.callback", "channel_id")
    last_sync_at = fields.Datetime("Last Synchronisation", compute="_compute_sync")
    sync_status = fields.Char("Now", compute="_compute_sync")
    callbacks_waiting = fields.Integer(compute="_compute_sync")
    callbacks_parked = fields.Integer(compute="_compute_sync")
    last_callback_at = fields.Datetime("Last Callback", compute="_compute_sync")
    token_age = fields.Char("Token", compute="_compute_sync")
    recent_problems = fields.Text("Last Problems", compute="_compute_sync")

    @api.depends("state", "connected_at", "sync_ids.status", "callback_ids.state")
    @api.depends_context("lang", "uid")
    def _compute_sync(self):
        syncs = self.env["omni.sync"]
        groups = syncs._read_group(
            [("channel_id", "in", self.ids), ("status", "=", "done")],
            ["channel_id"],
            ["finished_at:max"],
        )
        finished = {channel.id: at for channel, at in groups}
        running = syncs.search(
            [("channel_id", "in", self.ids), ("status", "=", "open")], order="id"
        ).grouped("channel_id")
        calls = {}
        for channel, state, count, newest in self.env["omni.callback"]._read_group(
            [("channel_id", "in", self.ids)],
            ["channel_id", "state"],
            ["__count", "received_at:max"],
        ):
            calls[channel.id, state] = (count, newest)
        # sudo: who sees the channel sees how its access is, not the token
        accesses = {
            access.channel_id.id: access
            for access in self.env["omni.token"]
            .sudo()
            .search([("channel_id", "in", self.ids)])
        }
        for channel in self:
            access = accesses.get(channel._origin.id, self.env["omni.token"])
            states = [
                calls.get((channel.id, state), (0, False))
                for state in ("waiting", "parked", "done")
            ]
            channel.last_sync_at = finished.get(channel.id)
            channel.callbacks_waiting = states[0][0]
            channel.callbacks_parked = states[1][0]
            channel.last_callback_at = max(
                (newest for _count, newest in states if newest), default=False
            )
            channel.token_age = channel._describe_token(access)
            channel.sync_status = channel._describe_sync(
                running.get(channel, syncs)[:1], access
            )
            channel.recent_problems = channel._recent_problems(access)

    def _describe_token(self, access):
        if not access.expires_at:
            return self.env._("none yet")
        minutes = int((fields.Datetime.now() - access.fetched_at).total_seconds() // 60)
        if access.expires_at < fields.Datetime.now():
            return self.env._("expired; the next call gets a new one")
        return self.env._("%(minutes)s minutes old", minutes=minutes)

    def _describe_sync(self, sync, access):
        if not self.connected_at:
            return self.env._("Not connected yet")
        if self.state != "active":
            return self.env._("Paused")
        now = fields.Datetime.now()
        if sync and sync.not_before and sync.not_before > now:
            at = fields.Datetime.context_timestamp(self, sync.not_before)
            return self.env._("Waits until %(time)s", time=at.strftime("%H:%M"))
        if sync:
            return self.env._(
                "%(step)s: %(changed)s changed, %(unchanged)s unchanged",
                step=sync.step or "",
                changed=sync.accepted,
                unchanged=sync.duplicates,
            )
        return self.env._("Up to date")

    def _recent_problems(self, access):
        """Return the newest problems as lines of plain words."""
        found = []
        if access.problem_code:
            found.append((access.problem_at, access.problem_message))
        syncs = self.env["omni.sync"].search(
            [("channel_id", "=", self._origin.id)], limit=5
        )
        for sync in syncs:
            at = sync.finished_at or sync.started_at
            if sync.error_code:
                found.append((at, sync.error_message))
            for code, params in (sync.problems or [])[-5:]:
                found.append((at, render(self.env, code, params)))
        for callback in self.env["omni.callback"].search(
            [("channel_id", "=", self._origin.id), ("state", "=", "parked")], limit=5
        ):
            found.append((callback.processed_at, callback.error_message))
        lines = []
        for at, text in sorted(found, key=lambda pair: pair[0], reverse=True)[:10]:
            moment = fields.Datetime.context_timestamp(self, at)
            lines.append(f"{moment:%Y-%m-%d %H:%M}  {text}")
        return "\n".join(lines)

    # --- ACTIONS ---

    def action_connect(self):
        """Try the credentials with one call, and say what came of it."""
        self.ensure_one()
        self.check_access("write")
        with read_committed(self.env) as cr:
            self.env(cr=cr)["omni.token"]._forget(self)
        adapter = self._adapter()
        with self._client() as client:
            _answer, failure = client.call(adapter.request(adapter.probe()))
        if failure:
            if failure.kind == STOP:
                self.connected_at = False
            return self._notify(
                "danger",
                self.env._("Not connected"),
                render(self.env, failure.code, failure.params),
            )
        self.write({"connected_at": fields.Datetime.now(), "state": "active"})
        self.activity_unlink(["mail.mail_activity_data_warning"])
        # what was under way goes on
        self.env["omni.sync"]._trigger()
        self.env["omni.callback"]._trigger()
        return self._notify(
            "success",
            self.env._("Connected"),
            self.env._("The platform answers. Now fetch the customers."),
        )

    def _notify(self, kind, title, message):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": kind,
                "title": title,
                "message": message,
                "sticky": kind == "danger",
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_sync(self):
        """Look for new customers now, in the background."""
        return self._start_sync("incremental")

    def action_full_sync(self):
        """Fetch and compare everything, in the background."""
        return self._start_sync("full")

    def _start_sync(self, mode):
        self.check_access("write")
        for channel in self:
            if not channel.connected_at or channel.state != "active":
                raise UserError(
                    self.env._("Connect the channel %(name)s first.", name=channel.name)
                )
        # sudo: these rows are written by the system only
        self.env["omni.sync"].sudo()._request(self, mode)
        return self._notify(
            "info",
            self.env._("Synchronisation started"),
            self.env._("It runs in the background; this page shows how far it is."),
        )

    def action_view_syncs(self):
        """Open the synchronisations of the channel."""
        return self._open("crm_omnichannel.omni_sync_action")

    def action_view_callbacks(self):
        """Open the callbacks of the channel; the context names a filter."""
        return self._open("crm_omnichannel.omni_callback_action")

    def _open(self, xml_id):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(xml_id)
        context = {"search_default_channel_id": self.id}
        state = self.env.context.get("omni_state")
        if state:
            context[f"search_default_{state}"] = 1
        action["context"] = context
        return action

    def action_resume(self):
        """What waited at the platform's side is worked on too."""
        result = super().action_resume()
        platforms = self.filtered("syncs")
        if platforms:
            self.env["omni.token"]._forget(platforms)
            self.env["omni.sync"]._trigger()
            self.env["omni.callback"]._trigger()
        return result

    # --- CALLS ---

    def _client(self, parallel=1):
        """Return a :class:`Client` whose token all processes share."""
        self.ensure_one()
        tokens = self.env["omni.token"]
        # sudo: whoever may let the channel call may not see its token
        return Client(
            self._adapter(),
            self.platform_url,
            lambda failed=None: tokens.sudo()._get_token(self, failed),
            parallel,
        )

    def _land_fetched(self, page):
        """Land what a page says anew, in the transaction of the caller.

        :param Page page: ``tools/platform.py``
        :return: ``(counts as of _land, whether a whole list names somebody new)``
        """
        items, fresh = self.env["omni.sync.item"]._next_versions(self, page)
        if not items:
            return {"accepted": 0, "duplicates": 0, "refused": []}, fresh
        return self._land(items, fields.Datetime.now()), fresh

    # --- TROUBLE ---

    def _stop(self, failure):
        """Call the platform no more until somebody has mended the settings.

        :param Failure failure: the reason
        """
        with self.pool.cursor() as cr:
            channel = self.with_env(self.env(cr=cr))
            if channel.state == "active":
                channel.write({"state": "paused", "connected_at": False})
                channel._alert(failure)

    def _alert_now(self, failure):
        with self.pool.cursor() as cr:
            self.with_env(self.env(cr=cr))._alert(failure)

    def _alert(self, failure):
        """Give the responsible an activity, unless one is waiting already.

        :param Failure failure: the reason
        """
        self.ensure_one()
        user = self.user_id or self.env.ref("base.user_admin")
        channel = self.with_context(lang=user.lang)
        known = channel.activity_search(["mail.mail_activity_data_warning"])
        if not known:
            channel.activity_schedule(
                "mail.mail_activity_data_warning",
                fields.Date.context_today(channel),
                summary=channel.env._("The channel needs you"),
                note=render(channel.env, failure.code, failure.params),
                user_id=user.id,
            )
