import logging
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, config

from odoo.addons.crm_data_governance.db import read_committed

from .. import store
from ..tools import lake as tool
from .behavior_feature_provider import day_of
from .behavior_feature_provider_events import local_hour

_logger = logging.getLogger(__name__)

FETCH_ROWS = 10_000
DEFAULT_MONTHS = 36
#: The longest window of a feature, and the month that is under way: what leaves or
#: enters a window is in the store.
LEAST_MONTHS = 26
LOCK_TIMEOUT = "5s"
# any number that no other advisory lock of the database uses
LAKE_LOCK = 0x6C616B65


class BehaviorLakePart(models.Model):
    """A month of events that the store has let go of: its files are in the lake."""

    _name = "behavior.lake.part"
    _description = "Month in the Lake"
    _order = "month desc, number desc"
    _rec_name = "name"
    _log_access = False

    name = fields.Char(required=True, readonly=True)
    month = fields.Date(required=True, readonly=True)
    number = fields.Integer(required=True, readonly=True, aggregator=None)
    events = fields.Integer("Number of Events", readonly=True)
    checksum = fields.Char(readonly=True, help="As counted before and after the move.")
    moved_at = fields.Datetime("Moved", readonly=True)

    _name_uniq = models.Constraint("UNIQUE(name)", "There is a part of this name.")

    @api.model
    def _lake_url(self):
        """Where the lake is: an address of fsspec, by default below the data folder."""
        given = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("crm_behavior_analytics.lake_url")
        )
        return given or str(self._default_root())

    @api.model
    def _default_root(self):
        return Path(config["data_dir"], "behavior_lake", self.env.cr.dbname)

    @api.model
    def _lake(self):
        url = self._lake_url()
        if url == str(self._default_root()):
            # It holds personal data: nobody else's to read.
            Path(url).mkdir(parents=True, exist_ok=True, mode=0o700)
        return tool.Lake(url)

    # --- POLICY ---

    @api.model
    def _months_kept(self):
        """How many months stay in the store; 0: all."""
        given = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("crm_behavior_analytics.store_months", "")
        )
        months = int(given) if given.isdigit() else DEFAULT_MONTHS
        return max(months, LEAST_MONTHS) if months else 0

    @api.model
    def _cron_move(self):
        """Move the oldest month that is due; forget whoever is to be erased."""
        with self._alone() as parts:
            parts.env["behavior.lake.erasure"]._work_off()
        self.env["behavior.lake.erasure"].invalidate_model()
        kept = self._months_kept()
        due = self._months_before(kept) if kept else []
        if due:
            self._move_month(due[0])
        with self._alone() as parts:
            if parts.search_count([], limit=1):
                parts._export_identities()
        return len(due)

    @contextmanager
    def _alone(self):
        """Let one worker at a time write the lake: a file cannot be part of a
        transaction, and is replaced as a whole.

        In a transaction of its own, which waits first and reads then: what whoever
        was before has moved, erased or left to erase is seen.

        :return: context manager that gives this model in that transaction
        """
        with read_committed(self.env) as cr:
            cr.execute("SELECT pg_advisory_xact_lock(%s)", [LAKE_LOCK])
            yield self.with_env(self.env(cr=cr))

    @api.model
    def _months_before(self, kept, today=None):
        """The months of the store that are older than the kept ones, oldest first."""
        today = today or fields.Date.today()
        first = today.year * 12 + today.month - 1 - kept
        limit = date(first // 12, first % 12 + 1, 1)
        return [month for month in store.partition_months(self.env.cr) if month < limit]

    def action_move(self):
        """Move the oldest month that is due now."""
        self.browse().check_access("write")
        if not self.sudo()._cron_move():
            raise UserError(
                self.env._("No month is older than those that stay in the database.")
            )

    # --- MOVE ---

    @api.model
    def _move_month(self, month):
        """Write a month of events to the lake, verify it, and let the store go of it.

        One transaction of its own: the month is locked against writers, its files are
        written and read again, and only when number and checksum are those of the
        table, it is dropped together with the note that its files count.  Whatever
        breaks before the commit leaves the store as it was, and files that do not
        count: the next try writes them anew.

        :param date month: first day
        :return: the part; empty when the month had no events, or is gone already
        """
        # Not in our snapshot: what was committed between it and the lock would be
        # dropped unseen.
        with self._alone() as parts:
            part = parts._move_locked(month)
        self.env["behavior.event"].invalidate_model()
        return self.browse(part.ids)

    @api.model
    def _move_locked(self, month):
        cr = self.env.cr
        if month not in store.partition_months(cr):
            return self.browse()
        table = SQL.identifier(store.partition_name(month))
        cr.execute(SQL("SET LOCAL lock_timeout = %s", LOCK_TIMEOUT))
        # Against writers, and against another move of the same month.
        cr.execute(SQL("LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", table))
        number = 1 + self.search_count([("month", "=", month)])
        name = f"{month:%Y%m}-{number}"
        expected = self._measure(table)
        part = self.browse()
        if expected[0]:
            lake = self._lake()
            lake.write_part(name, self._batches(table))
            found = lake.measure(name)
            if found != expected:
                raise UserError(
                    self.env._(
                        "The files of %(month)s are not what the table holds"
                        " (%(found)s events, %(expected)s expected), so it stays.",
                        month=name,
                        found=found[0],
                        expected=expected[0],
                    )
                )
            part = self.create(
                {
                    "name": name,
                    "month": month,
                    "number": number,
                    "events": expected[0],
                    "checksum": str(expected[1]),
                    "moved_at": fields.Datetime.now(),
                }
            )
        store.drop_partition(cr, month)
        _logger.info("Behavior: %s events of %s are in the lake", expected[0], name)
        return part

    @api.model
    def _measure(self, table):
        """Number of rows and sum of their digests (``tools/lake.py``), by the database.

        :param SQL table: of events
        """
        number = {
            "received_at": "(extract(epoch FROM %s) * 1000000)::bigint",
            "timestamp": "(extract(epoch FROM %s) * 1000000)::bigint",
            "vouched": "%s::integer",
        }
        values = [
            SQL(number.get(name, "%s"), SQL.identifier(name)) for name in tool.STORED
        ]
        texts = [
            SQL("coalesce(%s::text, %s)", value, tool.NO_VALUE) for value in values
        ]
        ((rows, checksum),) = self.env.execute_query(
            SQL(
                "SELECT count(*), coalesce(sum("
                "('x00000000' || left(md5(concat_ws('|', %s)), 8))::bit(64)::bigint"
                "), 0)::bigint FROM %s",
                SQL(", ").join(texts),
                table,
            )
        )
        return rows, checksum

    @api.model
    def _batches(self, table):
        """The rows of a table of events, batch by batch, in the order of arrival."""
        cr = self.env.cr
        provider = self.env["behavior.feature.provider"]
        at = SQL('event."timestamp"')
        columns = [
            SQL("%s::text", SQL.identifier("event", name))
            if name in ("properties", "context")
            else SQL.identifier("event", name)
            for name in tool.STORED
        ]
        companies = self.env["res.company"].search_fetch([], ["resource_calendar_id"])
        # Each company's own calendar.
        day, hour = (
            SQL(
                "CASE event.company_id %s END",
                SQL(" ").join(
                    SQL("WHEN %s THEN %s", company.id, derive(company, at))
                    for company in companies
                ),
            )
            for derive in (day_of, local_hour)
        )
        cr.execute(
            SQL(
                """
                DECLARE behavior_lake NO SCROLL CURSOR FOR
                SELECT %s, source.type, %s, left(event.properties ->> 'category', 64),
                       %s, %s, %s
                FROM %s AS event
                LEFT JOIN behavior_source AS source ON source.id = event.source_id
                ORDER BY event.received_at, event.id
                """,
                SQL(", ").join(columns),
                provider._sql_channel(),
                provider._sql_minor_amount(),
                day,
                hour,
                table,
            )
        )
        while True:
            cr.execute(SQL("FETCH %s FROM behavior_lake", FETCH_ROWS))
            rows = cr.fetchall()
            if not rows:
                break
            yield rows
        cr.execute("CLOSE behavior_lake")

    # --- IDENTITIES ---

    @api.model
    def _export_identities(self):
        """Write today's identity map beside the events, for whoever reads the lake."""
        self._lake().write_identities(self._identity_rows())

    @api.model
    def _identity_rows(self, condition=None):
        """The identity map of today, for ``tools/lake_people.py``.

        :param SQL condition: of ``identity``, those only
        """
        self.env["omni.identity"].flush_model()
        return self.env.execute_query(
            SQL(
                """
                SELECT identity.id, identity.kind, identity.value, identity.scope,
                       customer.commercial_partner_id
                FROM omni_identity AS identity
                JOIN res_partner AS customer ON customer.id = identity.partner_id
                WHERE identity.kind IN ('anonymous_id', 'user_id')
                  AND identity.quarantined IS NOT TRUE
                  AND %s
                ORDER BY identity.id
                """,
                condition or SQL("TRUE"),
            )
        )
