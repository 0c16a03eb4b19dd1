from odoo import api, fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    behavior_features_as_of = fields.Datetime(
        "Features as of", readonly=True, groups="base.group_system"
    )
    behavior_features_read_at = fields.Datetime(
        readonly=True,
        groups="base.group_system",
        help="When the facts of the last refresh were read.",
    )
    behavior_features_job_id = fields.Many2one(
        "omni.job", readonly=True, groups="base.group_system", copy=False
    )

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        # sudo: who creates a company need not know of sources.
        self.env["behavior.source"].sudo()._ensure_odoo_sources(companies)
        return companies

    def _set_behavior_refresh(self, as_of, read_at):
        """Note a refresh of the features.

        :param datetime as_of: the moment that they are of
        :param datetime read_at: when their facts were read
        """
        self.ensure_one()
        self.write(
            {"behavior_features_as_of": as_of, "behavior_features_read_at": read_at}
        )
