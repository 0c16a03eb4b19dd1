import uuid
from pathlib import Path

from odoo import fields
from odoo.http import Controller, Response, request
from odoo.tools import LazyTranslate
from odoo.tools.misc import file_path

from odoo.addons.crm_data_governance.db import read_committed
from odoo.addons.crm_data_governance.endpoint import (
    GuardError,
    add_messages,
    guarded,
)

from ..const import SCOPE
from ..tools import tracking

_lt = LazyTranslate(__name__)

SDK_PATH = "crm_behavior_analytics/static/dist/sdk.js"
DIMENSIONS_PATH = "crm_behavior_analytics/static/src/sdk/dimensions.json"
SDK_CACHE_SECONDS = 3600

add_messages(
    {"too_many_messages": _lt("A batch has at most %(limit)s messages.")},
)


def _key_in_body(current):
    """The write key, where a client can send no header (``sendBeacon``)."""
    current.guard.read_body()
    return tracking.write_key(current.guard.body)


def _file(path, content_type):
    """A file of this addon, for anybody."""
    return Response(
        Path(file_path(path)).read_bytes(),
        content_type=f"{content_type}; charset=utf-8",
        headers={"Cache-Control": f"public, max-age={SDK_CACHE_SECONDS}"},
    )


#: what the addresses of Segment's tracking API have in common
TRACKING = {
    "methods": ["POST"],
    "scope": SCOPE,
    "max_bytes": tracking.MAX_BODY_BYTES,
    "key_of": _key_in_body,
    # Two senders of the same messages wait for each other instead of failing.
    "read_committed": True,
}


class BehaviorTracking(Controller):
    @guarded(
        "/v1/batch",
        code="behavior.batch",
        title=_lt("Track a batch of events"),
        **TRACKING,
    )
    def batch(self):
        """Land a batch: always 200 with a verdict for each message, if readable."""
        return self._land(tracking.read_batch)

    @guarded(
        "/v1/import",
        code="behavior.import",
        title=_lt("Track a batch of past events"),
        **TRACKING,
    )
    def import_batch(self):
        """Land a batch under the name that Segment's clients use for history."""
        return self._land(tracking.read_batch)

    @guarded(
        "/v1/track", code="behavior.track", title=_lt("Track an event"), **TRACKING
    )
    def track(self):
        """Land one thing that somebody did."""
        return self._land(tracking.read_single, "track")

    @guarded(
        "/v1/page", code="behavior.page", title=_lt("Track a page view"), **TRACKING
    )
    def page(self):
        """Land one page that somebody saw."""
        return self._land(tracking.read_single, "page")

    @guarded(
        "/v1/screen",
        code="behavior.screen",
        title=_lt("Track a screen of an app"),
        **TRACKING,
    )
    def screen(self):
        """Land one screen of an app that somebody saw."""
        return self._land(tracking.read_single, "screen")

    @guarded(
        "/v1/identify",
        code="behavior.identify",
        title=_lt("Identify a visitor"),
        **TRACKING,
    )
    def identify(self):
        """Land who somebody is; a server's word links, a page's is kept as told."""
        return self._land(tracking.read_single, "identify")

    @guarded(
        "/v1/group",
        code="behavior.group",
        title=_lt("Name a visitor's group"),
        **TRACKING,
    )
    def group(self):
        """Land what company or team somebody belongs to."""
        return self._land(tracking.read_single, "group")

    @guarded(
        "/v1/alias",
        code="behavior.alias",
        title=_lt("Join two names of a visitor"),
        **TRACKING,
    )
    def alias(self):
        """Land under what name somebody was known before."""
        return self._land(tracking.read_single, "alias")

    @guarded(
        "/behavior/sdk.js",
        code="behavior.sdk",
        title=_lt("The tracking script"),
        methods=["GET"],
        auth="open",
    )
    def sdk(self):
        """Serve the script under the name that pages keep."""
        return _file(SDK_PATH, "text/javascript")

    @guarded(
        "/behavior/dimensions.json",
        code="behavior.dimensions",
        title=_lt("What the tracking script collects"),
        methods=["GET"],
        auth="open",
        readonly=True,
    )
    def dimensions(self):
        """Serve the dictionary of what the script collects."""
        return _file(DIMENSIONS_PATH, "application/json")

    @staticmethod
    def _land(read, *arguments):
        env = request.env
        source_sudo = env["behavior.source"]._of_credential(request.guard.credential)
        if not source_sudo:
            # A key of another part of the suite may have the scope.
            raise GuardError(403, "forbidden")
        received_at = fields.Datetime.now()
        body = request.guard.body
        vouched = request.guard.credential.kind == "secret"
        try:
            items = list(read(body, *arguments, received_at, uuid.uuid4().hex))
        except tracking.BodyError as error:
            # In a cursor of its own: the answer to an error commits nothing.
            with read_committed(env) as cr:
                source_sudo = source_sudo.with_env(source_sudo.env(cr=cr))
                source_sudo.env["behavior.rejection"]._note_body(
                    source_sudo, received_at, error.code, body
                )
            raise GuardError(400, error.code, limit=tracking.MAX_MESSAGES) from error
        env_sudo = source_sudo.env
        verdicts = env_sudo["behavior.event"]._land(
            source_sudo, items, received_at, vouched
        )
        env_sudo["behavior.rejection"]._note(
            source_sudo, received_at, items, verdicts, body
        )
        return {"success": True, "verdicts": verdicts}
