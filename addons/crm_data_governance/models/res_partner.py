from odoo import api, models

from odoo.addons.mail.tools.discuss import Store

from ..field_rules import rules_of, trusted

# What the context of a form may ask to be added to a name, and the field it shows.
NAME_ADDITIONS = {"show_email": "email", "show_vat": "vat"}


class ResPartner(models.Model):
    _inherit = "res.partner"

    @api.model
    def _closed_for_reader(self):
        """Closed fields for the person, also where his names are read in sudo."""
        rules = rules_of(self.env).get(self._name, {})
        return {name for name, rule in rules.items() if rule.closed}

    @api.depends_context("uid")
    def _compute_display_name(self):
        # The client reads names in sudo and chooses the context.
        closed = self._closed_for_reader() if self.env.uid else ()
        asked = {
            key: False
            for key, name in NAME_ADDITIONS.items()
            if name in closed and self.env.context.get(key)
        }
        if not asked:
            return super()._compute_display_name()
        for partner in self:
            partner.display_name = partner.with_context(**asked).display_name
        return None

    def _field_store_repr(self, field_name):
        # Authors, followers and recipients are read in sudo.
        rules = rules_of(self.env).get(self._name, {})
        rule = rules.get(field_name) if isinstance(field_name, str) else None
        if rule and rule.closed:
            return [
                Store.Attr(
                    field_name,
                    lambda partner: partner._mask_field(
                        field_name, rule, partner[field_name]
                    ),
                )
            ]
        return super()._field_store_repr(field_name)

    @api.model
    def _get_mention_suggestions_domain(self, search):
        return self._open_domain(super()._get_mention_suggestions_domain(search))

    # The following are given an address and answer with a customer.

    @api.model
    def find_or_create(self, email, assert_valid_email=False):
        with trusted(self.env):
            return super().find_or_create(email, assert_valid_email)

    @api.model
    def _find_or_create_from_emails(self, emails, *args, **kwargs):
        with trusted(self.env):
            return super()._find_or_create_from_emails(emails, *args, **kwargs)
