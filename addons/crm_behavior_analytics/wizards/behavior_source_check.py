from odoo import api, fields, models

from odoo.addons.crm_data_governance.endpoint import GuardError
from odoo.addons.crm_data_governance.tools.origins import (
    OriginError,
    is_insecure,
    origin_of_page,
)

from ..const import SCOPE


class BehaviorSourceCheck(models.TransientModel):
    _name = "behavior.source.check"
    _description = "Verify the Origin of a Page"

    source_id = fields.Many2one("behavior.source", required=True, ondelete="cascade")
    url = fields.Char(
        string="Page Address",
        help="Copy it from the address bar of the page that will use the key.",
    )
    origin = fields.Char(compute="_compute_result")
    accepted = fields.Boolean(compute="_compute_result")
    result = fields.Char(compute="_compute_result")

    @api.depends("source_id.origins", "source_id.state", "url")
    def _compute_result(self):
        for wizard in self:
            wizard.origin, wizard.accepted, wizard.result = wizard._check_page()

    def _check_page(self):
        """The real check of the guarded endpoints, for the origin of the page.

        :return: (origin or False, accepted, sentence or False)
        """
        if not self.url:
            return False, False, False
        try:
            origin = origin_of_page(self.url)
        except OriginError as error:
            return False, False, self.source_id._origin_message(error)
        if self.source_id.state != "active":
            return (
                origin,
                False,
                self.env._("The source has no valid key. Issue one first."),
            )
        try:
            self.env["governance.credential"]._authenticate(
                self.source_id.public_key, SCOPE, origin
            )
        except GuardError:
            return (
                origin,
                False,
                self.env._(
                    "Refused: %(origin)s is not an allowed origin of this source.",
                    origin=origin,
                ),
            )
        if is_insecure(origin):
            return (
                origin,
                True,
                self.env._(
                    "Accepted. But %(origin)s is not encrypted: others can read"
                    " what the page sends.",
                    origin=origin,
                ),
            )
        return (
            origin,
            True,
            self.env._("Accepted: pages of %(origin)s may use the key.", origin=origin),
        )

    def action_allow(self):
        """Add the origin of the page to the source."""
        self.ensure_one()
        if self.origin and not self.accepted:
            allowed = (self.source_id.origins or "").split()
            if self.origin not in allowed:
                self.source_id.origins = "\n".join([*allowed, self.origin])
                # The answer is the key store's, which the ORM does not follow.
                self.invalidate_recordset(["origin", "accepted", "result"])
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Verify an Origin"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }
