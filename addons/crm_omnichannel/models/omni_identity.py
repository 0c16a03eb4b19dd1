from odoo import api, fields, models

from ..tools.linking import KIND_ORDER


class OmniIdentity(models.Model):
    """An identifier under which a channel knows a customer."""

    _name = "omni.identity"
    _description = "Identity"
    _order = "last_seen_at desc, id desc"
    _rec_name = "value"
    _rec_names_search = ["value", "partner_id"]
    _log_access = False

    partner_id = fields.Many2one(
        "res.partner", "Customer", required=True, index=True, ondelete="cascade"
    )
    kind = fields.Selection("_selection_kind", required=True)
    value = fields.Char(required=True, index=True)
    scope = fields.Char(
        required=True,
        default="company:0",
        help="Where the value names one person: one channel for its external IDs, one"
        " company for telephones and e-mails.",
    )
    channel_id = fields.Many2one("omni.channel", index=True, ondelete="set null")
    record_id = fields.Many2one("omni.record", index="btree_not_null")
    company_id = fields.Many2one("res.company", index="btree_not_null")
    last_seen_at = fields.Datetime("Last Seen")

    _kind_value_scope_uniq = models.Constraint(
        "UNIQUE(kind, value, scope)", "This identifier names a customer already."
    )

    @api.model
    def _selection_kind(self):
        labels = {
            "external_id": self.env._("External ID"),
            "unionid": self.env._("WeChat union ID"),
            "external_userid": self.env._("WeCom external user ID"),
            "openid": self.env._("WeChat open ID"),
            "open_id": self.env._("Douyin open ID"),
            "user_id": self.env._("User ID"),
            "email": self.env._("E-mail"),
            "phone": self.env._("Phone"),
            "anonymous_id": self.env._("Anonymous ID"),
            "device": self.env._("Device"),
        }
        return [
            (kind, labels[kind]) for kind in (*KIND_ORDER, "anonymous_id", "device")
        ]
