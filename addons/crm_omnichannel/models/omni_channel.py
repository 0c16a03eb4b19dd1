import logging
import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.crm_data_governance.bulk import copy_rows

from ..demo_documents import DEMO_ANSWERS, DEMO_DOCUMENTS
from ..tools.adapters import ADAPTERS
from ..tools.landing import Envelope, LandedItem, pack, read_documents
from ..tools.linking import IdentityClaim
from ..tools.mapping import compile_path
from ..tools.normalisers import normal_email
from ..tools.survivorship import TYPED
from .omni_identity import TYPED_FIELDS

_logger = logging.getLogger(__name__)

LANDING_TABLE = "omni_landing_item"
LANDING_COLUMNS = {
    "idempotency_key": "text",
    "external_id": "text",
    "payload": "bytea",
    "updated_at": "timestamp",
}
# customers in one statement
OBSERVE_SIZE = 5000
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]*")


class OmniChannel(models.Model):
    _name = "omni.channel"
    _description = "Channel"
    _inherit = ["mail.thread", "governance.credential.mixin"]
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(
        required=True,
        copy=False,
        index=True,
        help="Stands in the address to which records are posted: small letters,"
        " digits, - and _.",
    )
    type = fields.Selection(
        [("file", "File"), ("http", "HTTP"), ("odoo", "Odoo")],
        required=True,
        default="http",
        help="File: somebody drags CSV, Excel or JSON lines here. HTTP: another"
        " system posts records. Odoo: customers who were typed into Odoo.",
    )
    state = fields.Selection(
        [("active", "Active"), ("paused", "Paused")],
        "Status",
        required=True,
        default="active",
        tracking=True,
        copy=False,
        help="A paused channel takes no records, and those that wait stay waiting.",
    )
    active = fields.Boolean(default=True)
    sequence = fields.Integer(
        default=10,
        help="Where two channels disagree on a field, the one with the lower number"
        " wins; between equal numbers the newer value.",
    )
    company_id = fields.Many2one(
        "res.company",
        default=lambda self: self.env.company,
        help="Customers created from this channel belong to this company; empty: to"
        " all companies.",
    )
    country_id = fields.Many2one(
        "res.country",
        help="National telephone numbers and states are read as this country's; empty:"
        " as the company's.",
    )
    mapping_id = fields.Many2one("omni.mapping", tracking=True)
    record_ids = fields.One2many("omni.record", "channel_id")
    accepted_count = fields.Integer("Accepted", compute="_compute_counts")
    received_count = fields.Integer("Waiting", compute="_compute_counts")
    done_count = fields.Integer("Done", compute="_compute_counts")
    parked_count = fields.Integer("Parked", compute="_compute_counts")
    duplicate_count = fields.Integer("Duplicates", compute="_compute_counts")
    refused_count = fields.Integer("Refused", compute="_compute_counts")
    last_record_at = fields.Datetime("Last Record", compute="_compute_counts")
    takes_posts = fields.Boolean(compute="_compute_takes")
    takes_files = fields.Boolean(compute="_compute_takes")
    observes = fields.Boolean(compute="_compute_takes")
    endpoint_url = fields.Char("Address", compute="_compute_endpoint")
    endpoint_example = fields.Text("Example", compute="_compute_endpoint")

    _code_uniq = models.Constraint(
        "UNIQUE(code)", "Another channel has this code already."
    )

    @api.depends("record_ids.state")
    def _compute_counts(self):
        states, last = {}, {}
        for channel, state, count, newest in self.env["omni.record"]._read_group(
            [("channel_id", "in", self.ids)],
            ["channel_id", "state"],
            ["__count", "received_at:max"],
        ):
            states[channel.id, state] = count
            last[channel.id] = max(last.get(channel.id) or newest, newest)
        landed = {
            channel.id: (duplicates, refused)
            for channel, duplicates, refused in self.env["omni.landing"]._read_group(
                [("channel_id", "in", self.ids)],
                ["channel_id"],
                ["duplicates:sum", "refused:sum"],
            )
        }
        for channel in self:
            received, done, parked = (
                states.get((channel.id, state), 0)
                for state in ("received", "done", "parked")
            )
            channel.received_count = received
            channel.done_count = done
            channel.parked_count = parked
            channel.accepted_count = received + done + parked
            duplicates, refused = landed.get(channel.id, (0, 0))
            channel.duplicate_count = duplicates
            channel.refused_count = refused
            channel.last_record_at = last.get(channel.id)

    @api.depends("type")
    def _compute_takes(self):
        for channel in self:
            adapter = channel._adapter()
            channel.takes_posts = adapter.takes_posts
            channel.takes_files = adapter.takes_files
            channel.observes = adapter.observes

    @api.depends("code", "type")
    def _compute_endpoint(self):
        for channel in self:
            if not channel.code or not channel.takes_posts:
                channel.endpoint_url = channel.endpoint_example = False
                continue
            url = f"{channel.get_base_url()}/omni/v1/records/{channel.code}"
            channel.endpoint_url = url
            channel.endpoint_example = (
                f"curl {url} \\\n"
                "  -H 'Authorization: Bearer <key>' \\\n"
                "  -H 'Content-Type: application/json' \\\n"
                '  -d \'[{"id": "42", "name": "王伟", "phone": "138 0013 8001"}]\''
            )

    @api.constrains("code")
    def _check_code(self):
        for channel in self:
            if not _CODE.fullmatch(channel.code or ""):
                raise ValidationError(
                    self.env._(
                        "The code %(code)s may only hold small letters, digits,"
                        " - and _.",
                        code=channel.code,
                    )
                )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        """What has landed is kept: a channel with records is archived, not deleted."""
        records = self.env["omni.record"].sudo()
        if records.search_count([("channel_id", "in", self.ids)], limit=1):
            raise UserError(
                self.env._("A channel that has records cannot be deleted: archive it.")
            )

    # --- CREDENTIAL ---

    def _prepare_credential_values(self):
        values = super()._prepare_credential_values()
        values.update(
            name=self.env._("Channel %(name)s", name=self.name),
            scopes="omni.records",
            company_id=self.company_id.id,
        )
        return values

    # --- ACTIONS ---

    def action_pause(self):
        """Take no more records and leave those that wait."""
        self.write({"state": "paused"})

    def action_resume(self):
        """Take records again, and work off those that wait."""
        self.write({"state": "active"})
        self._trigger_processing()

    def action_process(self):
        """Work off the waiting records of these channels now."""
        self.check_access("write")
        records = self.env["omni.record"].search(
            [("channel_id", "in", self.ids), ("state", "=", "received")],
            order="id",
            limit=1000,
        )
        if records:
            self._trigger_processing()
            # the user may work off what others sent, within the rules checked above
            records.sudo()._process_batch(records.try_lock_for_update().ids)

    def action_observe(self):
        """Take over the identifiers of the customers who are in Odoo already."""
        self.check_access("write")
        for channel in self.filtered("observes"):
            count = channel._observe_partners()
            channel.message_post(
                body=self.env._("%(count)s identifiers taken over.", count=count)
            )

    def action_import(self):
        """Open the wizard that takes a file."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "omni.import",
            "view_mode": "form",
            "target": "new",
            "context": {"default_channel_id": self.id},
            "name": self.env._("Import a File"),
        }

    def action_view_records(self):
        """Open the records of the channel; the context names a filter."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_omnichannel.omni_record_action"
        )
        context = {"search_default_channel_id": self.id}
        state = self.env.context.get("omni_state")
        if state:
            context[f"search_default_{state}"] = 1
        action["context"] = context
        return action

    def action_view_quality(self):
        """Judge the records of today, and open what is known of all days."""
        self.ensure_one()
        self.check_access("read")
        # sudo: what is measured is written by the system; its reader may see it
        self.env["omni.quality"].sudo()._measure(self, self._quality_today())
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_omnichannel.omni_quality_action"
        )
        action["context"] = {"search_default_channel_id": self.id}
        return action

    def _quality_tz(self):
        """Return the name of the time zone in which the channel's days are counted."""
        self.ensure_one()
        company = self.company_id or self.env.company
        return company.partner_id.tz or str(self.env.tz)

    def _quality_today(self):
        return fields.Date.context_today(self.with_context(tz=self._quality_tz()))

    # --- LANDING ---

    def _default_country(self):
        """Return the code of the country whose national telephone numbers come in."""
        self.ensure_one()
        company = self.company_id or self.env.company
        return self.country_id.code or company.country_id.code or "CN"

    def _adapter(self):
        """Return the adapter class of the channel's type."""
        return ADAPTERS[self.type or "http"]

    def _envelope(self):
        """Return where the keys of an item stand, by the channel's mapping."""
        self.ensure_one()
        mapping = self.mapping_id
        return Envelope(
            *(
                compile_path(path) if path else None
                for path in (
                    mapping.external_id_path,
                    mapping.updated_at_path,
                    mapping.message_id_path,
                )
            )
        )

    def _land(self, items, received_at):
        """Store what arrived, each message once, as one transaction.

        :param items: iterable of ``LandedItem`` and ``Refused`` (``tools/landing.py``)
        :param datetime received_at: naive UTC
        :return: ``{"accepted": n, "duplicates": n, "refused": [{"index", "error"}]}``
        """
        self.ensure_one()
        if self.state != "active":
            raise UserError(
                self.env._("The channel %(name)s is paused.", name=self.name)
            )
        refused = []

        def rows():
            for item in items:
                if isinstance(item, LandedItem):
                    yield (
                        item.idempotency_key,
                        item.external_id or None,
                        pack(item.payload),
                        item.updated_at,
                    )
                else:
                    refused.append({"index": item.index, "error": item.code})

        count = copy_rows(self.env.cr, LANDING_TABLE, LANDING_COLUMNS, rows())
        accepted = self._insert_landed(received_at) if count else 0
        self._log_landing(received_at, accepted, count - accepted, len(refused))
        if accepted:
            self.env["omni.record"].invalidate_model()
            self.invalidate_recordset()
            self._trigger_processing()
        return {
            "accepted": accepted,
            "duplicates": count - accepted,
            "refused": refused,
        }

    def _insert_landed(self, received_at):
        """Insert the landed rows that are new; return their number."""
        cr = self.env.cr
        self.flush_recordset(["company_id"])
        # Ids follow the order of arrival; rows go in by key, so that two senders of
        # the same records wait for each other instead of locking each other out.
        cr.execute(
            SQL(
                """
                INSERT INTO omni_record
                    (id, channel_id, company_id, idempotency_key, external_id, payload,
                     state, received_at, updated_at)
                SELECT id, %(channel)s, %(company)s, idempotency_key, external_id,
                       payload, 'received', %(received_at)s, updated_at
                FROM (
                    SELECT nextval('omni_record_id_seq') AS id, item.*
                    FROM (
                        SELECT * FROM %(landing)s ORDER BY position
                    ) AS item
                ) AS numbered
                ORDER BY idempotency_key, id
                ON CONFLICT (channel_id, idempotency_key) DO NOTHING
                """,
                channel=self.id,
                company=self.company_id.id or None,
                received_at=received_at,
                landing=SQL.identifier(LANDING_TABLE),
            )
        )
        return cr.rowcount

    def _log_landing(self, received_at, accepted, duplicates, refused):
        if accepted or duplicates or refused:
            self.env.cr.execute(
                SQL(
                    "INSERT INTO omni_landing"
                    " (channel_id, received_at, accepted, duplicates, refused)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    self.id,
                    received_at,
                    accepted,
                    duplicates,
                    refused,
                )
            )
            self.env["omni.landing"].invalidate_model()

    def _trigger_processing(self):
        self.env.ref("crm_omnichannel.ir_cron_process").sudo()._trigger()

    @api.model
    def _load_demo(self):
        """Land the demonstration records and process them."""
        received_at = fields.Datetime.now()
        for xml_id, documents in DEMO_DOCUMENTS.items():
            channel = self.env.ref(xml_id)
            rows = enumerate(documents)
            channel._land(read_documents(rows, channel._envelope()), received_at)
        self.env["omni.record"]._process_batch(
            self.env["omni.record"].search([("state", "=", "received")]).ids
        )
        for xml_id in DEMO_DOCUMENTS:
            channel = self.env.ref(xml_id)
            self.env["omni.quality"]._measure(channel, channel._quality_today())
        self._load_demo_answers()

    @api.model
    def _load_demo_answers(self):
        """What the first demonstration customers agreed to, and one tier by hand."""
        shop = self.env.ref("crm_omnichannel.omni_channel_web_shop_demo")
        for external_id, answers, tier in DEMO_ANSWERS:
            partner = self.env["omni.identity"]._resolve(
                "external_id", external_id, f"channel:{shop.id}"
            )
            for purpose, channel, state in answers:
                self.env["omni.consent"]._record(
                    partner,
                    purpose,
                    state,
                    channel,
                    source="website",
                    text_version="2026-01",
                )
            if tier:
                partner.write(tier)

    # --- OBSERVING ---

    def _observe_partners(self):
        """Give the customers of Odoo their identities; return how many are new.

        What several customers share names none of them, and is left out.
        """
        self.ensure_one()
        # sudo: whoever may observe takes over all customers of the channel's company.
        partners_sudo = self.env["res.partner"].sudo()
        identities_sudo = self.env["omni.identity"].sudo()
        company_id = self.company_id.id
        domain = Domain("company_id", "in", [False, company_id]) & Domain.OR(
            Domain(name, "!=", False) for name in TYPED_FIELDS.values()
        )
        count, last_id = 0, 0
        while partners := partners_sudo.search_fetch(
            domain & Domain("id", ">", last_id),
            list(TYPED_FIELDS.values()),
            order="id",
            limit=OBSERVE_SIZE,
        ):
            last_id = partners[-1].id
            claims = [
                IdentityClaim(
                    kind,
                    normal_email(value) if kind == "email" else value,
                    f"company:{company_id or 0}",
                    partner_id,
                    self.id,
                    company_id=company_id or None,
                )
                for kind, name in TYPED_FIELDS.items()
                for value, partner_id in identities_sudo._find_typed(
                    kind, set(partners.mapped(name)) - {False}, [company_id]
                ).items()
            ]
            claims = [claim for claim in claims if claim.value]
            count += len(identities_sudo._claim_many(claims, seen_again=False))
            partners.invalidate_recordset(flush=False)
        return count

    @api.model
    def _priorities(self):
        """Return ``{channel ID: priority}``; under ``TYPED`` that of what is typed."""
        channels = self.with_context(active_test=False)
        found = channels.search_fetch([], ["sequence", "type"])
        priorities = {channel.id: channel.sequence for channel in found}
        typed = found.filtered(lambda channel: channel.type == "odoo")[:1]
        return priorities | ({TYPED: typed.sequence} if typed else {})
