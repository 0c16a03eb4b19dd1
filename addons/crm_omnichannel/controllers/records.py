from odoo import fields
from odoo.http import Controller, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.db import read_committed
from odoo.addons.crm_data_governance.endpoint import (
    GuardError,
    add_messages,
    guarded,
)

from ..tools.landing import MAX_KEY_LENGTH, Refused

_lt = LazyTranslate(__name__)

MAX_BODY_BYTES = 32 * 2**20
# A batch with more is not what its sender thinks it is; the answer names each one.
MAX_REFUSED = 1000
LINE_TYPES = {
    "application/jsonl",
    "application/jsonlines",
    "application/ndjson",
    "application/x-jsonlines",
    "application/x-ndjson",
}

add_messages(
    {
        "channel_paused": _lt("The channel is paused. Please try again later."),
        "too_many_refused": _lt(
            "More than %(limit)s items cannot be read; nothing has landed."
        ),
        "empty_body": _lt("The body is empty."),
        "bad_idempotency_key": _lt("The Idempotency-Key is too long or not readable."),
    }
)


class OmniRecords(Controller):
    @guarded(
        "/omni/v1/records/<string:channel_code>",
        code="omni.records",
        title=_lt("Land records"),
        methods=["POST"],
        auth="credential",
        scope="omni.records",
        max_bytes=MAX_BODY_BYTES,
        readonly=False,
    )
    def land(self, channel_code):
        """Land a JSON list, NDJSON or one JSON object on the channel of the key.

        The records are committed before the answer; they are processed afterwards.
        """
        channel_sudo = self._get_channel(channel_code)
        body = request.guard.body
        if not body.strip():
            raise GuardError(400, "empty_body")
        content_type = request.httprequest.mimetype
        items = channel_sudo._adapter().read_body(
            body,
            channel_sudo._envelope(),
            content_type in LINE_TYPES,
            self._get_sender_key(),
        )
        # Its own short transaction: two senders of the same records wait for each
        # other instead of failing, and the answer comes after the commit.
        with read_committed(request.env) as cr:
            channel_sudo = channel_sudo.with_env(channel_sudo.env(cr=cr))
            return channel_sudo._land(self._few_refused(items), fields.Datetime.now())

    @staticmethod
    def _few_refused(items):
        refused = 0
        for item in items:
            if isinstance(item, Refused):
                refused += 1
                if refused > MAX_REFUSED:
                    raise GuardError(400, "too_many_refused", limit=MAX_REFUSED)
            yield item

    @staticmethod
    def _get_channel(channel_code):
        """Return the channel of the key, as superuser: the key is the right to it."""
        channel_sudo = (
            request.env["omni.channel"].sudo().search([("code", "=", channel_code)])
        )
        credential = request.guard.credential
        # another channel's key must not learn which channels there are
        if not channel_sudo or channel_sudo.credential_id != credential:
            raise GuardError(403, "forbidden")
        if not channel_sudo.takes_posts:
            raise GuardError(404, "not_found")
        if channel_sudo.state != "active":
            raise GuardError(409, "channel_paused")
        return channel_sudo

    @staticmethod
    def _get_sender_key():
        key = request.httprequest.headers.get("Idempotency-Key", "").strip()
        if len(key) > MAX_KEY_LENGTH or "\x00" in key or not key.isprintable():
            raise GuardError(400, "bad_idempotency_key")
        return key or None
