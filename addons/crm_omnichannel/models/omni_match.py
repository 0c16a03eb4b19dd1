import json
import logging

from markupsafe import Markup
from psycopg2.extras import Json

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, format_date

from odoo.addons.crm_data_governance.db import take_batches

from .. import messages
from ..columns import shown
from ..match_messages import render, weight_code
from ..messages_merge import MergeRefused
from ..tools.match_comparisons import KINDS
from ..tools.matching import PAIRS

_logger = logging.getLogger(__name__)

MERGE_FROM, PROPOSE_FROM = 0.95, 0.5
MERGE_BATCH = 20
#: bits that the reading of one place must take away to be worth a line
PLACE_BITS = 1.0
SHOWS = {
    comparison.code: comparison.shows
    for comparisons in KINDS.values()
    for comparison in comparisons
}


class OmniMatch(models.Model):
    """Two customers who may be one."""

    _name = "omni.match"
    _description = "Possible Duplicate"
    _order = "probability desc, id"
    _rec_name = "left_id"

    left_id = fields.Many2one(
        "res.partner", "First", required=True, readonly=True, ondelete="cascade"
    )
    right_id = fields.Many2one(
        "res.partner",
        "Second",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    probability = fields.Float(
        required=True,
        readonly=True,
        digits=(7, 6),
        aggregator="avg",
        help="How likely the two are one customer.",
    )
    state = fields.Selection(
        [("proposed", "Proposed"), ("merged", "Merged"), ("rejected", "Not the Same")],
        "Status",
        required=True,
        readonly=True,
        default="proposed",
        index=True,
    )
    sure = fields.Boolean(
        "Merge Unasked",
        readonly=True,
        help="Above the upper threshold, and nothing contradicts: merged in the"
        " background.",
    )
    company_id = fields.Many2one("res.company", readonly=True, index="btree_not_null")
    run_id = fields.Many2one("omni.match.run", readonly=True, ondelete="set null")
    explanation = fields.Json(
        readonly=True, help="The answers of the comparison, without values."
    )
    fingerprint = fields.Char(
        readonly=True, help="Of what was compared: changes when one of the two does."
    )
    explanation_text = fields.Char("Why", compute="_compute_explanation_text")
    comparison_html = fields.Html(
        "Comparison", compute="_compute_comparison_html", sanitize=False
    )
    refusal_code = fields.Char(
        readonly=True, help="Why the two were not merged unasked."
    )
    refusal_params = fields.Json(readonly=True)
    refusal = fields.Char("Why It Waits", compute="_compute_refusal")
    decided_by_id = fields.Many2one("res.users", "Decided by", readonly=True)
    decided_at = fields.Datetime("Decided", readonly=True)

    _pair_uniq = models.Constraint(
        "UNIQUE(left_id, right_id)", "These two customers stand side by side already."
    )
    _pair_order = models.Constraint(
        "CHECK(left_id < right_id)", "A pair is stored once, the older customer first."
    )
    _sure_idx = models.Index("(probability) WHERE sure AND state = 'proposed'")

    # --- COMPUTES ---

    @api.depends("left_id", "right_id")
    def _compute_display_name(self):
        for match in self:
            match.display_name = self.env._(
                "%(left)s and %(right)s",
                left=match.left_id.display_name,
                right=match.right_id.display_name,
            )

    @api.depends("explanation")
    @api.depends_context("lang")
    def _compute_explanation_text(self):
        """The strongest answers, for and against."""
        for match in self:
            answers = sorted(
                (match.explanation or {}).get("answers", ()),
                key=lambda answer: -abs(answer["weight"]),
            )
            match.explanation_text = " · ".join(
                render(self.env, answer["code"])
                for answer in answers[:3]
                if abs(answer["weight"]) >= 1.5
            )

    @api.depends("refusal_code", "refusal_params")
    @api.depends_context("lang")
    def _compute_refusal(self):
        for match in self:
            match.refusal = messages.render(
                self.env, match.refusal_code, match.refusal_params
            )

    @api.depends("explanation", "left_id", "right_id")
    @api.depends_context("lang", "uid")
    def _compute_comparison_html(self):
        """One row a comparison: both values, what they say and how much it weighs."""
        for match in self:
            explanation = match.explanation or {}
            rows = [match._render_answer(one) for one in explanation.get("answers", ())]
            place = explanation.get("place", 0)
            if place >= PLACE_BITS:
                rows.append(
                    Markup("<tr><td colspan='4'>%s</td><td>%s</td></tr>")
                    % (render(self.env, "one_place"), match._render_weight(-place))
                )
            match.comparison_html = Markup(
                "<div>"
                "<table class='table table-sm o_omni_match'><thead><tr><th>%s</th>"
                "<th>%s</th><th>%s</th><th>%s</th><th>%s</th></tr></thead>"
                "<tbody>%s</tbody></table></div>"
            ) % (
                self.env._("Field"),
                # as their buttons say; the names may be the same
                self._fields["left_id"]._description_string(self.env),
                self._fields["right_id"]._description_string(self.env),
                self.env._("Agreement"),
                self.env._("Weight"),
                Markup().join(rows),
            )

    def _render_answer(self, answer):
        comparison = answer["code"].partition(".")[0]
        name = SHOWS.get(comparison, "name")
        field = self.env["res.partner"]._fields[name]
        return Markup(
            "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>"
        ) % (
            field._description_string(self.env),
            self._shown_value(self.left_id, name),
            self._shown_value(self.right_id, name),
            render(self.env, answer["code"]),
            self._render_weight(answer["weight"]),
        )

    def _render_weight(self, bits):
        code = weight_code(bits)
        color = {"5": "success", "4": "success", "3": "success", "2": "muted"}
        return Markup("<span class='text-%s' title='%s'>%s</span>") % (
            color.get(code[-1], "danger"),
            self.env._("%(bits)+.1f bits", bits=bits),
            render(self.env, code),
        )

    def _shown_value(self, partner, name):
        """A customer's value as the reader sees it elsewhere."""
        value = shown(partner, name, partner[name]) if partner else None
        if not value:
            return ""
        field = partner._fields[name]
        if field.type == "many2one":
            return value.display_name
        if field.type == "date":
            return format_date(self.env, value)
        if field.type == "selection":
            return dict(field._description_selection(self.env)).get(value, value)
        if name == "city":
            return " ".join(filter(None, (partner.zip, value, partner.state_id.name)))
        return value

    # --- THRESHOLDS ---

    @api.model
    def _thresholds(self):
        """Return ``(merge from, propose from, whether to merge unasked)``."""
        # sudo: how the addon is set up is no secret to who reads its proposals
        get = self.env["ir.config_parameter"].sudo().get_param
        return (
            float(get("crm_omnichannel.match_merge_from", MERGE_FROM)),
            float(get("crm_omnichannel.match_propose_from", PROPOSE_FROM)),
            get("crm_omnichannel.match_merge_unasked") == "True",
        )

    @api.model
    def _floor(self):
        """Return the least probability that is asked of a run: the preview shows what
        a lower threshold would propose."""
        return min(PROPOSE_FROM, self._thresholds()[1])

    # --- TAKE IN ---

    @api.model
    def _take(self, run, folder):
        """Take in the pairs of a run.

        What a person has rejected stays so unless one of the two has changed since; a
        merge that was undone counts as rejected. A proposal that the run no longer
        makes is taken back.

        :return: ``(pairs found, {"proposed": n, "sure": n})``
        """
        upper, lower, unasked = self._thresholds()
        with (folder / PAIRS).open(encoding="utf-8") as source:
            found = [json.loads(line) for line in source]
        alive = self._alive({end for pair in found for end in pair[:2]})
        decided = {
            (match.left_id.id, match.right_id.id): match
            for match in self.search_fetch(
                [("state", "!=", "proposed")],
                ["left_id", "right_id", "state", "fingerprint"],
            )
        }
        rows = []
        for left, right, probability, answers, place, sure, fingerprint in found:
            if probability < lower or not {left, right} <= alive.keys():
                continue
            match = decided.get((left, right), self.browse())
            if match.state == "rejected" and match.fingerprint == fingerprint:
                continue
            if match.state == "merged":
                # both are there: a person took the merge back
                match.write({"state": "rejected", "fingerprint": fingerprint})
                continue
            rows.append(
                {
                    "left_id": left,
                    "right_id": right,
                    "probability": probability,
                    "explanation": {
                        "answers": [
                            {"code": f"{code}.{level}", "weight": weight}
                            for code, level, weight in answers
                        ],
                        "place": place,
                    },
                    "fingerprint": fingerprint,
                    "sure": unasked and sure and probability >= upper,
                    "company_id": alive[left] or alive[right],
                }
            )
        self._propose(run, rows)
        self._take_back(run)
        sure = sum(row["sure"] for row in rows)
        if sure:
            self.env.ref("crm_omnichannel.ir_cron_merge_matches")._trigger()
        return len(found), {"proposed": len(rows) - sure, "sure": sure}

    @api.model
    def _propose(self, run, rows):
        """Store proposals, new ones and those that are there already, by one statement:
        there may be as many as there are customers."""
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO omni_match AS match (
                    left_id, right_id, probability, explanation, fingerprint, sure,
                    company_id, state, run_id,
                    create_uid, create_date, write_uid, write_date
                )
                SELECT
                    left_id, right_id, probability, explanation, fingerprint, sure,
                    company_id, 'proposed', %(run)s,
                    %(user)s, %(now)s, %(user)s, %(now)s
                FROM jsonb_to_recordset(%(rows)s) AS row (
                    left_id int, right_id int, probability numeric,
                    explanation jsonb, fingerprint varchar, sure bool, company_id int
                )
                ON CONFLICT (left_id, right_id) DO UPDATE SET
                    probability = excluded.probability,
                    explanation = excluded.explanation,
                    fingerprint = excluded.fingerprint,
                    sure = excluded.sure,
                    company_id = excluded.company_id,
                    state = excluded.state,
                    run_id = excluded.run_id,
                    refusal_code = NULL,
                    refusal_params = NULL,
                    write_uid = excluded.write_uid,
                    write_date = excluded.write_date
                """,
                run=run.id,
                user=self.env.uid,
                now=self.env.cr.now(),
                rows=Json(rows),
            )
        )
        self.invalidate_model()

    @api.model
    def _alive(self, partner_ids):
        """Return ``{id: company id or None}`` of those who are still active."""
        self.env["res.partner"].flush_model(["active", "company_id"])
        return dict(
            self.env.execute_query(
                SQL(
                    "SELECT id, company_id FROM res_partner"
                    " WHERE active AND id = ANY(%s)",
                    list(partner_ids),
                )
            )
        )

    @api.model
    def _take_back(self, run):
        """Delete the proposals that the run could have made and did not."""
        domain = [("state", "=", "proposed"), ("run_id", "!=", run.id)]
        if run.mode == "fresh":
            domain += [
                "|",
                ("left_id.write_date", ">=", run.since),
                ("right_id.write_date", ">=", run.since),
            ]
        self.with_context(active_test=False).search(domain).unlink()

    # --- MERGE ---

    @api.model
    def _cron_merge(self):
        """Merge the pairs that are sure, in batches of their own transactions."""
        take_batches(
            self.env.registry,
            self.env.uid,
            (
                "omni_match",
                SQL("sure AND state = 'proposed'"),
                SQL("probability DESC, id"),
                MERGE_BATCH,
            ),
            lambda env, batch: env["omni.match"].browse(batch)._merge_unasked(),
        )

    def _merge_unasked(self):
        """Merge each, the likeliest first; what cannot be merged waits for a person."""
        for match in self.sorted(lambda match: (-match.probability, match.id)):
            match.sure = False
            left, right = match.left_id, match.right_id
            if not (left.active and right.active):
                # one is gone into a third meanwhile: the next run looks again
                match.unlink()
                continue
            try:
                match._merge_pair(match._survivor(), rule="match")
            except UserError as error:
                code, params = messages.cause_of(error, "not_merged")
                match.write({"refusal_code": code, "refusal_params": params})
                if not isinstance(error, MergeRefused):
                    _logger.warning("Match %s not merged", match.id, exc_info=True)

    def _survivor(self):
        """Return who stays: who has an account, more business, or was here first."""
        self.ensure_one()
        return max(
            (self.left_id, self.right_id),
            key=lambda partner: (
                bool(partner._log_in_kind()),
                partner.customer_rank + partner.supplier_rank,
                -partner.id,
            ),
        )

    def _merge_pair(self, target, rule):
        """Merge the two into one of them, through the merge journal.

        :param target: ``res.partner``, who stays
        :param str rule: ``match`` (unasked) or ``manual``
        """
        self.ensure_one()
        source = (self.left_id | self.right_id) - target
        self.env["omni.merge"]._merge(
            target, source, rule=rule, params={"probability": self.probability}
        )
        self.write(
            {
                "state": "merged",
                "sure": False,
                "decided_by_id": self.env.uid,
                "decided_at": fields.Datetime.now(),
            }
        )

    # --- ACTIONS ---

    def action_merge_left(self):
        """Merge into the first."""
        return self._merge_by_hand("left_id")

    def action_merge_right(self):
        """Merge into the second."""
        return self._merge_by_hand("right_id")

    def _merge_by_hand(self, side):
        for match in self._to_decide():
            match._merge_pair(match[side], rule="manual")
        return self._next()

    def action_reject(self):
        """The two are not the same: never propose them again as they are."""
        self._to_decide().write(
            {
                "state": "rejected",
                "sure": False,
                "decided_by_id": self.env.uid,
                "decided_at": fields.Datetime.now(),
            }
        )
        return self._next()

    def _to_decide(self):
        """Return the open ones of these with the rights to decide.

        :raise AccessError: the user may not change one of the customers
        """
        self.check_access("read")
        (self.left_id | self.right_id).check_access("write")
        # sudo: who may change both customers may say whether they are one
        matches_sudo = self.sudo()
        if any(match.state != "proposed" for match in matches_sudo):
            raise UserError(self.env._("This pair has been decided already."))
        return matches_sudo

    @api.model
    def _open_domain(self):
        """Return which pairs wait: not those of which one is merged already."""
        return (
            Domain("state", "=", "proposed")
            & Domain("left_id.active", "=", True)
            & Domain("right_id.active", "=", True)
        )

    def _next(self):
        """Open the next that waits, if one was decided on its own form."""
        if len(self) > 1:
            return True
        following = self.search(
            self._open_domain() & Domain("id", "!=", self.id), limit=1
        )
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_omnichannel.omni_match_action"
        )
        if following:
            action.update(res_id=following.id, views=[(False, "form")], target="main")
        return action

    def action_open_left(self):
        return self._open(self.left_id)

    def action_open_right(self):
        return self._open(self.right_id)

    def _open(self, partner):
        return {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "res_id": partner.id,
            "views": [(False, "form")],
        }
