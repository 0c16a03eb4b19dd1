import json
import time

from odoo import SUPERUSER_ID, api, fields, models
from odoo.fields import NO_ACCESS, Domain
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import take_batches

from ..messages import outlines, render
from ..processing import Processor
from ..tools.landing import unpack

BATCH_SIZE = 500
# a tick is a minute: the next one takes over what is left
CRON_SECONDS = 50


class OmniRecord(models.Model):
    """What a channel sent, as it was sent, and what became of it."""

    _name = "omni.record"
    _description = "Channel Record"
    _order = "id desc"
    _rec_name = "external_id"
    # rows come by COPY and are changed in bulk; received_at and processed_at tell
    _log_access = False

    channel_id = fields.Many2one(
        "omni.channel", required=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="channel_id.company_id", store=True)
    idempotency_key = fields.Char(required=True, readonly=True)
    external_id = fields.Char("External ID", readonly=True)
    payload = fields.Binary(
        attachment=False,
        readonly=True,
        groups=NO_ACCESS,
        help="The bytes as received, compressed with zlib.",
    )
    payload_text = fields.Text("Content", compute="_compute_payload_text")
    state = fields.Selection(
        [("received", "Waiting"), ("done", "Done"), ("parked", "Parked")],
        "Status",
        required=True,
        readonly=True,
        default="received",
    )
    error_code = fields.Selection(
        "_selection_error_code", "Kind of Reason", readonly=True, validate=False
    )
    error_params = fields.Json(readonly=True)
    error_message = fields.Char("Reason", compute="_compute_messages")
    notes = fields.Json("Note Codes", readonly=True)
    note_message = fields.Text("Notes", compute="_compute_messages")
    partner_id = fields.Many2one(
        "res.partner", "Customer", readonly=True, index="btree_not_null"
    )
    received_at = fields.Datetime("Received", required=True, readonly=True)
    updated_at = fields.Datetime(
        "Changed at the Sender", readonly=True, help="As the sender says, in UTC."
    )
    processed_at = fields.Datetime("Processed", readonly=True)

    _channel_key_uniq = models.Constraint(
        "UNIQUE(channel_id, idempotency_key)", "This message has landed already."
    )
    _channel_state_idx = models.Index("(channel_id, state, id)")
    _channel_external_idx = models.Index("(channel_id, external_id)")
    _waiting_idx = models.Index("(id) WHERE state = 'received'")
    # rows stand in the order of their arrival: a few bytes find those of a day
    _received_at_idx = models.Index("USING brin (received_at)")

    @api.model
    def _selection_error_code(self):
        return outlines(self.env)

    @api.depends("external_id", "channel_id")
    def _compute_display_name(self):
        for record in self:
            record.display_name = record.external_id or f"#{record.id}"

    def _compute_payload_text(self):
        for record in self:
            payload = record._get_payload()
            record.payload_text = payload and json.dumps(
                payload, ensure_ascii=False, indent=2
            )

    @api.depends("error_code", "error_params", "notes")
    @api.depends_context("lang")
    def _compute_messages(self):
        for record in self:
            record.error_message = record.error_code and render(
                self.env, record.error_code, record.error_params
            )
            record.note_message = "\n".join(
                render(self.env, code, params) for code, params in record.notes or []
            )

    def _get_payload(self):
        """Return the parsed record, or None after its erasure."""
        self.ensure_one()
        self.check_access("read")
        # the stored bytes are closed to RPC, the reader's right was just checked
        stored = self.sudo().with_context(bin_size=False).payload
        return json.loads(unpack(stored)) if stored else None

    # --- ACTIONS ---

    def action_replay(self):
        """Process these records again, with the mapping as it is now."""
        self.check_access("write")
        records = self.filtered(lambda record: record.sudo().payload)
        # sudo: the bytes and the customers are written by the system; the right to
        # replay was checked above
        records.sudo().write(
            {"state": "received", "error_code": False, "error_params": False}
        )
        records.channel_id._trigger_processing()
        first = records[:BATCH_SIZE].filtered(
            lambda record: record.channel_id.state == "active"
        )
        first.sudo()._process_batch(first.ids)

    def action_view_partner(self):
        """Open the customer."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "res_id": self.partner_id.id,
            "view_mode": "form",
        }

    # --- PROCESSING ---

    @api.model
    def _process_batch(self, record_ids):
        """Turn waiting records into customers.

        The caller holds the rows (``db.claim``). A record that cannot be processed
        is parked, the others go on; records that do not wait are left alone.

        :param record_ids: ids of records, in any order
        """
        Processor(self.env(su=True)).run(sorted(record_ids))

    @api.model
    def _batch_size(self):
        parameters = self.env["ir.config_parameter"].sudo()
        size = parameters.get_param("crm_omnichannel.batch_size", BATCH_SIZE)
        return max(1, min(int(size), 5000))

    @api.model
    def _waiting_domain(self):
        return Domain("state", "=", "received") & Domain(
            "channel_id.state", "=", "active"
        )

    @api.model
    def _cron_process(self):
        """Work off the queue, batch by batch, each in a transaction of its own."""
        done = take_batches(
            self.env.registry,
            SUPERUSER_ID,
            (
                "omni_record",
                SQL(
                    "state = 'received' AND channel_id IN"
                    " (SELECT id FROM omni_channel WHERE state = 'active')"
                ),
                SQL("id"),
                self._batch_size(),
            ),
            lambda env, ids: env["omni.record"]._process_batch(ids),
            deadline=time.monotonic() + CRON_SECONDS,
        )
        # see what the batches committed
        self.env["ir.cron"]._commit_progress(done)
        self.env.invalidate_all()
        remaining = self.search_count(self._waiting_domain(), limit=BATCH_SIZE)
        self.env["ir.cron"]._commit_progress(remaining=remaining)
