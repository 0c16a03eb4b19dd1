import logging

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate

from ..messages import render

_logger = logging.getLogger(__name__)
_lt = LazyTranslate(__name__)

# Text-like fields of a partner that tell nothing about the person, or that Odoo needs.
KEPT_PARTNER_FIELDS = frozenset({"name", "lang", "tz", "type", "complete_name"})
ERASED_TYPES = frozenset({"char", "text", "html", "binary", "date", "json"})
# Who did it and when: written by the erasure only.
EVIDENCE_FIELDS = frozenset({"state", "date_done", "user_id"})
# Tables that accounting law keeps: Germany HGB 257, China 会计档案管理办法 …
ACCOUNTING_TABLES = frozenset({"account_move", "account_move_line", "account_payment"})
DAYS_TO_ANSWER = 30

ACTIONS = [
    ("erased", "Erased"),
    ("pseudonymised", "Pseudonymised"),
    ("kept", "Kept"),
]

# Texts of the reasons; an addon adds its own codes with ``add_reasons``.
_reasons = {
    "request": _lt("Erased at the person's request."),
    "accounting_law": _lt("Accounting law asks to keep these records."),
    "referenced": _lt(
        "Other records need this one; what tells about the person is gone."
    ),
    "login_closed": _lt("The log-in is closed and its name is gone."),
    "person_erased": _lt("It told about this person only."),
}


def add_reasons(reasons):
    """Texts for an addon's own reason codes.

    :param dict reasons: ``{code: _lt("Text")}``
    """
    _reasons.update(reasons)


