from odoo import api, fields, models
from odoo.tools import SQL

#: context of Odoo's merge wizard, whose steps the journal does
MERGED = "omni_merged"


class ResPartner(models.Model):
    """Customers that were merged: who they are now, and who they were."""

    _name = "res.partner"
    _inherit = "res.partner"

    merged_into_id = fields.Many2one(
        "res.partner",
        copy=False,
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="The customer who stands for this archived one since they were merged.",
    )
    merged_from_ids = fields.One2many(
        "res.partner", "merged_into_id", context={"active_test": False}
    )
    merged_from_count = fields.Integer(compute="_compute_merged_from_count")

    @api.depends("merged_from_ids")
    def _compute_merged_from_count(self):
        counts = dict(
            self.with_context(active_test=False)._read_group(
                [("merged_into_id", "in", self.ids)], ["merged_into_id"], ["__count"]
            )
        )
        for partner in self:
            partner.merged_from_count = counts.get(partner, 0)

    def unlink(self):
        """Those whom the wizard has merged are archived, and stay."""
        if not self.env.context.get(MERGED):
            return super().unlink()
        merged = self.filtered("merged_into_id")
        return super(ResPartner, self - merged).unlink()

    def _survivor(self):
        """Return who stands for a customer, along the chain of merges."""
        self.ensure_one()
        self.flush_model(["merged_into_id"])
        [[survivor_id]] = self.env.execute_query(
            SQL(
                """
                WITH RECURSIVE chain (id, next_id) AS (
                    SELECT id, merged_into_id FROM res_partner WHERE id = %s
                    UNION
                    SELECT partner.id, partner.merged_into_id
                    FROM res_partner AS partner JOIN chain ON partner.id = chain.next_id
                )
                SELECT coalesce(max(id) FILTER (WHERE next_id IS NULL), %s) FROM chain
                """,
                self.id,
                self.id,
            )
        )
        return self.browse(survivor_id)

    def _merge_circle(self):
        """Return these customers with all who were merged into or from them."""
        self.flush_model(["merged_into_id"])
        rows = self.env.execute_query(
            SQL(
                """
                WITH RECURSIVE circle (id) AS (
                    SELECT unnest(%s::integer[])
                    UNION
                    SELECT CASE WHEN partner.id = circle.id
                        THEN partner.merged_into_id ELSE partner.id END
                    FROM circle JOIN res_partner AS partner
                      ON partner.merged_into_id IS NOT NULL
                     AND circle.id IN (partner.id, partner.merged_into_id)
                )
                SELECT id FROM circle ORDER BY id
                """,
                self.ids,
            )
        )
        return self.browse(partner_id for [partner_id] in rows)

    def _ancestors(self):
        """Return the contacts above one, the nearest first."""
        above, partner = self.browse(), self.parent_id
        while partner and partner not in above:
            above, partner = above | partner, partner.parent_id
        return above

    def _log_in_kind(self):
        """Tell what hangs on a contact: ``internal``, ``portal`` or None.

        A company of ours is as well kept as those who work for it.
        """
        self.ensure_one()
        # sudo: whether there is a user, whoever may see them
        users = self.env["res.users"].sudo().with_context(active_test=False)
        users = users.search([("partner_id", "=", self.id)])
        if any(not user.share for user in users) or self.sudo().ref_company_ids:
            return "internal"
        return "portal" if users else None

    # --- ACTIONS ---

    def action_view_merges(self):
        """Open the merges into, and of, this customer."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_omnichannel.omni_merge_action"
        )
        action["domain"] = [
            "|",
            ("target_id", "=", self.id),
            ("source_id", "=", self.id),
        ]
        action["context"] = {}
        return action

    def action_view_survivor(self):
        """Open the customer who stands for this one."""
        return {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "res_id": self._survivor().id,
            "view_mode": "form",
        }
