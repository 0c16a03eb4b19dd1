import logging

import psycopg2

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain

from odoo.addons.crm_omnichannel.tools.domains import parse_domain

from ..tools import merge
from ..tools.decision import Candidate

_logger = logging.getLogger(__name__)


class PersonalizationVariant(models.Model):
    _name = "personalization.variant"
    _description = "Personalization Variant"
    _order = "slot_id, sequence, id"
    _check_company_auto = True

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
    segment_ids = fields.Many2many(
        "omni.segment",
        string="Segments",
        # An archived segment must not turn the variant into one for everybody, nor
        # may a deleted one.
        context={"active_test": False},
        ondelete="restrict",
        check_company=True,
        help="The customers of any of these segments see this variant. Empty: all"
        " customers of the filter below.",
    )
    audience = fields.Char(
        string="Filter",
        default="[]",
        help="The customers who see this variant. Empty: everybody (of the segments),"
        " visitors whom nobody knows too if there is no segment.",
    )
    level = fields.Selection(
        [
            ("everybody", "Everybody"),
            ("segment", "Segment"),
            ("individual", "Person"),
        ],
        compute="_compute_level",
        help="Everybody, segment: the content stands in the page, which is cached"
        " once for each segment. Person: the audience has a filter or the content"
        " merge fields, so that it is filled in after the page has loaded.",
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

    @api.depends("audience", "segment_ids", "content")
    @api.depends_context("lang")
    def _compute_level(self):
        for variant in self:
            if variant._is_individual():
                variant.level = "individual"
            else:
                variant.level = "segment" if variant.segment_ids else "everybody"

    @api.depends("audience", "segment_ids")
    def _compute_audience_count(self):
        partners = self.env["res.partner"]
        for variant in self:
            try:
                variant.audience_count = partners.search_count(variant._people_domain())
            except (ValidationError, ValueError, NotImplementedError):
                # Being typed; the constraint speaks when it is saved.
                variant.audience_count = 0

    def _compute_merge_fields(self):
        self.merge_fields = self.env["personalization.slot"]._known_merge_fields()

    # --- CONSTRAINTS ---

    @api.constrains("audience")
    def _check_audience(self):
        for variant in self:
            domain = variant._audience_domain()
            try:
                # Some fields exist and cannot be searched.
                self.env["res.partner"]._search(domain)
            except (ValueError, NotImplementedError) as error:
                raise variant._audience_error() from error

    @api.constrains("content")
    def _check_content(self):
        for variant in self:
            variant.slot_id._check_merge_fields(variant.content)

    # --- CRUD ---

    @api.model_create_multi
    def create(self, vals_list):
        variants = super().create(vals_list)
        variants._check_audience_access()
        variants._forget_pages()
        return variants

    def write(self, vals):
        result = super().write(vals)
        if "audience" in vals:
            self._check_audience_access()
        self._forget_pages()
        return result

    def unlink(self):
        self._forget_pages()
        return super().unlink()

    def _check_audience_access(self):
        """Nobody learns through a filter what is closed to them (constraints run as
        superuser)."""
        for variant in self:
            self.env["res.partner"]._search(variant._audience_domain())

    @api.model
    def _forget_pages(self):
        """Drop the cached pages: what they show has changed."""
        self.env.registry.clear_cache()

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
            domain = Domain(parse_domain(self.audience))
            domain.validate(partners)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise self._audience_error() from error
        return domain

    def _audience_error(self):
        return ValidationError(
            self.env._(
                "The audience of “%(variant)s” cannot be read. Use fields of the"
                " customer and fixed or relative values (such as “-30d”), no"
                " expressions.",
                variant=self.name or "",
            )
        )

    def _people_domain(self):
        """The customers of the audience, segments and filter together.

        :raise ValidationError: the filter cannot be read
        """
        domain = self._audience_domain()
        if self.segment_ids:
            domain &= Domain("omni_segment_ids", "in", self.segment_ids.ids)
        return domain

    def _is_individual(self):
        """Whether it takes the person, not only a segment, to show this variant.

        A broken audience is nobody's; what it would be is not known.
        """
        self.ensure_one()
        if merge.used_fields(self.content):
            return True
        try:
            return not self._audience_domain().is_true()
        except ValidationError:
            return True

    def _prepare_candidate(self, partner, segment_ids, shared=False):
        """This variant as the decision sees it.

        :param partner: one ``res.partner``, or none
        :param segment_ids: ids of the segments that the person is in
        :param shared: the decision is for a page that all members of a segment
            share: what only the person can tell stays open
        """
        wanted = set(self.segment_ids.ids)
        through = tuple(sorted(wanted.intersection(segment_ids)))
        broken = False
        if wanted and not through:
            matches = False
        elif shared and partner and self._is_individual():
            matches = None
        else:
            try:
                domain = self._audience_domain()
                # Everybody, or a person in it; nobody knows where a stranger belongs.
                matches = domain.is_true() or (
                    not shared and bool(partner and partner.filtered_domain(domain))
                )
            except psycopg2.Error:
                # The transaction is lost up to the caller's savepoint.
                raise
            except Exception:
                # A filter that worked when it was written: a field may be gone, a
                # value of another kind.  The other variants go on.
                _logger.exception(
                    "The audience of variant %s cannot be evaluated",
                    self.id,
                )
                matches, broken = False, True
        return Candidate(
            key=self.id,
            priority=self.sequence,
            starts=self.date_start or None,
            ends=self.date_end or None,
            matches=matches,
            segments=through,
            broken=broken,
        )

    def action_view_audience(self):
        """Open the customers of the audience."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Audience of %(variant)s", variant=self.name),
            "res_model": "res.partner",
            "view_mode": "list,form",
            "domain": list(self._people_domain()),
        }
