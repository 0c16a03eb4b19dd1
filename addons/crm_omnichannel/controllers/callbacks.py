import time

from odoo import fields
from odoo.http import Controller, Response, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.db import read_committed
from odoo.addons.crm_data_governance.endpoint import (
    GuardError,
    add_messages,
    guarded,
)

from ..tools.platform import CallbackError

_lt = LazyTranslate(__name__)

# An event of WeCom has less than two thousand bytes.
MAX_BODY_BYTES = 64 * 2**10

add_messages(
    {
        "bad_signature": _lt("The signature is wrong."),
        "bad_callback": _lt("The message cannot be read."),
        "callback_replayed": _lt("The message is too old, or was delivered before."),
    }
)
# A minute, of one address: far above what a platform sends, so that forged callbacks
# do not keep the workers busy with checking them.
RATE = 6_000
STATUS = {"bad_signature": 403, "bad_callback": 400}


class OmniCallbacks(Controller):
    @guarded(
        "/omni/callback/<string:provider>/<string:channel_code>",
        code="omni.callback",
        title=_lt("Receive a platform's callbacks"),
        methods=["GET", "POST"],
        auth="signature",
        max_bytes=MAX_BODY_BYTES,
        readonly=False,
        rate=RATE,
    )
    def receive(self, provider, channel_code):
        """Prove the address (GET), or store a message and answer at once (POST).

        An empty answer tells the platform that the message has arrived.
        """
        channel_sudo = self._get_channel(provider, channel_code)
        keys = channel_sudo._callback_keys()
        if not keys:
            raise GuardError(404, "not_found")
        adapter = channel_sudo._adapter()
        query = request.httprequest.args
        try:
            if request.httprequest.method != "POST":
                return _plain(adapter.echo(keys, query))
            callback = adapter.open_callback(keys, query, request.guard.body)
        except CallbackError as error:
            raise GuardError(STATUS[error.code], error.code) from None
        if channel_sudo.state != "active":
            raise GuardError(409, "channel_paused")
        # Its own short transaction: the answer comes after the commit, and two
        # deliveries of the same message wait for each other.
        with read_committed(request.env) as cr:
            channel_sudo = channel_sudo.with_env(channel_sudo.env(cr=cr))
            self._store(channel_sudo, callback)
        return _plain("")

    @staticmethod
    def _store(channel_sudo, callback):
        env = channel_sudo.env
        seen_first = env["omni.callback.nonce"]._see(
            channel_sudo, callback, int(time.time())
        )
        if not seen_first:
            raise GuardError(403, "callback_replayed")
        env["omni.callback"]._receive(channel_sudo, callback, fields.Datetime.now())

    @staticmethod
    def _get_channel(provider, channel_code):
        """Return the channel, as superuser: the signature is the right to it."""
        channel_sudo = (
            request.env["omni.channel"]
            .sudo()
            .search([("code", "=", channel_code), ("type", "=", provider)])
        )
        if not channel_sudo or not channel_sudo.syncs:
            raise GuardError(404, "not_found")
        return channel_sudo


def _plain(text):
    return Response(text, content_type="text/plain; charset=utf-8")
