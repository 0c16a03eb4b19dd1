from markupsafe import Markup

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..columns import asked, readable
from ..tools.match_model import score
from ..tools.match_records import prepare

#: customers of one key that a hint looks at
CANDIDATES = 20
#: column of the matcher → field of the customer
MATCH_FIELDS = {
    "name": "name",
    "email": "email",
    "phone": "phone_sanitized",
    "street": "street",
    "street2": "street2",
    "city": "city",
    "zip": "zip",
    "birthdate": "omni_birthdate",
    "gender": "omni_gender",
    "vat": "vat",
    "website": "website",
}


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = "res.partner"

    omni_match_words = fields.Char(
        "Name as Compared",
        compute="_compute_omni_match_words",
        store=True,
        readonly=True,
        help="The name without case, accents, script and order of its parts.",
    )
    omni_match_hint = fields.Html(
        "Possible Duplicates", compute="_compute_omni_match_hint", sanitize=False
    )
    omni_match_count = fields.Integer(
        "Possible Duplicates Waiting", compute="_compute_omni_match_count"
    )

    _omni_match_words_idx = models.Index(
        "(omni_match_words) WHERE omni_match_words IS NOT NULL"
    )

    @api.depends("name", "is_company")
    def _compute_omni_match_words(self):
        for partner in self:
            partner.omni_match_words = prepare(
                {"name": partner.name or None}, bool(partner.is_company)
            )["words"]

    def _compute_omni_match_count(self):
        counts = {}
        if self.env["omni.match"].has_access("read"):
            for side in ("left_id", "right_id"):
                for partner, count in self.env["omni.match"]._read_group(
                    Domain(side, "in", self.ids)
                    & self.env["omni.match"]._open_domain(),
                    [side],
                    ["__count"],
                ):
                    counts[partner.id] = counts.get(partner.id, 0) + count
        for partner in self:
            partner.omni_match_count = counts.get(partner.id, 0)

    # --- WHAT IS COMPARED ---

    @api.model
    def _match_columns(self):
        """Return the columns of the matcher, as far as the reader may see them."""
        return SQL(
            "%s, state.code AS state, country.code AS country,"
            " coalesce(parent.name, partner.company_name) AS company",
            SQL(", ").join(
                SQL(
                    "%s AS %s",
                    readable(self, field, "partner"),
                    SQL.identifier(column),
                )
                for column, field in MATCH_FIELDS.items()
            ),
        )

    @api.model
    def _match_tables(self):
        return SQL(
            """
            res_partner AS partner
            LEFT JOIN res_partner AS parent ON parent.id = partner.parent_id
            LEFT JOIN res_country_state AS state ON state.id = partner.state_id
            LEFT JOIN res_country AS country ON country.id = partner.country_id
            """
        )

    @api.model
    def _match_filter(self):
        """Return who can be found twice: customers, no addresses of theirs, neither
        employees nor the own companies."""
        return SQL(
            """
            partner.active AND partner.partner_share AND partner.name <> ''
            AND coalesce(partner.type, 'contact') = 'contact'
            AND NOT EXISTS (
                SELECT FROM res_company WHERE res_company.partner_id = partner.id
            )
            """
        )

    # --- THE HINT ---

    @api.depends(
        "name",
        "email",
        "phone",
        "street",
        "city",
        "zip",
        "is_company",
        "company_id",
        "parent_id",
        "vat",
        "omni_birthdate",
    )
    @api.depends_context("lang", "uid")
    def _compute_omni_match_hint(self):
        """Customers whom the one being typed may be; nothing is blocked by it."""
        for partner in self:
            found = partner._match_candidates() if partner.name else []
            partner.omni_match_hint = (
                partner._render_hint(found[:3]) if found else False
            )

    def _match_candidates(self):
        """Return ``[(probability, partner)]`` of whom a customer may be, by the weights
        of the last matching run, the likeliest first.

        Two queries: the customers of the same name, e-mail or telephone by index, and
        their values.
        """
        self.ensure_one()
        kind = "company" if self.is_company else "person"
        typed = prepare(self._match_values(), self.is_company)
        candidates = self._match_blocked(typed)
        if not candidates:
            return []
        model = self.env["omni.match.run"]._model(kind)
        lower = self.env["omni.match"]._thresholds()[1]
        self.flush_model()
        rows = self.env.execute_query_dict(
            SQL(
                "SELECT partner.id, %s FROM %s WHERE %s AND partner.id = ANY(%s)",
                self._match_columns(),
                self._match_tables(),
                self._match_filter(),
                candidates.ids,
            )
        )
        found = []
        for row in rows:
            other = row.pop("id")
            row["birthdate"] = row["birthdate"] and row["birthdate"].isoformat()
            verdict = score(model, typed, prepare(row, self.is_company))
            if verdict.probability >= lower:
                found.append((verdict.probability, other))
        found.sort(key=lambda one: (-one[0], one[1]))
        rejected = self._match_rejected()
        return [
            (probability, self.browse(other))
            for probability, other in found
            if other not in rejected
        ]

    def _match_values(self):
        """Return the values typed, as a record of the matcher."""
        return {
            **{column: self[field] or None for column, field in MATCH_FIELDS.items()},
            "phone": self.phone_sanitized or self.phone or None,
            "birthdate": self.omni_birthdate and self.omni_birthdate.isoformat(),
            "state": self.state_id.code or None,
            "country": self.country_id.code or None,
            "company": self.parent_id.name or self.company_name or None,
        }

    def _match_blocked(self, typed):
        """Return the customers who share a key with the one typed, by index."""
        found = self.browse()
        scope = Domain("is_company", "=", bool(self.is_company))
        scope &= Domain("id", "not in", [*self._origin.ids, *self.parent_id.ids])
        if self._origin:
            scope &= Domain("parent_id", "!=", self._origin.id) | Domain(
                "parent_id", "=", False
            )
        if self.company_id:
            scope &= Domain("company_id", "in", [False, self.company_id.id])
        for field, value in (
            ("email_normalized", typed["email"]),
            ("phone_sanitized", self.phone_sanitized),
            ("omni_match_words", typed["words"]),
        ):
            if value:
                query = asked(self, scope & Domain(field, "=", value))
                query.limit = CANDIDATES
                found |= self.browse(query.get_result_ids())
        return found

    def _match_rejected(self):
        """Return the ids of those whom a person has told from this one."""
        origin = self._origin.id
        if not origin:
            return set()
        # sudo: only that the two were told apart, by whomever
        matches = (
            self.env["omni.match"]
            .sudo()
            .search(
                [
                    ("state", "=", "rejected"),
                    "|",
                    ("left_id", "=", origin),
                    ("right_id", "=", origin),
                ]
            )
        )
        return {*matches.left_id.ids, *matches.right_id.ids} - {origin}

    def _render_hint(self, found):
        links = Markup(", ").join(
            Markup("<a href='/odoo/res.partner/%s' target='_blank'>%s</a>")
            % (partner.id, partner._match_label())
            for _probability, partner in found
        )
        if self.is_company:
            text = self.env._("This company may be here already:")
        else:
            text = self.env._("This may be somebody who is here already:")
        return Markup("<span>%s %s</span>") % (text, links)

    def _match_label(self):
        """A customer's name with the place or company that tells whom it means."""
        where = self.parent_id.name or self.city
        return f"{self.name} ({where})" if where else self.name

    def action_view_omni_matches(self):
        """Open the proposals of these customers."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_omnichannel.omni_match_action"
        )
        action["domain"] = [
            "|",
            ("left_id", "in", self.ids),
            ("right_id", "in", self.ids),
        ]
        return action
