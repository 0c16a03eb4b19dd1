from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..tools.matching import outcome
from .omni_match import MERGE_FROM, PROPOSE_FROM


class ResConfigSettings(models.TransientModel):
    _name = "res.config.settings"
    _inherit = "res.config.settings"

    omni_match_merge_unasked = fields.Boolean(
        "Merge Unasked", config_parameter="crm_omnichannel.match_merge_unasked"
    )
    omni_match_merge_from = fields.Float(
        "Merge From",
        config_parameter="crm_omnichannel.match_merge_from",
        default=MERGE_FROM,
        digits=(4, 3),
    )
    omni_match_propose_from = fields.Float(
        "Propose From",
        config_parameter="crm_omnichannel.match_propose_from",
        default=PROPOSE_FROM,
        digits=(4, 3),
    )
    omni_match_preview = fields.Char(compute="_compute_omni_match_preview")

    @api.depends(
        "omni_match_merge_unasked", "omni_match_merge_from", "omni_match_propose_from"
    )
    def _compute_omni_match_preview(self):
        """What these thresholds would have done in the last run over all customers."""
        # sudo: figures only; who sets the system up need not review customers
        run = self.env["omni.match.run"].sudo()._last("full")
        for settings in self:
            if not run:
                settings.omni_match_preview = self.env._(
                    "A first run over all customers will show here what the thresholds"
                    " do."
                )
                continue
            merged, proposed = outcome(
                run.preview,
                settings.omni_match_merge_from,
                settings.omni_match_propose_from,
                settings.omni_match_merge_unasked,
            )
            settings.omni_match_preview = self.env._(
                "Of %(records)s customers in the last full run, %(merged)s would be"
                " merged into others and %(proposed)s pairs would be proposed.",
                records=run.record_count,
                merged=merged,
                proposed=proposed,
            )

    @api.constrains("omni_match_merge_from", "omni_match_propose_from")
    def _check_omni_match_thresholds(self):
        for settings in self:
            lower, upper = (
                settings.omni_match_propose_from,
                settings.omni_match_merge_from,
            )
            if not 0.05 <= lower <= upper <= 1:
                raise ValidationError(
                    self.env._(
                        "The thresholds of the matching must lie between 5 % and 100 %,"
                        " the one to propose not above the one to merge."
                    )
                )