class GovernancePrivacyRequest(models.Model):
    _name = "governance.privacy.request"
    _description = "Privacy Request"
    _order = "date_request DESC, id DESC"

    name = fields.Char(
        readonly=True, copy=False, default=lambda self: self._default_name()
    )
    kind = fields.Selection([("erasure", "Erasure")], required=True, default="erasure")
    partner_id = fields.Many2one(
        "res.partner",
        string="Person",
        index="btree_not_null",
        ondelete="set null",
        domain=[("is_company", "=", False)],
    )
    company_id = fields.Many2one(
        "res.company",
        required=True,
        index=True,
        default=lambda self: self._default_company_id(),
    )
    date_request = fields.Date(
        string="Requested on", required=True, default=fields.Date.context_today
    )
    date_deadline = fields.Date(
        string="Answer by",
        compute="_compute_date_deadline",
        store=True,
        readonly=False,
        precompute=True,
    )
    note = fields.Text(help="How the person proved who they are. No personal data.")
    state = fields.Selection(
        [("draft", "To Do"), ("done", "Done")],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
    )
    date_done = fields.Datetime(string="Done on", readonly=True, copy=False)
    user_id = fields.Many2one("res.users", string="Done by", readonly=True, copy=False)
    line_ids = fields.One2many(
        "governance.privacy.request.line", "request_id", readonly=True, copy=False
    )

    @api.model
    def _default_name(self):
        return self.env._("New")

    @api.model
    def _default_company_id(self):
        return self.env.company

    @api.depends("date_request")
    def _compute_date_deadline(self):
        for record in self:
            record.date_deadline = record.date_request and fields.Date.add(
                record.date_request, days=DAYS_TO_ANSWER
            )

    @api.constrains("partner_id", "state")
    def _check_partner(self):
        for record in self:
            if record.state == "draft" and not record.partner_id:
                raise ValidationError(self.env._("A privacy request needs a person."))

    @api.model_create_multi
    def create(self, vals_list):
        sequence_sudo = self.env["ir.sequence"].sudo()
        for vals in vals_list:
            vals["name"] = sequence_sudo.next_by_code("governance.privacy.request")
        return super().create(vals_list)

    def write(self, vals):
        if not self.env.su and any(record.state == "done" for record in self):
            self.check_access("write")
            raise UserError(self.env._("The evidence of a request cannot be changed."))
        return super().write(vals)

    @api.model
    def _has_field_access(self, field, operation):
        return super()._has_field_access(field, operation) and (
            operation == "read" or self.env.su or field.name not in EVIDENCE_FIELDS
        )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_done(self):
        if any(record.state == "done" for record in self):
            raise UserError(self.env._("The evidence of a request cannot be deleted."))

    # --- ERASURE ---

    def action_erase(self):
        """Erase the person from every addon's data and keep the evidence."""
        self.ensure_one()
        self.check_access("write")
        if not self.env.user.has_group("crm_data_governance.group_privacy_officer"):
            raise UserError(self.env._("Only a privacy officer may erase a person."))
        self.lock_for_update()
        if self.state != "draft":
            raise UserError(self.env._("This request is done already."))
        # The officer must be able to see the person and its addresses; what the
        # addons hold about it then goes as superuser, whoever may see it.
        partner_sudo = self.partner_id.sudo().with_context(active_test=False)
        people_sudo = self._get_people(partner_sudo)
        people_sudo.with_env(self.env).check_access("read")
        self._check_erasable(people_sudo)
        identities = self._get_identities(partner_sudo)
        evidence = list(
            self.env["governance.erasure"]
            .sudo()
            ._erase_person(partner_sudo, identities)
        )
        self.env.flush_all()
        evidence += self.sudo()._erase_partner(partner_sudo)
        self.sudo().write(
            {
                "state": "done",
                "date_done": fields.Datetime.now(),
                "user_id": self.env.uid,
                "line_ids": [
                    fields.Command.create(self._prepare_line_values(entry))
                    for entry in evidence
                    if entry["count"]
                ],
            }
        )
        _logger.info("Privacy request %s: person erased", self.id)
        return True

    @api.model
    def _check_erasable(self, people):
        if any(person.is_company for person in people):
            raise UserError(
                self.env._("A company is not a person. Choose one of its contacts.")
            )
        users = people.user_ids
        if any(not user.share and user.active for user in users):
            raise UserError(
                self.env._(
                    "This person is a user of this system. Archive the user first."
                )
            )
        template = self.env.ref(
            "base.template_portal_user_id", raise_if_not_found=False
        )
        if (
            self.env.ref("base.public_partner") in people
            or people.ref_company_ids
            or (template and template in users)
            or any(user._is_superuser() or user._is_public() for user in users)
        ):
            raise UserError(self.env._("This contact belongs to the system."))

    @api.model
    def _get_people(self, partner):
        """The person and its addresses, at any depth, archived ones too.

        :param partner: one person, superuser
        :return: ``res.partner``
        """
        below = partner.with_context(active_test=False).search(
            [("id", "child_of", partner.id)]
        )
        return partner | below.with_env(partner.env)

    @api.model
    def _get_identities(self, partner):
        """By what the person is known.

        :return: list of ``(kind, value)``
        """
        people = self._get_people(partner)
        identities = {("partner", str(person.id)) for person in people}
        for person in people:
            for kind, name in (
                ("email", "email_normalized"),
                ("phone", "phone_sanitized"),
                ("phone", "phone"),
                ("vat", "vat"),
            ):
                if name in person._fields and person[name]:
                    identities.add((kind, person[name]))
        return sorted(identities)

    @api.model
    def _prepare_line_values(self, entry):
        return {
            "res_model": entry["model"],
            "record_count": entry["count"],
            "action": entry["action"],
            "reason": entry["reason"],
        }

    @api.model
    def _erase_partner(self, partner):
        """Erase the contact itself: delete it, or empty it where others need it.

        :param partner: one person, superuser, archived ones included
        :return: evidence, as the hook gives it
        """
        people = self._get_people(partner)
        evidence = [
            *self._erase_messages(people),
            self._erase_attachments(people),
            self._close_logins(people),
        ]
        self.env.flush_all()
        # What the person wrote elsewhere keeps its author, who becomes nobody.
        self.env.cr.execute(
            SQL(
                "UPDATE mail_message SET email_from = NULL, reply_to = NULL"
                " WHERE author_id IN %s",
                tuple(people.ids),
            )
        )
        evidence.append(
            self._evidence("mail.message", self.env.cr.rowcount, "pseudonymised")
        )
        self.env["mail.message"].invalidate_model(["email_from", "reply_to"])
        holders = self._get_holding_tables(people)
        if holders:
            self._pseudonymise(people)
            accounting = holders & ACCOUNTING_TABLES
            evidence.append(
                self._evidence(
                    "res.partner",
                    len(people),
                    "pseudonymised",
                    "accounting_law" if accounting else "referenced",
                )
            )
        else:
            evidence.append(self._evidence("res.partner", len(people), "erased"))
            people.with_context(tracking_disable=True).unlink()
        return evidence

    @api.model
    def _evidence(self, model, count, action, reason="request"):
        return {"model": model, "count": count, "action": action, "reason": reason}

    @api.model
    def _erase_messages(self, people):
        messages = self.env["mail.message"].search(
            [("model", "=", "res.partner"), ("res_id", "in", people.ids)]
        )
        # Accounting may forbid to delete what belongs to its audit trail.
        kept = messages.browse()
        if "account_audit_log_restricted" in messages._fields:
            kept = messages.filtered("account_audit_log_restricted")
        erased = messages - kept
        evidence = [
            self._evidence("mail.message", len(erased), "erased"),
            self._evidence("mail.message", len(kept), "kept", "accounting_law"),
        ]
        erased.unlink()
        return evidence

    @api.model
    def _erase_attachments(self, people):
        # res_field: images of the contact are attachments too, found only if named.
        attachments = self.env["ir.attachment"].search(
            Domain("res_model", "=", "res.partner")
            & Domain("res_id", "in", people.ids)
            & (Domain("res_field", "=", False) | Domain("res_field", "!=", False))
        )
        entry = self._evidence("ir.attachment", len(attachments), "erased")
        attachments.unlink()
        return entry

    @api.model
    def _close_logins(self, people):
        users = people.user_ids
        for user in users:
            user.with_context(tracking_disable=True, no_reset_password=True).write(
                {"login": f"erased-{user.id}", "active": False, "signature": False}
            )
        return self._evidence("res.users", len(users), "pseudonymised", "login_closed")

    @api.model
    def _get_holding_tables(self, people):
        """Tables whose rows forbid the deletion of these contacts.

        :return: set of table names
        """
        self.env.cr.execute(
            SQL(
                """
                SELECT c.conrelid::regclass::text, a.attname
                  FROM pg_constraint c
                  JOIN pg_attribute a
                    ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
                 WHERE c.contype = 'f'
                   AND c.confrelid = 'res_partner'::regclass
                   AND c.confdeltype IN ('r', 'a')
                   AND c.conrelid <> c.confrelid
                """
            )
        )
        holders = set()
        for table, column in self.env.cr.fetchall():
            self.env.cr.execute(
                SQL(
                    "SELECT EXISTS (SELECT FROM %s WHERE %s IN %s)",
                    SQL.identifier(table.strip('"')),
                    SQL.identifier(column),
                    tuple(people.ids),
                )
            )
            if self.env.cr.fetchone()[0]:
                holders.add(table)
        return holders

    @api.model
    def _get_erased_fields(self, partner):
        """Fields that may tell about a person: text, dates, pictures, own columns.

        :return: list of names
        """
        return [
            name
            for name, field in partner._fields.items()
            if (field.type in ERASED_TYPES or field.type == "properties")
            and field.store
            and not field.related
            and (not field.compute or field.inverse or not field.readonly)
            and name not in KEPT_PARTNER_FIELDS
            and name not in models.MAGIC_COLUMNS
        ]

    @api.model
    def _pseudonymise(self, people):
        # No tracking: it would write the old values into the chatter.
        silent = people.with_context(
            tracking_disable=True, mail_notrack=True, mail_create_nolog=True
        )
        values = dict.fromkeys(self._get_erased_fields(people), False)
        values["category_id"] = [fields.Command.clear()]
        for person in silent:
            person.write(
                {
                    **values,
                    "name": self.env._("Erased person %(number)s", number=person.id),
                }
            )
        # Odoo looks for active log-ins in the context's way: only really active ones.
        silent.with_context(active_test=True).action_archive()
        silent.flush_recordset()


