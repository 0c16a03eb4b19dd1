import logging

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import collide

from .. import journal, undoing
from ..messages_merge import MergeRefused, render
from ..moving import Mover
from ..surviving import surviving_values

_logger = logging.getLogger(__name__)

RULES = [
    ("strong_link", "Same Identifier"),
    ("match", "Match"),
    ("manual", "By Hand"),
    ("wizard", "Merge Wizard"),
]
#: rules that nobody looks at case by case
AUTOMATIC = frozenset({"strong_link", "match"})
#: no mail, no tracking; nothing that a person would be told of
QUIET = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_create_nosubscribe": True,
    "mail_notrack": True,
    "no_vat_validation": True,
    "active_test": False,
    "lang": None,
}
#: stored copies of a partner that follow a moved reference; anything else that is
#: computed from one (prices, terms, taxes) is a fact of its document and stays
COPIES = frozenset(
    {
        "account.move.invoice_partner_display_name",
        "calendar.attendee.common_name",
    }
)
#: tables that answers are remembered from
CACHED = frozenset({"ir_default", "ir_model_data", "res_users"})


class OmniMerge(models.Model):
    """Two customers who became one, with all that was changed for it."""

    _name = "omni.merge"
    _description = "Merge of Customers"
    _order = "merged_at desc, id desc"
    # who and when are fields of their own; the rest is never written by hand

    target_id = fields.Many2one(
        "res.partner",
        "Survivor",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    source_id = fields.Many2one(
        "res.partner",
        "Merged Customer",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    rule = fields.Selection(RULES, required=True, readonly=True, index=True)
    params = fields.Json("Rule Parameters", readonly=True)
    reason = fields.Char(compute="_compute_reason")
    user_id = fields.Many2one("res.users", "Merged By", readonly=True)
    merged_at = fields.Datetime("Merged On", required=True, readonly=True, index=True)
    undone_at = fields.Datetime("Undone", readonly=True)
    undone_by_id = fields.Many2one("res.users", readonly=True)
    state = fields.Selection(
        [("done", "Done"), ("partly", "Partly Undone"), ("undone", "Undone")],
        "Status",
        required=True,
        readonly=True,
        default="done",
        index=True,
    )
    company_id = fields.Many2one("res.company", readonly=True, index="btree_not_null")
    line_ids = fields.One2many("omni.merge.line", "merge_id", readonly=True)
    conflict_ids = fields.One2many("omni.merge.conflict", "merge_id")
    open_conflict_count = fields.Integer(compute="_compute_open_conflict_count")
    summary_html = fields.Html(
        "What Was Merged", compute="_compute_summary_html", sanitize=False
    )

    _check_two = models.Constraint(
        "CHECK(target_id <> source_id)", "A customer cannot be merged with themselves."
    )

    @api.depends("target_id", "source_id")
    def _compute_display_name(self):
        for merge in self:
            merge.display_name = self.env._(
                "%(merged)s → %(survivor)s",
                merged=merge.source_id.display_name,
                survivor=merge.target_id.display_name,
            )

    @api.depends("rule", "params")
    @api.depends_context("lang")
    def _compute_reason(self):
        for merge in self:
            merge.reason = render(self.env, f"rule_{merge.rule}", merge.params)

    @api.depends("conflict_ids.decision")
    def _compute_open_conflict_count(self):
        for merge in self:
            merge.open_conflict_count = len(
                merge.conflict_ids.filtered(lambda conflict: not conflict.decided)
            )

    @api.depends("line_ids")
    @api.depends_context("lang", "uid")
    def _compute_summary_html(self):
        for merge in self:
            merge.summary_html = merge.line_ids._render()

    def write(self, vals):
        """A person decides about later changes; the journal itself is not written."""
        if not self.env.su and set(vals) - {"conflict_ids"}:
            raise AccessError(
                self.env._("The journal of a merge is not changed by hand.")
            )
        return super().write(vals)

    # --- MERGE ---

    @api.model
    def _merge(self, target, source, rule, params=None):
        """Merge a customer into another; all of it can be undone.

        The caller has checked the right to merge. Within a savepoint: a refusal leaves
        nothing behind.

        :param target: ``res.partner``, who stays
        :param source: ``res.partner``, who is archived with ``merged_into_id``
        :param str rule: ``strong_link``, ``match``, ``manual`` or ``wizard``
        :param dict params: of the rule, shown with it: ``kind`` and ``value`` of a
            strong link, ``probability`` of a match
        :return: ``omni.merge``
        :raise UserError: where the two cannot be one, in one sentence
        """
        target.ensure_one()
        source.ensure_one()
        # sudo: a merge reaches what the reader of a customer may not see
        partners = self.env(su=True, context={**self.env.context, **QUIET})[
            "res.partner"
        ]
        target, source = partners.browse(target.id), partners.browse(source.id)
        with self.env.cr.savepoint():
            self._lock(target | source)
            self._check_mergeable(target, source, rule)
            # sudo: the journal is written by the system only
            merge = self.with_env(target.env).create(
                {
                    "target_id": target.id,
                    "source_id": source.id,
                    "rule": rule,
                    "params": params,
                    "user_id": self.env.uid,
                    "merged_at": fields.Datetime.now(),
                    "company_id": target.company_id.id or source.company_id.id,
                }
            )
            with journal.opened(target.env) as opened:
                self._move_all(opened, target, source)
            opened.store(merge)
        merge._forget_caches()
        _logger.info("Merge %s: %s into %s (%s)", merge.id, source, target, rule)
        return self.browse(merge.id)

    @api.model
    def _lock(self, partners):
        """Hold the customers, in one order for all; a second one who comes is repeated.

        :raise psycopg2.errors: of ``db.CONCURRENCY_ERRORS``
        """
        partners.flush_model()
        self.env.cr.execute(
            SQL(
                "SELECT id FROM res_partner WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
                partners.ids,
            ),
            log_exceptions=False,
        )
        collide(partners)
        partners.invalidate_recordset(flush=False)

    @api.model
    def _check_mergeable(self, target, source, rule):
        """Refuse what cannot be one, in one sentence."""
        both = target | source
        if len(both.exists()) < len(both):
            self._refuse("refused_gone", {})
        names = {"target": target.display_name, "source": source.display_name}
        if target == source:
            self._refuse("refused_same", names)
        if source.merged_into_id:
            self._refuse("refused_merged", names)
        if target.merged_into_id or not target.active:
            self._refuse("refused_target_archived", names)
        if target in source._ancestors() or source in target._ancestors():
            self._refuse("refused_family", names)
        log_ins = both._log_in_kinds()
        if target.user_ids and source.user_ids:
            self._refuse("refused_users", names)
        if source.ref_company_ids or self._belongs_to_system(both):
            self._refuse("refused_system", names)
        if rule in AUTOMATIC and (
            "internal" in log_ins.values() or source.id in log_ins
        ):
            self._refuse("refused_log_in", names)
        if len(both.company_id) > 1:
            self._refuse("refused_companies", names)

    @api.model
    def _refuse(self, code, params):
        raise MergeRefused(self.env, code, params)

    @api.model
    def _belongs_to_system(self, partners):
        users = partners.user_ids
        return any(user._is_superuser() or user._is_public() for user in users)

    @api.model
    def _move_all(self, opened, target, source):
        """Move the references, then settle the values; what is written is noted."""
        opened.mover = Mover(opened)
        answers = self.env["omni.consent"]._answers_of_two(target, source)
        # Odoo's own steps of the wizard: what an addon knows of its rows (points of
        # loyalty cards, visitors of the website) is done by it, and noted
        wizard = target.env["base.partner.merge.automatic.wizard"]
        wizard._update_foreign_keys(source, target)
        wizard._update_reference_fields(source, target)
        self.env.invalidate_all(flush=False)
        self._recompute(opened.mover)
        self._settle(opened, target, source)
        self.env["omni.consent"].sudo()._add_refusals(target, answers)
        source.write({"active": False, "merged_into_id": target.id})
        self._after_merge(opened, target, source)

    @api.model
    def _recompute(self, mover):
        """Let stored copies of the partner follow, and nothing else."""
        tables = mover.catalogue._table_models()
        for (table, column), row_ids in mover.moved.items():
            model = tables.get(table, (None, None))[0]
            if model and column in self.env[model]._fields:
                self.env[model].browse(row_ids).sudo().modified([column])
        for field in list(self.env.fields_to_compute()):
            if not (
                field.comodel_name == "res.partner"
                and field.readonly
                or field.model_name == "res.partner"
                or str(field) in COPIES
            ):
                records = self.env.records_to_compute(field)
                self.env.remove_to_compute(field, records)
        self.env.flush_all()

    @api.model
    def _settle(self, opened, target, source):
        """Write the values that survive."""
        log_in = target._log_in_kind()
        if source.company_id != target.company_id and target.company_id:
            # the other's documents may be those of any company
            target.company_id = False
        if source.parent_id and not target.parent_id and not target.is_company:
            target.parent_id = source.parent_id
        wizard = self.env["base.partner.merge.automatic.wizard"]
        values, history = surviving_values(
            target, source, log_in, wizard._get_summable_fields()
        )
        target.write({**values, "omni_provenance": history or False})
        self.env.flush_all()
        self._fill_company_values(opened, target, source)
        self.env.invalidate_all()

    @api.model
    def _fill_company_values(self, opened, target, source):
        """Fill, company by company, what the survivor has no value of."""
        closed = {"customer_tier", "customer_tier_reason"}
        if target.parent_id:
            closed.update(target._commercial_fields())
        columns = [
            name
            for name, field in target._fields.items()
            if field.company_dependent and field.store and name not in closed
        ]
        with opened.watch("res_partner", columns, target.ids):
            self.env.cr.execute(
                SQL(
                    """
                    UPDATE res_partner AS target SET %s
                    FROM res_partner AS source
                    WHERE target.id = %s AND source.id = %s
                    """,
                    SQL(", ").join(
                        SQL(
                            "%(name)s = CASE WHEN source.%(name)s IS NULL"
                            " THEN target.%(name)s ELSE source.%(name)s"
                            " || coalesce(target.%(name)s, '{}'::jsonb) END",
                            name=SQL.identifier(name),
                        )
                        for name in columns
                    ),
                    target.id,
                    source.id,
                )
            )

    @api.model
    def _after_merge(self, opened, target, source):
        """Hook: what other addons change when a customer was merged.

        What the ORM writes here enters the journal; a statement of one's own does under
        ``opened.watch(table, columns, ids)``.

        :param opened: ``Journal``
        """

    def _forget_caches(self):
        self.env.invalidate_all()
        if CACHED.intersection(self.sudo().line_ids.mapped("table_name")):
            self.env.registry.clear_cache()

    # --- UNDO ---

    def action_undo(self):
        """Take these merges back, the newest first.

        A cell that was changed since stays and is listed: the merge is then partly
        undone until somebody has decided about each.

        :return: action that shows what is to be decided, or None
        """
        self._check_may_undo()
        for merge in self.sorted(
            lambda merge: (merge.merged_at, merge.id), reverse=True
        ):
            if merge.state == "done":
                merge._undo()
        undecided = self.filtered("open_conflict_count")
        return undecided.action_decide() if undecided else None

    def _check_may_undo(self):
        self.check_access("write")
        partners = self.target_id | self.source_id
        partners.check_access("read")

    def _undo(self):
        self.ensure_one()
        # sudo: as the merge itself
        merge = self.with_env(self.env(su=True, context={**self.env.context, **QUIET}))
        with self.env.cr.savepoint():
            self._lock(merge.target_id | merge.source_id)
            collide(merge)
            merge.invalidate_recordset(flush=False)
            if merge.state != "done":
                raise UserError(self.env._("This merge was undone already."))
            merge._check_undoable()
            merge.env.flush_all()
            conflicts = undoing.Undoing(merge).run()
            merge.env.invalidate_all(flush=False)
            merge.env["omni.merge.conflict"].create(conflicts)
            merge.write(
                {
                    "state": "partly" if conflicts else "undone",
                    "undone_at": fields.Datetime.now(),
                    "undone_by_id": self.env.uid,
                }
            )
        merge._forget_caches()

    def _check_undoable(self):
        names = {
            "target": self.target_id.display_name,
            "source": self.source_id.display_name,
        }
        if self.target_id.merged_into_id:
            names["survivor"] = self.target_id.merged_into_id.display_name
            self._refuse("refused_target_merged", names)
        if self.source_id.merged_into_id != self.target_id:
            self._refuse("refused_source_moved", names)
        later = self._later_on_the_same_rows()
        if later:
            names["later"] = later[:1].source_id.display_name
            self._refuse("refused_later_merge", names)

    def _later_on_the_same_rows(self):
        """Return later merges that folded rows into those which this one moved.

        Moved back, those rows would leave nothing in the survivor's place.
        """
        later = self._get_later()
        if not later:
            return later
        own = {
            (line.table_name, str(cell[0]))
            for line in self.line_ids
            if line.action == "written" and line.table_name != "res_partner"
            for cell in line.cells
            if isinstance(cell[0], int)
        }
        return later.filtered(
            lambda merge: any(
                (line.table_name, str(cell[2])) in own
                for line in merge.line_ids
                if line.action == "folded"
                for cell in line.cells
            )
        )

    def _get_later(self):
        return self.search(
            Domain("target_id", "=", self.target_id.id)
            & Domain("state", "in", ("done", "partly"))
            & Domain("id", ">", self.id),
            order="id",
        )

    def action_decide(self):
        """Open what was changed since these merges."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Changed Since the Merge"),
            "res_model": "omni.merge",
            "res_id": self[:1].id,
            "view_mode": "form",
            "views": [
                (self.env.ref("crm_omnichannel.omni_merge_view_form_decide").id, "form")
            ],
            "target": "new",
        }

    def action_apply_decisions(self):
        """Carry out what was decided about the cells that were changed since."""
        self._check_may_undo()
        for merge in self.filtered(lambda merge: merge.state == "partly"):
            merge._lock(merge.sudo().target_id | merge.sudo().source_id)
            # sudo: the cells are those of any model
            merge.conflict_ids.sudo()._apply()
            if not merge.open_conflict_count:
                merge.sudo().state = "undone"
        self.env.invalidate_all()
