from odoo.http import Controller, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.endpoint import GuardError, guarded

from ..const import SCOPE

_lt = LazyTranslate(__name__)


class BehaviorCheck(Controller):
    @guarded(
        "/behavior/check",
        code="behavior.check",
        title=_lt("Check a write key"),
        methods=["POST"],
        auth="credential",
        scope=SCOPE,
        max_bytes=1024,
    )
    def check(self):
        """Tell a page whether its write key and its origin are good.

        The guard has already refused a wrong key and a foreign origin.
        """
        source_sudo = request.env["behavior.source"]._of_credential(
            request.guard.credential
        )
        if not source_sudo:
            # A key of another part of the suite may have the scope.
            raise GuardError(404, "not_found")
        return {"source": source_sudo.code, "origin": request.guard.origin}
