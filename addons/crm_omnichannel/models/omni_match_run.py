import io
import json

from odoo import api, fields, models, tools
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..match_messages import render_note
from ..tools.match_model import Model
from ..tools.matching import MODELS, RECORDS

#: a record written so long before the last run may have been committed after it
OVERLAP_DAYS = 1
#: weeks after which the nightly run learns anew
LEARN_DAYS = 28
TIMEOUT = 4 * 3600
MEMORY_MB = 8192
#: what a hint weighs by before there was a run
FIRST_RECORDS = 1000


class OmniMatchRun(models.Model):
    """A search for customers who stand in Odoo more than once."""

    _name = "omni.match.run"
    _description = "Matching Run"
    _order = "id desc"
    _rec_name = "gathered_at"

    mode = fields.Selection(
        [("full", "All Customers"), ("fresh", "New and Changed Customers")],
        required=True,
        readonly=True,
        help="A run over all customers learns how much each answer weighs; a run over"
        " the new and changed ones compares them with all others by those weights.",
    )
    job_id = fields.Many2one("omni.job", readonly=True, ondelete="set null")
    job_state = fields.Selection(related="job_id.state", string="Status")
    gathered_at = fields.Datetime("Started", readonly=True)
    since = fields.Datetime("Changed Since", readonly=True)
    done = fields.Boolean(readonly=True)
    record_count = fields.Integer("Customers", readonly=True)
    pair_count = fields.Integer("Pairs Found", readonly=True)
    proposed_count = fields.Integer("Proposed", readonly=True)
    sure_count = fields.Integer(
        "To Be Merged", readonly=True, help="Merged in the background, one by one."
    )
    models = fields.Json(readonly=True, help="The weights that were learned.")
    notes = fields.Json(
        "Reason Code",
        readonly=True,
        help="What could not be learned, as codes and params.",
    )
    note_text = fields.Text("Notes", compute="_compute_note_text")
    preview = fields.Json(
        readonly=True, help="How many pairs each threshold would merge and propose."
    )

    @api.depends("notes")
    @api.depends_context("lang")
    def _compute_note_text(self):
        for run in self:
            run.note_text = "\n".join(
                render_note(self.env, code, params) for code, params in run.notes or ()
            )

    # --- START ---

    def action_start_fresh(self):
        """Compare new and changed customers with all others."""
        return self._start_by_hand("fresh")

    def action_start_full(self):
        """Compare all customers and learn the weights anew."""
        return self._start_by_hand("full")

    @api.model
    def _start_by_hand(self, mode):
        if not self.env.user.has_group("crm_omnichannel.group_omnichannel_manager"):
            raise UserError(
                self.env._(
                    "Only an Omnichannel administrator may start a matching run."
                )
            )
        # sudo: the run looks at the customers of all companies; each reader sees the
        # proposals of their own
        if self.sudo()._under_way():
            raise UserError(self.env._("A matching run is under way."))
        run = self.sudo()._start(mode)
        return {
            "type": "ir.actions.act_window",
            "res_model": "omni.job",
            "res_id": run.job_id.id,
            "views": [(False, "form")],
        }

    @api.model
    def _cron_match(self):
        if not self._under_way():
            self._start("fresh")

    @api.model
    def _under_way(self):
        return bool(
            self.search_count([("job_state", "in", ("waiting", "running"))], limit=1)
        )

    @api.model
    def _start(self, mode):
        """Gather the customers into a file and start a job on it.

        :param str mode: ``fresh`` needs a run over all before it, of the last weeks;
            else it becomes one itself
        """
        now = fields.Datetime.now()
        last = self._last()
        learned = self._last("full")
        if not learned or (now - learned.gathered_at).days >= LEARN_DAYS:
            mode = "full"
        since = last and fields.Datetime.subtract(last.gathered_at, days=OVERLAP_DAYS)
        files = {
            RECORDS: lambda path: path.write_bytes(
                self._gather(since if mode == "fresh" else None)
            )
        }
        if mode == "fresh":
            files[MODELS] = json.dumps(learned.models).encode()
        matches = self.env["omni.match"]
        run = self.create(
            {
                "mode": mode,
                "gathered_at": now,
                "since": since if mode == "fresh" else False,
            }
        )
        run.job_id = self.env["omni.job"]._start(
            "crm_omnichannel_tools.matching:run",
            # down to what the preview of a lower threshold needs
            {"seed": 0, "floor": matches._floor(), "learn": mode == "full"},
            files,
            TIMEOUT,
            collect=(self._name, "_collect"),
            name=self.env._("Search for duplicate customers"),
            memory=MEMORY_MB,
        )
        return run

    @api.model
    def _last(self, mode=None):
        """Return the last run that came to its end, or none."""
        domain = [("done", "=", True)]
        if mode:
            domain.append(("mode", "=", mode))
        return self.search(domain, limit=1)

    @api.model
    def _gather(self, since):
        """Return the customers as CSV, by one COPY."""
        partners = self.env["res.partner"]
        partners.flush_model()
        query = SQL(
            "SELECT %(columns)s, partner.id AS unique_id,"
            " coalesce(partner.company_id, 0) AS company_id,"
            " coalesce(partner.parent_id, 0) AS parent_id,"
            " coalesce(partner.is_company, false) AS is_company,"
            " %(fresh)s AS fresh FROM %(tables)s WHERE %(where)s ORDER BY partner.id",
            columns=partners._match_columns(),
            fresh=SQL("partner.write_date >= %s", since) if since else SQL("true"),
            tables=partners._match_tables(),
            where=partners._match_filter(),
        )
        buffer = io.BytesIO()
        statement = self.env.cr.mogrify(query.code, query.params).decode()
        self.env.cr.copy_expert(
            f"COPY ({statement}) TO STDOUT (FORMAT csv, HEADER, ENCODING 'UTF8')",
            buffer,
        )
        return buffer.getvalue()

    # --- COLLECT ---

    @api.model
    def _collect(self, job, folder):
        """Take the pairs of a run into the review queue."""
        run = self.search([("job_id", "=", job.id)], limit=1)
        if not run:
            # Deleted while it was under way.
            return
        pairs, counts = self.env["omni.match"]._take(run, folder)
        run.write(
            {
                "done": True,
                "record_count": job.result["records"],
                "pair_count": pairs,
                "proposed_count": counts["proposed"],
                "sure_count": counts["sure"],
                "models": json.loads((folder / MODELS).read_text(encoding="utf-8")),
                "preview": job.result["preview"],
                "notes": job.result["notes"],
            }
        )
        if run.mode == "full":
            # the weights of earlier ones are history
            self.search([("id", "<", run.id), ("models", "!=", False)]).models = False
        else:
            run.models = False
        self.env.registry.clear_cache()

    # --- THE MODEL IN PROCESS ---

    @api.model
    def _model(self, kind):
        """Return the :class:`Model` of the last run over all, to use in process."""
        # sudo: figures only, no values of people
        run = self.sudo()._last("full")
        return self._cached_model(run.id, kind)

    @api.model
    @tools.ormcache("run_id", "kind")
    def _cached_model(self, run_id, kind):
        learned = self.sudo().browse(run_id).models if run_id else None
        if not learned or kind not in learned:
            return Model.start(kind, FIRST_RECORDS)
        return Model.from_json(learned[kind])
