import logging
import re
from contextlib import nullcontext

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.tools import format_datetime, format_list

from odoo.addons.crm_data_governance.messages import render

from .. import const
from ..messages import MERGE_PROBLEMS, OUTCOMES, VERDICTS
from ..tools import merge
from ..tools.decision import decide

_logger = logging.getLogger(__name__)

CODE = re.compile(const.CODE)


class PersonalizationSlot(models.Model):
    _name = "personalization.slot"
    _description = "Personalization Slot"
    _inherit = ["mail.thread"]
    _order = "name, id"
    _check_company_auto = True

    name = fields.Char(required=True, tracking=True)
    code = fields.Char(
        required=True,
        tracking=True,
        help="The name by which pages ask for the slot: small letters, digits, - and"
        " _.",
    )
    active = fields.Boolean(default=True, tracking=True)
    company_id = fields.Many2one(
        "res.company",
        required=True,
        index=True,
        default=lambda self: self._default_company_id(),
    )
    website_id = fields.Many2one(
        "website",
        index="btree_not_null",
        check_company=True,
        ondelete="cascade",
        help="Empty: the slot is for every website of the company.",
    )
    default_content = fields.Html(
        translate=True,
        help="Shown when no variant fits. Merge fields may be used, such as"
        " {{ object.name ||| dear customer }}.",
    )
    variant_ids = fields.One2many(
        "personalization.variant", "slot_id", string="Variants", copy=True
    )
    variant_count = fields.Integer(compute="_compute_variant_count")
    merge_fields = fields.Char(compute="_compute_merge_fields")
    template_code = fields.Char(
        string="In a Template", compute="_compute_template_code"
    )
    exposure_count = fields.Integer(string="Shown", compute="_compute_exposures")
    default_share = fields.Float(
        compute="_compute_exposures",
        help="Part of the times at which the default content was shown.",
    )

    _code_uniq = models.UniqueIndex(
        "(company_id, COALESCE(website_id, 0), code)",
        "The website has a slot of this code already.",
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    # --- COMPUTE ---

    @api.depends("variant_ids")
    def _compute_variant_count(self):
        counts = dict(
            self.env["personalization.variant"]._read_group(
                [("slot_id", "in", self.ids)], ["slot_id"], ["__count"]
            )
        )
        for slot in self:
            slot.variant_count = counts.get(slot._origin, 0)

    @api.depends("code")
    def _compute_template_code(self):
        for slot in self:
            slot.template_code = f'<div data-personalization-slot="{slot.code or ""}"/>'

    def _compute_exposures(self):
        groups = self.env["personalization.exposure"]._read_group(
            [("slot_id", "in", self.ids)], ["slot_id", "is_default"], ["count:sum"]
        )
        shown = {(slot.id, is_default): count for slot, is_default, count in groups}
        for slot in self:
            default = shown.get((slot._origin.id, True), 0)
            total = default + shown.get((slot._origin.id, False), 0)
            slot.exposure_count = total
            slot.default_share = default / total if total else 0.0

    def _compute_merge_fields(self):
        self.merge_fields = self._known_merge_fields()

    @api.model
    def _known_merge_fields(self):
        return ", ".join(f"{{{{ {name} }}}}" for name in merge.FIELDS)

    # --- CONSTRAINTS ---

    @api.constrains("code")
    def _check_code(self):
        for slot in self:
            if not CODE.fullmatch(slot.code):
                raise ValidationError(
                    self.env._(
                        "“%(code)s” cannot be a code: use small letters, digits,"
                        " - and _, 64 at most.",
                        code=slot.code,
                    )
                )

    @api.constrains("default_content")
    def _check_default_content(self):
        for slot in self:
            self._check_merge_fields(slot.default_content)

    @api.model
    def _check_merge_fields(self, content):
        """:raise ValidationError: on the first merge field that cannot work"""
        for code, params in merge.check(content):
            raise ValidationError(
                render(
                    self.env,
                    MERGE_PROBLEMS,
                    code,
                    {**params, "known": self._known_merge_fields()},
                )
            )

    # --- CRUD ---

    @api.model_create_multi
    def create(self, vals_list):
        slots = super().create(vals_list)
        self.env["personalization.variant"]._forget_pages()
        return slots

    def write(self, vals):
        result = super().write(vals)
        self.env["personalization.variant"]._forget_pages()
        return result

    def unlink(self):
        self.env["personalization.variant"]._forget_pages()
        return super().unlink()

    def copy_data(self, default=None):
        vals_list = super().copy_data(default=default)
        for slot, vals in zip(self, vals_list, strict=True):
            if not (default or {}).get("code"):
                vals["code"] = f"{slot.code[:58]}-copy"
            if not (default or {}).get("name"):
                vals["name"] = self.env._("%(name)s (copy)", name=slot.name)
        return vals_list

    # --- DECISION ---

    @api.model
    def _find(self, company, website, codes=None):
        """The slots that a page asks for.

        :param company: ``res.company``
        :param website: ``website``, or none for a page outside
        :param codes: codes, or None for all
        :return: ``{code: slot}``; the website's own slot comes before the company's
        """
        domain = [
            ("company_id", "=", company.id),
            ("website_id", "in", (website.id, False)),
        ]
        if codes is not None:
            domain.append(("code", "in", list(codes)))
        slots = self.search(domain)
        return {slot.code: slot for slot in slots.sorted(lambda s: bool(s.website_id))}

    def _segments_of(self, partner):
        """The segments that the variants of these slots ask for and a person is in.

        :param partner: one ``res.partner``, or none
        :return: frozenset of ids
        """
        # sudo: whoever looks at a page, the customer is in a segment or not.
        segments_sudo = self.variant_ids.sudo().segment_ids
        if not partner or not segments_sudo:
            return frozenset()
        return frozenset(segments_sudo._segments_of(partner.sudo()).ids)

    def _decide(self, partner, now=None, segment_ids=None, shared=False):
        """What a customer sees in this slot, and why.

        :param partner: one ``res.partner``, or none for an unknown visitor
        :param datetime now: the moment (UTC); this one if not given
        :param segment_ids: ids of the segments that the visitor is in, if known
        :param bool shared: for a page that all members of a segment share
        :return: ``{"variant": record, "code": outcome, "params": {}, "pending": bool,
            "verdicts": [{"variant": record, "code": str, "params": {}}]}``; pending:
            a variant for the person alone may come before the one that is shown
        """
        self.ensure_one()
        # As they are, not filtered(): so they are read with those of the other slots.
        variants = [variant for variant in self.variant_ids if variant.active]
        if segment_ids is None:
            segment_ids = self._segments_of(partner)
        decision = decide(
            [
                variant._prepare_candidate(partner, segment_ids, shared)
                for variant in variants
            ],
            now or fields.Datetime.now(),
        )
        by_id = {variant.id: variant for variant in variants}
        chosen = by_id.get(decision.chosen, self.env["personalization.variant"])
        params = {"variant": chosen.id} if chosen else {}
        if decision.segments:
            params["segments"] = list(decision.segments)
        return {
            "variant": chosen,
            "code": decision.code,
            "params": params,
            "pending": decision.pending,
            "verdicts": [
                {
                    "variant": by_id[verdict.key],
                    "code": verdict.code,
                    "params": verdict.params,
                }
                for verdict in decision.verdicts
            ],
        }

    def _show(self, partner, segment_ids=None, shared=False, values=None):
        """Decide and render; what fails gives the default content, and is told.

        Nobody's page goes down because of one content.

        :param partner: one ``res.partner``, or none
        :param segment_ids: as for :meth:`_decide`
        :param shared: as for :meth:`_decide`; no word of the person gets in
        :param dict values: merge values of a person who has no ``res.partner``
        :return: the decision, with ``html``
        """
        self.ensure_one()
        variant = self.env["personalization.variant"]
        decision = None
        try:
            # Filters run for a person: an error of the database in one must not take
            # the request's transaction along.
            with (
                self.env.cr.savepoint(flush=False)
                if partner and not shared
                else nullcontext()
            ):
                decision = self._decide(partner, None, segment_ids, shared)
                variant = decision["variant"]
                person = partner.browse() if shared else partner
                return {**decision, "html": self._render_for(variant, person, values)}
        except Exception as error:
            _logger.exception(
                "Slot %s (%s) shows its default content: variant %s failed",
                self.code,
                self.id,
                variant.id,
            )
            return {
                "variant": variant.browse(),
                "code": "default_error",
                "params": {
                    "variant": variant.id or 0,
                    "error": type(error).__name__,
                },
                "pending": False,
                "verdicts": decision["verdicts"] if decision else [],
                "html": self._render_default(),
            }

    def _note(self, shown):
        """What is recorded of a decision, as JSON.

        :param dict shown: of :meth:`_show`
        """
        self.ensure_one()
        return {
            "slot": self.id,
            "variant": shown["variant"].id or 0,
            "code": shown["code"],
            "params": shown["params"],
            "verdicts": [
                [verdict["variant"].id, verdict["code"], verdict["params"]]
                for verdict in shown["verdicts"][: const.MAX_VERDICTS]
            ],
        }

    def _render_default(self):
        """The default content with the fallbacks of its merge fields."""
        try:
            return self._render_for(
                self.env["personalization.variant"], self.env["res.partner"]
            )
        except Exception:
            _logger.exception("The default content of slot %s fails too", self.id)
            return ""

    def _render_for(self, variant, partner, values=None):
        """The content with its merge fields filled in.

        :param variant: the one to show, or none for the default content
        :param partner: one ``res.partner``, or none
        :param dict values: of a person who has no ``res.partner``: path → text
        :return: HTML
        """
        self.ensure_one()
        content = variant.content if variant else self.default_content
        known = self._merge_values(partner, merge.used_fields(content))
        return merge.render(str(content or ""), known if partner else values or {})

    @api.model
    def _merge_values(self, partner, paths):
        """The values that a content reads; what may not be read is left out."""
        values = {}
        for path in paths if partner else ():
            try:
                values[path] = partner.mapped(path)[0]
            except (AccessError, IndexError):
                # The fallback of the placeholder stands in.
                values[path] = False
        return values

    # --- REASONS ---

    @api.model
    def _outcome_text(self, decision):
        """Why a content is shown, in the reader's language.

        :param dict decision: of :meth:`_decide`, or the ``code`` and ``params`` of one
        """
        params = self._readable(decision["params"])
        return render(self.env, OUTCOMES, decision["code"], params)

    @api.model
    def _verdict_text(self, verdict):
        """Why a variant is shown or not, in the reader's language.

        :param dict verdict: of :meth:`_decide`
        """
        params = self._readable(verdict["params"])
        return render(self.env, VERDICTS, verdict["code"], params)

    @api.model
    def _readable(self, params):
        """Parameters of a reason, with names and moments in the place of ids."""
        readable = dict(params)
        if "at" in params:
            moment = fields.Datetime.to_datetime(params["at"].replace("T", " "))
            readable["at"] = format_datetime(self.env, moment)
        variants = self.env["personalization.variant"]
        for name in ("by", "variant"):
            if name in params:
                variant = variants.browse(params[name]).exists()
                # The name as it was, where it was recorded.
                readable[name] = (
                    params.get("name") or variant.name or f"#{params[name]}"
                )
        if "segments" in params:
            # sudo: who reads the reason may read the name of the segment in it.
            segments_sudo = self.env["omni.segment"].sudo().browse(params["segments"])
            readable["segments"] = format_list(
                self.env,
                [
                    segment.name if segment.exists() else f"#{segment.id}"
                    for segment in segments_sudo
                ],
            )
        return readable

    # --- ACTIONS ---

    def action_preview(self):
        """Open the preview as a customer."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Preview as a Customer"),
            "res_model": "personalization.slot.preview",
            "view_mode": "form",
            "target": "new",
            "context": {"default_slot_id": self.id},
        }

    def action_view_exposures(self):
        """Open what was shown in this slot."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_personalization.personalization_exposure_action"
        )
        action["domain"] = [("slot_id", "=", self.id)]
        action["context"] = {}
        return action
