from odoo import api, models

from odoo.addons.crm_data_governance.tools.policies import Rule

from .omni_identity import TYPED_FIELDS

# What holds telephones and e-mails beside other identifiers.
IDENTIFIERS = (("omni.identity", "value"), ("omni.consent", "identity_value"))


class GovernanceFieldPolicy(models.Model):
    _inherit = "governance.field.policy"

    @api.model
    def _rules_of_user(self, user_id):
        """Identifiers are closed with the telephone or the e-mail of the customer.

        All of them, as one column holds them all: nobody can search, sort or group by
        it, or read it but as ``omni.identity._shown_value`` shows it.
        """
        rules = super()._rules_of_user(user_id)
        partner = rules.get("res.partner", {})
        names = {*TYPED_FIELDS, *TYPED_FIELDS.values()} & partner.keys()
        if not any(partner[name].closed for name in names):
            return rules
        rules = dict(rules)
        for model, field in IDENTIFIERS:
            own = rules.get(model, {})
            if field not in own or not own[field].closed:
                rules[model] = {**own, field: Rule("masked", "constant", None)}
        return rules
