import json
from datetime import datetime, time, timedelta

import pytz

from odoo import api, fields, models
from odoo.tools import SQL

from ..tools.landing import unpack
from ..tools.quality import tally

# more of a day are judged by an even sample
MAX_SAMPLE = 20_000
CHUNK = 2_000
# days that a nightly run looks back to, after a pause
MAX_DAYS = 14
KEPT_DAYS = 730


class OmniQuality(models.Model):
    """How good what a channel sent on one day is, field by field."""

    _name = "omni.quality"
    _description = "Data Quality"
    _order = "day desc, channel_id, id"
    _rec_name = "target"
    # rows are set in bulk, day tells which they are about
    _log_access = False

    channel_id = fields.Many2one(
        "omni.channel", required=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="channel_id.company_id")
    day = fields.Date(
        required=True, readonly=True, help="As the company of the channel counts days."
    )
    target = fields.Selection(
        "_selection_target", "Field", required=True, readonly=True
    )
    total = fields.Integer(
        "Records", readonly=True, help="One a person: their last record of the day."
    )
    filled = fields.Integer("With a Value", readonly=True)
    valid = fields.Integer("Readable", readonly=True)
    distinct_count = fields.Integer("Different", readonly=True)
    completeness = fields.Float(
        readonly=True, aggregator="avg", help="Share of the records with a value."
    )
    validity = fields.Float(
        readonly=True, aggregator="avg", help="Share of the values that can be read."
    )
    uniqueness = fields.Float(
        readonly=True,
        aggregator="avg",
        help="Share of different values among those that can be read.",
    )

    _channel_day_target_uniq = models.UniqueIndex("(channel_id, day, target)")

    @api.model
    def _selection_target(self):
        return self.env["omni.mapping.line"]._selection_target()

    # --- MEASURE ---

    @api.model
    def _measure(self, channel, day):
        """Judge what a channel received on a day; again and again gives the same.

        :param channel: ``omni.channel``, one record
        :param date day: of the channel's company
        """
        lines = channel.mapping_id._get_lines()
        if not lines:
            return
        country = channel._default_country()
        tallies, total = None, 0
        record_ids = self._sample(channel, day)
        for start in range(0, len(record_ids), CHUNK):
            payloads = self._read_payloads(record_ids[start : start + CHUNK])
            total += len(payloads)
            tallies = tally(payloads, lines, country, tallies)
        self._store(channel, day, total, tallies or {})

    @api.model
    def _sample(self, channel, day):
        """Return the ids of the last record of each person, or of an even sample."""
        zone = pytz.timezone(channel._quality_tz())
        first, after = (
            zone.localize(datetime.combine(moment, time.min))
            .astimezone(pytz.utc)
            .replace(tzinfo=None)
            for moment in (day, day + timedelta(days=1))
        )
        found = [
            record_id
            for [record_id] in self.env.execute_query(
                SQL(
                    """
                    SELECT max(id) FROM omni_record
                    WHERE channel_id = %s AND payload IS NOT NULL
                      AND received_at >= %s AND received_at < %s
                    GROUP BY coalesce(external_id, id::text)
                    ORDER BY 1
                    """,
                    channel.id,
                    first,
                    after,
                )
            )
        ]
        step = -(-len(found) // MAX_SAMPLE) or 1
        return found[::step]

    @api.model
    def _read_payloads(self, record_ids):
        rows = self.env.execute_query(
            SQL("SELECT payload FROM omni_record WHERE id = ANY(%s)", record_ids)
        )
        return [json.loads(unpack(stored)) for [stored] in rows]

    @api.model
    def _store(self, channel, day, total, tallies):
        self.env.cr.execute(
            SQL(
                "DELETE FROM omni_quality WHERE channel_id = %s AND day = %s",
                channel.id,
                day,
            )
        )
        if total:
            self.env.cr.execute_values(
                "INSERT INTO omni_quality (channel_id, day, target, total, filled,"
                " valid, distinct_count, completeness, validity, uniqueness) VALUES %s",
                [
                    (
                        channel.id,
                        day,
                        target,
                        total,
                        found.filled,
                        found.valid,
                        found.distinct,
                        found.filled / total,
                        # of nothing there is no share
                        found.valid / found.filled if found.filled else None,
                        found.distinct / found.valid if found.valid else None,
                    )
                    for target, found in tallies.items()
                ],
                page_size=len(tallies),
            )
        self.invalidate_model()

    # --- CRON ---

    @api.model
    def _cron_measure(self):
        """Judge the days since the last run, each channel's in a transaction."""
        channels = self.env["omni.channel"].search([("mapping_id", "!=", False)])
        last = dict(self._read_group([], ["channel_id"], ["day:max"]))
        self.env["ir.cron"]._commit_progress(remaining=len(channels))
        for channel in channels:
            yesterday = channel._quality_today() - timedelta(days=1)
            # the last day again: it may have been measured before it was over
            first = max(
                last.get(channel) or yesterday, yesterday - timedelta(days=MAX_DAYS)
            )
            for number in range((yesterday - first).days + 1):
                self._measure(channel, first + timedelta(days=number))
            self.env["ir.cron"]._commit_progress(1)

    @api.autovacuum
    def _gc_quality(self):
        """Forget what is older than two years."""
        self.env.cr.execute(
            SQL("DELETE FROM omni_quality WHERE day < current_date - %s", KEPT_DAYS)
        )
        self.invalidate_model()
