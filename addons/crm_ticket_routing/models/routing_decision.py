import json

from odoo import api, fields, models
from odoo.tools import SQL, float_repr, float_round, format_list

from odoo.addons.crm_data_governance.messages import render

from ..messages import BECAUSE, BLOCKS, FACTORS, ROUTING, TERMS

#: Candidates that a decision keeps; of the others only their number.
KEPT_CANDIDATES = 50


class RoutingDecision(models.Model):
    _name = "routing.decision"
    _description = "Routing Decision"
    _order = "id desc"
    _rec_name = "ticket_id"

    ticket_id = fields.Many2one(
        "helpdesk.ticket", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="ticket_id.company_id", store=True, index=True)
    team_id = fields.Many2one(
        "helpdesk.ticket.team",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="The team of the ticket at the time.",
    )
    user_id = fields.Many2one(
        "res.users",
        string="Agent",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    outcome = fields.Selection(
        [
            ("assigned", "Assigned"),
            ("suggested", "Suggested"),
            ("waiting", "Waits"),
        ],
        required=True,
        readonly=True,
    )
    mode = fields.Selection(
        [
            ("automatic", "Automatic"),
            ("suggest", "Suggest Only"),
            ("request", "On Request"),
        ],
        required=True,
        readonly=True,
    )
    superseded = fields.Boolean(readonly=True)
    reason_code = fields.Char(required=True, readonly=True)
    reason_params = fields.Json(readonly=True)
    reason = fields.Char(string="Why", compute="_compute_reason")
    cost = fields.Float(readonly=True, digits=(16, 2), aggregator="avg")
    urgency = fields.Float(readonly=True, digits=(16, 2), aggregator="avg")
    urgency_factors = fields.Json(readonly=True)
    candidates = fields.Json(
        readonly=True, help="Who was considered, in order, with each term of the cost."
    )
    candidates_html = fields.Html(
        string="Who Was Considered",
        compute="_compute_candidates_html",
        sanitize=False,
    )
    wait_seconds = fields.Integer(
        string="Waited (s)",
        readonly=True,
        aggregator="avg",
        help="From the ticket's arrival to this decision.",
    )
    overridden_by_id = fields.Many2one(
        "res.users",
        string="Changed by",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )
    overridden_at = fields.Datetime(string="Changed on", readonly=True)
    override_user_id = fields.Many2one(
        "res.users", string="Changed to", readonly=True, ondelete="set null"
    )
    override_reason = fields.Char(string="Reason of the Change", readonly=True)

    _current_uniq = models.UniqueIndex(
        "(ticket_id) WHERE superseded IS NOT TRUE",
        "A ticket has one decision that holds.",
    )
    _waiting_idx = models.Index(
        "(team_id, reason_code) WHERE outcome = 'waiting' AND superseded IS NOT TRUE"
    )

    # --- WORDS ---

    @api.depends("reason_code", "reason_params", "user_id")
    @api.depends_context("lang")
    def _compute_reason(self):
        for decision in self:
            params = decision.reason_params or {}
            words = {
                # sudo: the name of a colleague, whose record may be out of reach.
                "agent": decision.user_id.sudo().name or "",
                "because": self._list(
                    render(self.env, BECAUSE, code, params)
                    for code in params.get("because", ())
                ),
                "skills": self._list(
                    self._skill_text(skill_id, level)
                    for skill_id, level in params.get("skills", ())
                ),
            }
            decision.reason = render(self.env, ROUTING, decision.reason_code, words)

    @api.depends("candidates", "urgency_factors", "user_id")
    @api.depends_context("lang")
    def _compute_candidates_html(self):
        for decision in self:
            decision.candidates_html = (
                self.env["ir.qweb"]._render(
                    "crm_ticket_routing.routing_candidates",
                    decision._prepare_candidates_values(),
                )
                if decision.candidates
                else False
            )

    def _prepare_candidates_values(self):
        """What the table of candidates shows."""
        self.ensure_one()
        entries = self.candidates
        others = (self.reason_params or {}).get("considered", 0) - len(entries)
        # sudo: names of colleagues, whose records may be out of the reader's reach.
        names = {
            user.id: user.name
            for user in self.env["res.users"]
            .sudo()
            .browse([entry["user"] for entry in entries])
            .exists()
        }
        return {
            "rows": [
                {
                    "name": names.get(entry["user"]) or self.env._("Unknown agent"),
                    "chosen": entry["user"] == self.user_id.id,
                    "able": not entry["blocks"],
                    "cost": self._number(entry["cost"]),
                    "terms": self._term_texts(entry),
                    "text": self._candidate_text(entry),
                }
                for entry in entries
            ],
            "others": others > 0
            and self.env._("%(number)s others were considered too.", number=others),
            "urgency": self._number(self.urgency),
            "factors": [
                f"{render(self.env, FACTORS, name)} × {self._number(factor)}"
                for name, factor in (self.urgency_factors or {}).items()
                if factor != 1
            ],
        }

    @api.model
    def _number(self, value):
        """As the fields show it: two digits, halves away from zero."""
        return float_repr(float_round(value, precision_digits=2), 2)

    @api.model
    def _list(self, texts):
        return format_list(self.env, list(texts), lang_code=self.env.lang or "en_US")

    @api.model
    def _skill_text(self, skill_id, level):
        """:param int level: from 0 to 100"""
        return self.env._(
            "%(skill)s from %(level)s %%",
            # sudo: skills are told as far as a ticket asks for them.
            skill=self.env["hr.skill"].sudo().browse(skill_id).name,
            level=level,
        )

    @api.model
    def _term_texts(self, entry):
        """The terms of a candidate's cost that are not zero, in words."""
        return [
            f"{render(self.env, TERMS, name)} {self._number(entry['terms'][name])}"
            for name in TERMS
            if entry["terms"].get(name)
        ]

    @api.model
    def _candidate_text(self, entry):
        """What stands in the way of a candidate, or is missing.

        :param dict entry: of ``candidates``
        """
        parts = []
        if not entry["known"]:
            parts.append(self.env._("No employee is linked, so no skill is known."))
        parts += [self._gap_text(gap) for gap in entry["missing"]]
        parts += [
            render(self.env, BLOCKS, code, entry)
            for code in entry["blocks"]
            if code in BLOCKS
        ]
        parts += [
            self.env._("Optional: %(gap)s", gap=self._gap_text(gap))
            for gap in entry["optional_missing"]
        ]
        return " ".join(parts)

    @api.model
    def _gap_text(self, gap):
        """:param gap: ``[skill id, level asked, level there or None]``"""
        skill_id, asked, has = gap
        # sudo: as in _skill_text.
        skill = self.env["hr.skill"].sudo().browse(skill_id).name
        if has is None:
            return self.env._("%(skill)s is missing.", skill=skill)
        return self.env._(
            "%(skill)s is at %(has)s %%, %(asked)s %% is asked for.",
            skill=skill,
            has=has,
            asked=asked,
        )

    @api.model
    def _prepare_candidate(self, candidate):
        """A candidate as it is stored.

        :param candidate: ``tools.routing_cost.Candidate``
        """
        return {
            "user": candidate.agent.key,
            "known": candidate.agent.known,
            "load": candidate.agent.load,
            "capacity": candidate.agent.capacity,
            "blocks": list(candidate.blocks),
            "missing": [list(gap) for gap in candidate.fit.missing],
            "optional_missing": [list(gap) for gap in candidate.fit.optional_missing],
            "terms": {name: round(cost, 4) for name, cost in candidate.terms.items()},
            "cost": round(candidate.cost, 4),
        }

    # --- LIFE ---

    @api.model
    def _get_current_domain(self, tickets):
        return [("ticket_id", "in", tickets.ids), ("superseded", "=", False)]

    @api.model
    def _record(self, vals_list):
        """Store what was decided; it supersedes what was decided before.

        A ticket that still waits for the same reason keeps its decision, brought up
        to date.

        :param list vals_list: values, one dict a ticket
        """
        tickets = self.env["helpdesk.ticket"].browse(v["ticket_id"] for v in vals_list)
        before = {
            decision.ticket_id.id: decision
            for decision in self.search(self._get_current_domain(tickets))
        }
        new = []
        superseded = self.browse()
        for values in vals_list:
            decision = before.get(values["ticket_id"], self.browse())
            if (
                decision.outcome == "waiting" == values["outcome"]
                and not decision.overridden_by_id
                and all(
                    (decision[name] or False) == (values[name] or False)
                    for name in ("reason_code", "mode", "reason_params")
                )
            ):
                if (decision.candidates or False) != (values["candidates"] or False):
                    decision.write(
                        {
                            name: values[name]
                            for name in ("candidates", "urgency", "urgency_factors")
                        }
                    )
                continue
            superseded |= decision
            new.append(values)
        superseded.write({"superseded": True})
        # The unique index sees the old ones superseded before the new ones come.
        superseded.flush_recordset()
        decisions = self.create(new)
        self.env["routing.wait.bucket"]._count(
            decisions.filtered(lambda d: d.outcome == "assigned")
        )
        return decisions

    def _note_change(self, user, by):
        """Note that somebody chose another agent than these decisions.

        :param user: ``res.users`` whom the tickets were given to, or empty
        :param by: ``res.users`` who did it
        """
        same = self.filtered(lambda d: d.user_id == user and user)
        accepted = same.filtered(lambda d: d.outcome != "assigned")
        same.write(
            {
                "outcome": "assigned",
                "overridden_by_id": False,
                "overridden_at": False,
                "override_user_id": False,
                "override_reason": False,
            }
        )
        self.env["routing.wait.bucket"]._count(accepted)
        (self - same).write(
            {
                "overridden_by_id": by.id,
                "overridden_at": fields.Datetime.now(),
                "override_user_id": user.id,
                "override_reason": False,
            }
        )

    @api.model
    def _with_candidate(self, users):
        """Decisions for which one of these users was considered.

        :param users: ``res.users``
        """
        self.flush_model(["candidates"])
        rows = self.env.execute_query(
            SQL(
                "SELECT id FROM routing_decision WHERE candidates @> ANY(%s::jsonb[])",
                [json.dumps([{"user": user.id}]) for user in users],
            )
        )
        return self.browse(row[0] for row in rows)
