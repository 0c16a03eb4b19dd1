from ast import literal_eval

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from ..tools.decision import Candidate


class PersonalizationVariant(models.Model):
    _name = "personalization.variant"
    _description = "Personalization Variant"
    _order = "slot_id, sequence, id"

    slot_id = fields.Many2one(
        "personalization.slot", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="slot_id.company_id", store=True, index=True)
    name = fields.Char(required=True)
    sequence = fields.Integer(
        string="Priority",
        default=10,
        help="Of the variants that fit, the first one of the list is shown.",
    )
    active = fields.Boolean(default=True)
    audience = fields.Char(
        default="[]",
        help="The customers who see this variant. Empty: everybody, visitors whom"
        " nobody knows too.",
    )
    audience_count = fields.Integer(
        string="Customers", compute="_compute_audience_count"
    )
    date_start = fields.Datetime(
        string="From", help="First moment at which the variant may be shown."
    )
    date_end = fields.Datetime(
        string="Until", help="From this moment on the variant is not shown any more."
    )
    content = fields.Html(
        translate=True,
        help="Merge fields may be used, such as {{ object.name ||| dear customer }}.",
    )
    merge_fields = fields.Char(compute="_compute_merge_fields")

    _check_dates = models.Constraint(
        "CHECK (date_start IS NULL OR date_end IS NULL OR date_start < date_end)",
        "A variant must end after it starts.",
    )

    # --- COMPUTE ---

    @api.depends("audience")
    def _compute_audience_count(self):
        partners = self.env["res.partner"]
        for variant in self:
            try:
                domain = variant._audience_domain()
            except ValidationError:
                # Being typed; the constraint speaks when it is saved.
                variant.audience_count = 0
                continue
            variant.audience_count = partners.search_count(domain)

    def _compute_merge_fields(self):
        self.merge_fields = self.env["personalization.slot"]._known_merge_fields()

    # --- CONSTRAINTS ---

    @api.constrains("audience")
    def _check_audience(self):
        for variant in self:
            variant._audience_domain()

    @api.constrains("content")
    def _check_content(self):
        for variant in self:
            variant.slot_id._check_merge_fields(variant.content)

    # --- DECISION ---

    def _audience_domain(self):
        """The audience as a domain on ``res.partner``.

        Written values only, no expression: the audience of a stranger's visit is
        the same whoever the server runs it for.

        :raise ValidationError: it is none
        """
        self.ensure_one()
        partners = self.env["res.partner"]
        try:
            domain = Domain(literal_eval(self.audience or "[]"))
            domain.validate(partners)
        except (ValueError, TypeError, SyntaxError, KeyError, RecursionError) as error:
            raise ValidationError(
                self.env._(
                    "The audience of “%(variant)s” cannot be read. Use fields of the"
                    " customer and fixed or relative values (such as “-30d”), no"
                    " expressions.",
                    variant=self.name or "",
                )
            ) from error
        return domain

    def _prepare_candidate(self, partner):
        """This variant as the decision sees it.

        :param partner: one ``res.partner``, or none
        """
        domain = self._audience_domain()
        # Everybody, or a person in it; nobody knows where a stranger belongs.
        matches = domain.is_true() or (
            bool(partner) and bool(partner.filtered_domain(domain))
        )
        return Candidate(
            key=self.id,
            priority=self.sequence,
            starts=self.date_start or None,
            ends=self.date_end or None,
            matches=matches,
        )

    def action_view_audience(self):
        """Open the customers of the audience."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Audience of %(variant)s", variant=self.name),
            "res_model": "res.partner",
            "view_mode": "list,form",
            "domain": list(self._audience_domain()),
        }
