from odoo import api, fields, models
from odoo.tools import SQL


class OmniIdentity(models.Model):
    """Identifiers that too many customers come with name nobody."""

    _name = "omni.identity"
    _inherit = "omni.identity"

    quarantined = fields.Boolean(
        readonly=True,
        help="Seen with too many customers, as the tablet of a shop is: no record finds"
        " a customer by it, and it merges nobody.",
    )
    other_partner_ids = fields.Many2many(
        "res.partner",
        "omni_identity_other_rel",
        "identity_id",
        "partner_id",
        "Also Seen With",
        readonly=True,
    )

    @api.model
    def _note_others(self, seen):
        """Note other customers who came with an identifier; quarantine what is shared.

        :param seen: iterable of ``(kind, value, scope, partner id)``
        """
        seen = sorted(set(seen))
        if not seen:
            return
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO omni_identity_other_rel (identity_id, partner_id)
                SELECT identity.id, seen.partner_id
                FROM unnest(%s::text[], %s::text[], %s::text[], %s::integer[])
                     AS seen (kind, value, scope, partner_id)
                JOIN omni_identity AS identity USING (kind, value, scope)
                WHERE identity.partner_id <> seen.partner_id
                ORDER BY 1, 2
                ON CONFLICT DO NOTHING
                RETURNING identity_id
                """,
                *(list(column) for column in zip(*seen, strict=True)),
            )
        )
        touched = sorted({identity_id for [identity_id] in self.env.cr.fetchall()})
        if touched:
            self.env.cr.execute(
                SQL(
                    """
                    UPDATE omni_identity AS identity SET quarantined = TRUE
                    FROM omni_identity_kind AS kind
                    WHERE identity.id = ANY(%s) AND kind.code = identity.kind
                      AND kind.person_limit > 0 AND kind.person_limit < 1 + (
                          SELECT count(*) FROM omni_identity_other_rel AS other
                          WHERE other.identity_id = identity.id
                            AND other.partner_id <> identity.partner_id
                      )
                    """,
                    touched,
                ),
                log_exceptions=False,
            )
            self.invalidate_model(["quarantined", "other_partner_ids"], flush=False)

    def action_quarantine(self):
        """Let these identifiers name nobody."""
        self.check_access("write")
        self.quarantined = True

    def action_release(self):
        """Let these identifiers name their customers again; others are forgotten."""
        self.check_access("write")
        self.write({"quarantined": False, "other_partner_ids": [(5, 0, 0)]})
