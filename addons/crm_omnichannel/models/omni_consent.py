from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from ..tools.consent import allowed, current


class OmniConsent(models.Model):
    """One answer of a person about what may be done with their data.

    Answers are only added: the newest one counts, the others are the evidence.
    """

    _name = "omni.consent"
    _description = "Consent"
    _order = "at desc, id desc"
    _rec_name = "purpose"
    # an answer is never changed; create_uid and create_date tell who wrote it down

    partner_id = fields.Many2one(
        "res.partner", "Customer", index="btree_not_null", ondelete="cascade"
    )
    identity_kind = fields.Selection(
        "_selection_identity_kind",
        help="Of a visitor who is not known as a customer yet: what they are known by.",
    )
    identity_value = fields.Char("Identifier")
    company_id = fields.Many2one(
        "res.company",
        index="btree_not_null",
        default=lambda self: self._default_company_id(),
        help="To whom the answer was given. Empty: to all companies.",
    )
    purpose = fields.Selection(
        [
            ("marketing", "Marketing"),
            ("analytics", "Analytics"),
            ("personalization", "Personalization"),
            ("profiling", "Scores and Profiles"),
            ("sharing", "Sharing with Partners"),
        ],
        required=True,
    )
    channel = fields.Selection(
        [
            ("email", "E-mail"),
            ("phone", "Phone"),
            ("sms", "Text Message"),
            ("wechat", "WeChat"),
            ("wecom", "WeCom"),
            ("douyin", "Douyin"),
            ("post", "Letter"),
            ("web", "Website"),
        ],
        help="Empty: every channel.",
    )
    state = fields.Selection(
        [("granted", "Granted"), ("denied", "Denied"), ("revoked", "Revoked")],
        "Answer",
        required=True,
        default="granted",
    )
    text_version = fields.Char(
        "Version of the Text", help="Which wording the person was shown."
    )
    source = fields.Selection(
        [
            ("person", "Told to Us"),
            ("form", "Signed Form"),
            ("website", "Website"),
            ("channel", "Channel"),
            ("import", "Import"),
        ],
        required=True,
        default="person",
    )
    note = fields.Char(help="Where the evidence is: a call, a paper, a page.")
    at = fields.Datetime(
        "Answered", required=True, default=lambda self: self._default_at()
    )

    _identity_idx = models.Index(
        "(identity_kind, identity_value) WHERE identity_value IS NOT NULL"
    )
    _check_person = models.Constraint(
        "CHECK(partner_id IS NOT NULL OR"
        " (identity_kind IS NOT NULL AND identity_value IS NOT NULL))",
        "A consent needs the person who gave it.",
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    @api.model
    def _default_at(self):
        return fields.Datetime.now()

    @api.model
    def _selection_identity_kind(self):
        return self.env["omni.identity"]._selection_kind()

    @api.depends("purpose", "channel")
    @api.depends_context("lang")
    def _compute_display_name(self):
        purposes, channels = (
            dict(self._fields[name]._description_selection(self.env))
            for name in ("purpose", "channel")
        )
        for consent in self:
            parts = (purposes.get(consent.purpose), channels.get(consent.channel))
            consent.display_name = " · ".join(part for part in parts if part)

    @api.constrains("at")
    def _check_at(self):
        """A date that is to come would hide all later answers."""
        now = fields.Datetime.now()
        if any(consent.at > fields.Datetime.add(now, minutes=5) for consent in self):
            raise ValidationError(self.env._("An answer cannot lie in the future."))

    def write(self, vals):
        if vals:
            raise UserError(
                self.env._(
                    "A recorded answer is evidence and is not changed: record a new"
                    " one."
                )
            )
        return super().write(vals)

    # --- ASK ---

    @api.model
    def check(self, person, purpose, channel=None):
        """Tell whether a person agrees to a purpose.

        No answer is no consent. What was said under any identifier of the same customer
        counts, and the stricter answer wins.

        :param person: ``res.partner``, one record, or ``(kind, value)`` of an identity
        :param str purpose: one of the purposes of this model
        :param channel: one of the channels of this model; None: every channel
        :return: bool
        """
        self.check_access("read")
        return allowed(self._get_answers(person), purpose, channel or None)

    @api.model
    def _current(self, person):
        """Return what stands now, one answer for each purpose and channel.

        :return: list of answers, as ``tools/consent.py`` tells
        """
        return current(self._get_answers(person))

    @api.model
    def _get_answers(self, person):
        """Return all answers of a person to the current company, in one query."""
        # all answers, whatever the rules show: a no that the reader may not see counts
        self.flush_model()
        self.env["omni.identity"].flush_model(["kind", "value", "partner_id"])
        rows = self.env.execute_query_dict(
            SQL(
                """
                WITH person AS (%(person)s),
                known AS (
                    SELECT kind, value FROM omni_identity
                    WHERE partner_id IN (SELECT id FROM person)
                    UNION
                    SELECT %(kind)s, %(value)s
                )
                SELECT id, purpose, channel, state, text_version, source, at,
                       partner_id, identity_kind, identity_value
                FROM omni_consent
                WHERE (partner_id IN (SELECT id FROM person)
                       OR (identity_kind, identity_value) IN (
                           SELECT kind, value FROM known
                       ))
                  AND (company_id = %(company)s OR company_id IS NULL)
                """,
                company=self.env.company.id,
                **self._get_person(person),
            )
        )
        return [
            {
                "subject": (
                    row.pop("partner_id"),
                    row.pop("identity_kind"),
                    row.pop("identity_value"),
                ),
                **row,
            }
            for row in rows
        ]

    @api.model
    def _get_person(self, person):
        """Return the customer as a query, and what else they are known by."""
        if isinstance(person, models.BaseModel):
            person.ensure_one()
            return {
                "person": SQL("SELECT %s::integer AS id", person.id),
                "kind": SQL("NULL::text"),
                "value": SQL("NULL::text"),
            }
        kind, value = person
        # whoever is known by it has spoken too
        known = SQL(
            "SELECT partner_id AS id FROM omni_identity WHERE kind = %s AND value = %s",
            kind,
            value,
        )
        return {
            "person": known,
            "kind": SQL("%s::text", kind),
            "value": SQL("%s::text", value),
        }

    # --- TELL ---

    @api.model
    def _record(self, person, purpose, state, channel=None, **values):
        """Add an answer.

        :param person: as for ``check``
        :param values: ``source``, ``text_version``, ``at``, ``note``, ``company_id``
        :return: ``omni.consent``
        """
        subject = (
            {"partner_id": person.id}
            if isinstance(person, models.BaseModel)
            else dict(zip(("identity_kind", "identity_value"), person, strict=True))
        )
        return self.create(
            {
                "purpose": purpose,
                "state": state,
                "channel": channel,
                **subject,
                **values,
            }
        )
