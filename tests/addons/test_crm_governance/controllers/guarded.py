from odoo import http
from odoo.exceptions import AccessError, ConcurrencyError, UserError
from odoo.http import request
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.endpoint import (
    GuardError,
    add_messages,
    guarded,
)

_lt = LazyTranslate(__name__)

add_messages({"test_params": _lt("Wrong field %(field)s.")})


def _key_in_query(req):
    return req.httprequest.args.get("key")


class TestGuarded(http.Controller):
    # Tries of the route /test_governance/retry in this process.
    tries = 0

    @guarded(
        "/test_governance/echo/<string:name>",
        code="test_governance.echo",
        title="Echo",
        methods=["GET", "POST"],
        scope="test.echo",
        max_bytes=1000,
        key_of=_key_in_query,
    )
    def echo(self, name, limit=None):
        return {
            "name": name,
            "limit": limit,
            "size": len(request.guard.body),
            "body": request.guard.body.decode("utf-8", "replace"),
            "credential": request.guard.credential.name,
            "user": request.env.user.login,
            "context": sorted(request.env.context),
        }

    @guarded(
        "/test_governance/read",
        code="test_governance.read",
        title="Read only",
        methods=["GET"],
        scope="test.echo",
        readonly=True,
    )
    def read_only(self):
        return [request.env.cr.readonly, request.guard.credential.kind]

    @guarded(
        "/test_governance/open",
        code="test_governance.open",
        title="Open",
        methods=["POST"],
        auth="open",
        max_bytes=1000,
        rate=20,
    )
    def open_to_all(self):
        return {"credential": len(request.guard.credential)}

    @guarded(
        "/test_governance/fail/<string:how>",
        code="test_governance.fail",
        title="Fail",
        methods=["POST"],
        scope="test.echo",
    )
    def fail(self, how):
        request.env["test_governance.queue"].sudo().create({"name": f"fail {how}"})
        if how == "crash":
            raise ZeroDivisionError("the secret inner life")
        if how == "user":
            raise UserError(request.env._("Inner words"))
        if how == "access":
            raise AccessError(request.env._("Inner words"))
        if how == "sql":
            request.env.cr.execute("SELECT 1 / 0", log_exceptions=False)
        if how == "params":
            raise GuardError(422, "test_params", field="手机")
        if how == "unknown":
            raise GuardError(409, "test_never_described")
        raise GuardError(404, "not_found")

    @guarded(
        "/test_governance/retry",
        code="test_governance.retry",
        title="Retry",
        methods=["POST"],
        scope="test.echo",
    )
    def retry(self):
        TestGuarded.tries += 1
        if TestGuarded.tries == 1:
            raise ConcurrencyError("once")
        return {"size": len(request.guard.body)}