class GovernancePrivacyRequestLine(models.Model):
    _name = "governance.privacy.request.line"
    _description = "Evidence of a Privacy Request"
    _order = "id"
    _rec_name = "res_model"

    request_id = fields.Many2one(
        "governance.privacy.request",
        required=True,
        index=True,
        readonly=True,
        ondelete="cascade",
    )
    company_id = fields.Many2one(related="request_id.company_id", store=True)
    res_model = fields.Char(string="Model", required=True, readonly=True)
    model_name = fields.Char(string="Records", compute="_compute_model_name")
    record_count = fields.Integer(string="Number", required=True, readonly=True)
    action = fields.Selection(ACTIONS, required=True, readonly=True)
    reason = fields.Char(string="Reason Code", required=True, readonly=True)
    explanation = fields.Char(string="Reason", compute="_compute_explanation")

    @api.depends("res_model")
    @api.depends_context("lang")
    def _compute_model_name(self):
        for line in self:
            # sudo: the name of a model, not its records.
            model_sudo = self.env["ir.model"].sudo()._get(line.res_model)
            line.model_name = model_sudo.name or line.res_model

    @api.depends("reason")
    @api.depends_context("lang")
    def _compute_explanation(self):
        for line in self:
            line.explanation = render(self.env, _reasons, line.reason)
