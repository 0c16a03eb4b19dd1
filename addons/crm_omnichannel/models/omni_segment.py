import logging
import re
from typing import NamedTuple

import psycopg2

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

from ..messages import cause_of, render
from ..tools.domains import BadDomain, parse_domain

_logger = logging.getLogger(__name__)
# what a condition raises whose field is gone or whose value is of another kind
BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    psycopg2.DataError,
    psycopg2.ProgrammingError,
)
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Change(NamedTuple):
    """Ids of the customers who came into a segment and who went."""

    entered: list
    left: list


class OmniSegment(models.Model):
    """Customers who meet a condition, kept up to date."""

    _name = "omni.segment"
    _description = "Customer Segment"
    _order = "name, id"

    name = fields.Char("Segment Name", required=True, translate=True)
    code = fields.Char(
        required=True,
        copy=False,
        help="Names the segment in processes, pages and interfaces; small letters,"
        " digits, - and _.",
    )
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company",
        index="btree_not_null",
        default=lambda self: self._default_company_id(),
        help="Empty: the customers of all companies.",
    )
    domain = fields.Char(
        "Condition",
        required=True,
        default="[]",
        help="Who belongs to the segment. A date may be relative: -30d, today -1m.",
    )
    partner_count = fields.Integer("Customers", compute="_compute_partner_count")
    refreshed_at = fields.Datetime("Refreshed", readonly=True, copy=False)
    problem_code = fields.Char(readonly=True, copy=False)
    problem_params = fields.Json(readonly=True, copy=False)
    problem = fields.Char(
        compute="_compute_problem", help="Why the last refresh failed."
    )
    # a condition means what it meant to its author: names of countries are translated,
    # and today begins somewhere
    lang = fields.Char("Language", readonly=True, copy=False)
    tz = fields.Char("Time Zone", readonly=True, copy=False)

    _code_company_uniq = models.UniqueIndex(
        "(code, COALESCE(company_id, 0))", "The company has a segment with this code."
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    @api.depends("problem_code", "problem_params")
    @api.depends_context("lang")
    def _compute_problem(self):
        for segment in self:
            segment.problem = render(
                self.env, segment.problem_code, segment.problem_params
            )

    @api.depends("domain", "company_id", "active")
    def _compute_partner_count(self):
        """The members; while the condition is being edited, those it would have."""
        unchanged = self.filtered(
            lambda segment: segment._origin
            and all(
                segment[name] == segment._origin[name]
                for name in ("domain", "company_id", "active")
            )
        )
        counts = dict(
            self.env["omni.segment.member"]._read_group(
                [("segment_id", "in", unchanged._origin.ids)],
                ["segment_id"],
                ["__count"],
            )
        )
        for segment in self:
            if segment in unchanged:
                segment.partner_count = counts.get(segment._origin, 0)
            else:
                segment.partner_count = segment._count_live()

    def _count_live(self):
        """Count under the editor's own rights; a condition half written counts none."""
        try:
            domain = self._get_domain()
            with self.env.cr.savepoint():
                return self._get_partners().search_count(domain)
        except (BadDomain, ValueError, TypeError, psycopg2.DataError):
            return 0

    # --- CHECKS ---

    @api.constrains("code")
    def _check_code(self):
        for segment in self:
            if not _CODE.fullmatch(segment.code or ""):
                raise ValidationError(
                    self.env._(
                        "The code %(code)s may only hold small letters, digits,"
                        " - and _.",
                        code=segment.code,
                    )
                )

    @api.constrains("domain", "company_id")
    def _check_domain(self):
        """The condition can be read and run."""
        for segment in self:
            partners = segment._get_partners()
            try:
                domain = segment._get_domain()
                # in a savepoint: PostgreSQL may refuse a value of the wrong kind
                with self.env.cr.savepoint():
                    partners.search(domain, limit=1)
            except BadDomain as error:
                raise ValidationError(
                    self.env._(
                        "The condition of %(segment)s may only hold literal values: no"
                        " functions, names or calculations. A date may be relative,"
                        " such as '-30d'.",
                        segment=segment.name,
                    )
                ) from error
            except (ValueError, TypeError, psycopg2.DataError) as error:
                raise ValidationError(
                    self.env._(
                        "The condition of %(segment)s cannot be used: %(detail)s",
                        segment=segment.name,
                        detail=" ".join(str(error).split())[:300],
                    )
                ) from error
            by_company = self.pool.field_depends_context
            if not segment.company_id and any(
                field.company_dependent or "company" in by_company[field]
                for field in asked_fields(partners, domain)
            ):
                raise ValidationError(
                    self.env._(
                        "The condition of %(segment)s asks for a value that each"
                        " company has for itself: choose the company of the segment.",
                        segment=segment.name,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        segments = super().create(
            [{**vals, **self._prepare_author_values()} for vals in vals_list]
        )
        segments._check_domain_access()
        segments._refresh()
        return segments

    def write(self, vals):
        if "domain" in vals:
            vals = {**vals, **self._prepare_author_values()}
        result = super().write(vals)
        if "domain" in vals:
            self._check_domain_access()
        if not vals.keys().isdisjoint(("domain", "company_id", "active")):
            self._refresh()
        return result

    def _check_domain_access(self):
        """Nobody learns through a segment what is closed to them (constraints run as
        superuser)."""
        for segment in self:
            segment._get_partners()._search(segment._get_domain())

    @api.model
    def _prepare_author_values(self):
        return {"lang": self.env.lang, "tz": str(self.env.tz)}

    def copy_data(self, default=None):
        """A code is unique: the copy gets the next free one."""
        vals_list = super().copy_data(default=default)
        if default and "code" in default:
            return vals_list
        taken = set(
            # the codes of all companies, archived ones too: names only
            self.sudo().search([("active", "in", (True, False))]).mapped("code")
        )
        for segment, vals in zip(self, vals_list, strict=True):
            number = 2
            while f"{segment.code}-{number}" in taken:
                number += 1
            vals["code"] = f"{segment.code}-{number}"
            taken.add(vals["code"])
        return vals_list

    # --- ACTIONS ---

    def action_refresh(self):
        """Bring these segments up to date now."""
        self.check_access("write")
        changes = self._refresh()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._(
                    "%(entered)s customers came, %(left)s went.",
                    entered=sum(len(change.entered) for change in changes.values()),
                    left=sum(len(change.left) for change in changes.values()),
                ),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_view_partners(self):
        """Open the customers of these segments."""
        action = {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "view_mode": "list,kanban,form",
            "domain": [("omni_segment_ids", "in", self.ids)],
            "context": {"create": False},
        }
        action["name"] = self.env._("Customers")
        return action

    # --- MEMBERS ---

    def _get_domain(self):
        """Return the condition, within the segment's company.

        :raise BadDomain: not literal
        """
        self.ensure_one()
        domain = Domain(parse_domain(self.domain))
        if self.company_id:
            # as Odoo's own rule for contacts: a branch sees those of its parents
            domain &= Domain("company_id", "=", False) | Domain(
                "company_id", "parent_of", self.company_id.id
            )
        return domain

    def _get_partners(self):
        """Return the empty ``res.partner`` that is asked by the condition."""
        self.ensure_one()
        # a form that is being edited speaks the language of its reader
        lang, tz = self.env.context.get("lang"), str(self.env.tz)
        if self._origin and self.domain == self._origin.domain:
            installed = self.lang and self.env["res.lang"]._get_data(code=self.lang)
            lang, tz = installed and self.lang or None, self.tz
        partners = self.env["res.partner"].with_context(
            lang=lang, tz=tz, active_test=True
        )
        if self.company_id:
            partners = partners.with_context(allowed_company_ids=self.company_id.ids)
        return partners

    def _get_asked_fields(self):
        """Return the names of the fields that the condition asks for, with models."""
        asked = asked_fields(self.env["res.partner"], self._get_domain())
        return sorted({str(field) for field in asked})

    def _get_query(self, partners=None):
        """Return the query of the ids of those who belong here now.

        :param partners: ``res.partner``, only these; None: all
        """
        domain = self._get_domain() if self.active else Domain.FALSE
        if partners is not None:
            domain &= Domain("id", "in", partners.ids)
        # sudo: membership is one fact for all readers; each sees the customers that
        # the record rules show
        return self._get_partners().sudo()._search(domain)

    def _refresh(self, partners=None):
        """Bring the members of these up to date, by at most three statements a segment.

        :param partners: ``res.partner``, only these; None: everybody
        :return: ``{segment: Change}``
        """
        now = fields.Datetime.now()
        if partners is None:
            # sudo: a stamp of the system; two refreshes of a segment meet here
            self.sudo().write(
                {"refreshed_at": now, "problem_code": False, "problem_params": False}
            )
            self.flush_recordset(["refreshed_at", "problem_code", "problem_params"])
        changes = {}
        for segment in self:
            changes[segment] = segment._get_change(partners)
            segment._apply_change(changes[segment], now)
        self._invalidate_members()
        return changes

    @api.model
    def _refresh_all(self, partners=None):
        """Bring the members of all segments up to date; as :meth:`_refresh`."""
        segments = self.search([("active", "in", (True, False))])
        return segments._refresh(partners)

    def _get_change(self, partners):
        """Return who came and who went since the last refresh."""
        members = SQL(
            "SELECT partner_id FROM omni_segment_member WHERE segment_id = %s", self.id
        )
        if partners is not None:
            members = SQL("%s AND partner_id = ANY(%s)", members, partners.ids)
        change = Change([], [])
        # A full join is made by hashing or merging, never row by row: the statistics
        # of a table just filled do not matter.
        for came, went in self.env.execute_query(
            SQL(
                """
                SELECT wanted.id, member.partner_id
                FROM (%s) AS wanted
                FULL JOIN (%s) AS member ON member.partner_id = wanted.id
                WHERE wanted.id IS NULL OR member.partner_id IS NULL
                ORDER BY 1, 2
                """,
                self._get_query(partners).select(),
                members,
            )
        ):
            (change.entered if came else change.left).append(came or went)
        return change

    def _apply_change(self, change, now):
        self.env["omni.segment.event"]._log(self, change, now)
        if change.left:
            self.env.cr.execute(
                SQL(
                    "DELETE FROM omni_segment_member"
                    " WHERE segment_id = %s AND partner_id = ANY(%s)",
                    self.id,
                    change.left,
                )
            )
        if change.entered:
            self.env.cr.execute(
                SQL(
                    """
                    INSERT INTO omni_segment_member (segment_id, partner_id, since)
                    SELECT %s, partner_id, %s FROM unnest(%s) AS found (partner_id)
                    ON CONFLICT (segment_id, partner_id) DO NOTHING
                    """,
                    self.id,
                    now,
                    change.entered,
                )
            )

    @api.model
    def _invalidate_members(self):
        self.env["omni.segment.member"].invalidate_model()
        self.env["omni.segment"].invalidate_model(["partner_count"])
        self.env["res.partner"].invalidate_model(
            ["omni_member_ids", "omni_segment_ids"]
        )

    def _segments_of(self, partner):
        """Return the segments of one customer as they are now, in one query.

        Nothing is written: it may be asked while a page is read. A condition that
        cannot be worked out costs its own segment only.

        :param self: the segments to ask about; the empty recordset means those of the
            current company and of none
        :param partner: ``res.partner``, one record or none
        """
        segments = self or self.search(
            [("company_id", "in", (self.env.company.id, False))]
        )
        # known not to work; what breaks from now on costs a query a segment
        segments = segments.filtered(lambda segment: not segment.problem_code)
        if not partner or not segments:
            return self.browse()
        partner.ensure_one()
        return self.browse(segments._find_of(partner))

    def _find_of(self, partner):
        """Return the ids of those of these segments in which a customer is."""
        try:
            # in a savepoint: PostgreSQL may refuse a value of the wrong kind
            with self.env.cr.savepoint(flush=False):
                found = self.env.execute_query(
                    SQL(" UNION ALL ").join(
                        SQL(
                            "SELECT %s::integer FROM (%s) AS found",
                            segment.id,
                            segment._get_query(partner).select(),
                        )
                        for segment in self
                    )
                )
            return [segment_id for [segment_id] in found]
        except BROKEN:
            if len(self) == 1:
                _logger.warning("Segment %s cannot be asked", self.code, exc_info=True)
                return []
        return [found for segment in self for found in segment._find_of(partner)]

    def _find_problem(self, error):
        """Return the ``(code, params)`` of why a refresh failed."""
        try:
            conditions = Domain(parse_domain(self.domain)).iter_conditions()
            asked = [condition.field_expr.partition(".")[0] for condition in conditions]
        except ValueError:
            asked = []
        for name in asked:
            # as after the uninstallation of an addon
            if name not in self.env["res.partner"]._fields:
                return "unknown_field", {"name": name}
        return cause_of(error, "not_refreshed")

    @api.model
    def _cron_refresh(self):
        """Refresh all, each segment in a transaction of its own."""
        segments = self.search(
            [("active", "=", True)], order="refreshed_at NULLS FIRST, id"
        )
        self.env["ir.cron"]._commit_progress(remaining=len(segments))
        for segment in segments:
            try:
                with self.env.cr.savepoint():
                    segment._refresh()
            except CONCURRENCY_ERRORS:
                raise
            except Exception as error:  # noqa: BLE001 - one condition must not stop all
                _logger.warning("Segment %s not refreshed", segment.code, exc_info=True)
                code, params = segment._find_problem(error)
                segment.write({"problem_code": code, "problem_params": params})
            self.env["ir.cron"]._commit_progress(1)


def asked_fields(model, domain):
    """Yield the fields that a domain asks for, along its paths.

    :param model: the model that the domain is for
    :param domain: ``Domain``
    """
    for condition in domain.iter_conditions():
        comodel = model
        for name in condition.field_expr.split("."):
            field = comodel._fields.get(name)
            if field is None:
                break
            yield field
            if not field.relational:
                break
            comodel = model.env[field.comodel_name]
        if isinstance(condition.value, Domain):
            yield from asked_fields(comodel, condition.value)
