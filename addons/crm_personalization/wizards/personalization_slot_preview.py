from markupsafe import Markup

from odoo import api, fields, models


class PersonalizationSlotPreview(models.TransientModel):
    _name = "personalization.slot.preview"
    _description = "Preview of a Slot as a Customer"

    slot_id = fields.Many2one("personalization.slot", required=True, ondelete="cascade")
    partner_id = fields.Many2one(
        "res.partner",
        string="Customer",
        help="Empty: a visitor whom nobody knows.",
    )
    moment = fields.Datetime(
        string="At",
        required=True,
        default=lambda self: self._default_moment(),
    )
    lang = fields.Selection(
        selection="_selection_lang",
        string="Language",
        compute="_compute_lang",
        store=True,
        readonly=False,
        required=True,
        precompute=True,
    )
    variant_id = fields.Many2one("personalization.variant", compute="_compute_result")
    segment_ids = fields.Many2many(
        "omni.segment", string="Segments", compute="_compute_result"
    )
    outcome = fields.Char(string="Why", compute="_compute_result")
    verdicts = fields.Html(string="Each Variant", compute="_compute_result")
    content = fields.Html(compute="_compute_result")

    @api.model
    def _default_moment(self):
        return fields.Datetime.now()

    @api.model
    def _selection_lang(self):
        return self.env["res.lang"].get_installed()

    @api.depends("partner_id")
    def _compute_lang(self):
        for preview in self:
            preview.lang = preview.partner_id.lang or preview.env.user.lang or "en_US"

    @api.depends("slot_id", "partner_id", "moment", "lang")
    @api.depends_context("lang")
    def _compute_result(self):
        for preview in self:
            slot = preview.slot_id
            if not slot:
                preview.update(
                    {
                        "variant_id": False,
                        "segment_ids": False,
                        "outcome": False,
                        "verdicts": False,
                        "content": False,
                    }
                )
                continue
            segment_ids = slot._segments_of(preview.partner_id)
            decision = slot._decide(preview.partner_id, preview.moment, segment_ids)
            # The reasons are for the reader, the content is for the customer.
            shown = slot.with_context(lang=preview.lang)
            preview.variant_id = decision["variant"]
            preview.segment_ids = [fields.Command.set(sorted(segment_ids))]
            preview.outcome = slot._outcome_text(decision)
            preview.verdicts = Markup("<ul>%s</ul>") % Markup().join(
                Markup("<li><b>%s</b> %s</li>")
                % (verdict["variant"].name, slot._verdict_text(verdict))
                for verdict in decision["verdicts"]
            )
            preview.content = shown._render_for(
                decision["variant"].with_context(lang=preview.lang),
                preview.partner_id.with_context(lang=preview.lang),
            )
