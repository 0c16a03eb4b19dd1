import re

from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError
from odoo.tools import format_datetime

from ..messages import MERGE_PROBLEMS, OUTCOMES, VERDICTS
from ..tools import merge
from ..tools.decision import decide

CODE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")


class PersonalizationSlot(models.Model):
    _name = "personalization.slot"
    _description = "Personalization Slot"
    _inherit = ["mail.thread"]
    _order = "name, id"

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

    def _compute_merge_fields(self):
        self.merge_fields = self._known_merge_fields()

    @api.model
    def _known_merge_fields(self):
        return ", ".join(f"{{{{ {name} }}}}" for name in merge.FIELDS)

    # --- CONSTRAINTS ---

    @api.constrains("code")
    def _check_code(self):
        for slot in self:
            if not CODE.match(slot.code):
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
                str(self.env._(MERGE_PROBLEMS[code]))
                % {**params, "known": self._known_merge_fields()}
            )

    # --- CRUD ---

    def copy_data(self, default=None):
        vals_list = super().copy_data(default=default)
        for slot, vals in zip(self, vals_list, strict=True):
            if not (default or {}).get("code"):
                vals["code"] = f"{slot.code[:58]}-copy"
            if not (default or {}).get("name"):
                vals["name"] = self.env._("%(name)s (copy)", name=slot.name)
        return vals_list

    # --- DECISION ---

    def _decide(self, partner, now=None):
        """What a customer sees in this slot, and why.

        :param partner: one ``res.partner``, or none for an unknown visitor
        :param datetime now: the moment (UTC); this one if not given
        :return: ``{"variant": record, "code": outcome, "params": {},
            "verdicts": [{"variant": record, "code": str, "params": {}}]}``
        """
        self.ensure_one()
        variants = self.variant_ids.filtered("active")
        decision = decide(
            [variant._prepare_candidate(partner) for variant in variants],
            now or fields.Datetime.now(),
        )
        by_id = {variant.id: variant for variant in variants}
        chosen = by_id.get(decision.chosen, variants.browse())
        return {
            "variant": chosen,
            "code": decision.code,
            "params": {"variant": chosen.id} if chosen else {},
            "verdicts": [
                {
                    "variant": by_id[verdict.key],
                    "code": verdict.code,
                    "params": verdict.params,
                }
                for verdict in decision.verdicts
            ],
        }

    def _render_for(self, variant, partner):
        """The content with its merge fields filled in.

        :param variant: the one to show, or none for the default content
        :param partner: one ``res.partner``, or none
        :return: HTML
        """
        self.ensure_one()
        content = variant.content if variant else self.default_content
        return merge.render(
            str(content or ""), self._merge_values(partner, merge.used_fields(content))
        )

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

        :param dict decision: of :meth:`_decide`
        """
        outcome = OUTCOMES[decision["code"]]
        return str(self.env._(outcome)) % {"variant": decision["variant"].name}

    @api.model
    def _verdict_text(self, verdict):
        """Why a variant is shown or not, in the reader's language.

        :param dict verdict: of :meth:`_decide`
        """
        params = dict(verdict["params"])
        if "at" in params:
            moment = fields.Datetime.to_datetime(params["at"].replace("T", " "))
            params["at"] = format_datetime(self.env, moment)
        if "by" in params:
            params["by"] = self.env["personalization.variant"].browse(params["by"]).name
        reason = VERDICTS[verdict["code"]]
        return str(self.env._(reason)) % params

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
