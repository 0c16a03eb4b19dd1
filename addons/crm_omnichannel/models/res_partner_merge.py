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

    @api.model
    def _owners_sql(self, owner_ids=None):
        """Return the query of ``(id, owner_id)``: whose a contact's documents are.

        They belong to the commercial entity of the contact; those that stayed with a
        contact who was merged, to that of who stands for them.

        :param owner_ids: commercial entities; None: all
        """
        self.flush_model(["commercial_partner_id", "merged_into_id"])
        only = SQL("TRUE")
        if owner_ids is not None:
            only = SQL("commercial_partner_id = ANY(%s)", list(owner_ids))
        return SQL(
            """
            WITH RECURSIVE belonging (id, owner_id) AS (
                SELECT id, commercial_partner_id FROM res_partner
                WHERE merged_into_id IS NULL AND %s
                UNION ALL
                SELECT merged.id, belonging.owner_id
                FROM res_partner AS merged
                JOIN belonging ON merged.merged_into_id = belonging.id
            )
            SELECT id, owner_id FROM belonging
            """,
            only,
        )

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
        """Tell what hangs on a contact: ``internal``, ``portal`` or None."""
        self.ensure_one()
        return self._log_in_kinds().get(self.id)

    def _log_in_kinds(self):
        """Return ``{id: internal or portal}`` of those whom somebody logs in as.

        A company of ours is as well kept as those who work for it.
        """
        domain = [("partner_id", "in", self.ids)]
        # sudo: whether there is a user, whoever may see them
        users = self.env["res.users"].sudo().with_context(active_test=False)
        kinds = {
            partner.id: "portal" if portal else "internal"
            for partner, portal in users._read_group(
                domain, ["partner_id"], ["share:bool_and"]
            )
        }
        companies = self.env["res.company"].sudo().with_context(active_test=False)
        for company in companies.search_fetch(domain, ["partner_id"]):
            kinds[company.partner_id.id] = "internal"
        return kinds

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
