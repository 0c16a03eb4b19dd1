from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL

from ..tools.consent import GRANTED, allowed, current, newest, refused

IDENTITY_FIELDS = ("identity_kind", "identity_value", "identity_scope")


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
    identity_scope = fields.Char(
        "Scope",
        help="Where the identifier names one person: one channel or source for its own"
        " IDs, one company for telephones and e-mails.",
    )
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
        " (identity_kind IS NOT NULL AND identity_value IS NOT NULL"
        " AND identity_scope IS NOT NULL))",
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

        :param person: ``res.partner``, one record, or ``(kind, value, scope)`` of an
            identity
        :param str purpose: one of the purposes of this model
        :param channel: one of the channels of this model; None: every channel
        :return: bool
        """
        self.check_access("read")
        [answers] = self._get_answers([person])
        return allowed(answers, purpose, channel or None)

    @api.model
    def _refusing(self, persons, purpose, channel=None):
        """Return those who have said no; who has not answered is not among them.

        Two queries for any number of persons; the first is a quick one and mostly
        leaves nobody to ask about.

        :param persons: iterable of persons as for ``check``, partners and identities
            mixed
        :param purpose: as for ``check``
        :param channel: as for ``check``
        :return: set of the same persons
        """
        persons = self._filter_doubtful(list(persons), purpose)
        if not persons:
            return set()
        return {
            person
            for person, answers in zip(
                persons, self._get_answers(persons, purpose), strict=True
            )
            if refused(answers, purpose, channel or None)
        }

    @api.model
    def _refusing_customers(self, purpose):
        """Return the customers who have said no to the current company, of all.

        :param purpose: as for ``check``
        :return: ``res.partner``
        """
        self.flush_model()
        self.env["omni.identity"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT partner_id FROM omni_consent
                WHERE purpose = %(purpose)s AND state <> 'granted'
                  AND partner_id IS NOT NULL
                UNION
                SELECT identity.partner_id FROM omni_consent AS consent
                JOIN omni_identity AS identity
                  ON identity.kind = consent.identity_kind
                 AND identity.value = consent.identity_value
                WHERE consent.purpose = %(purpose)s AND consent.state <> 'granted'
                """,
                purpose=purpose,
            )
        )
        partners = self.env["res.partner"].browse(
            partner_id for (partner_id,) in rows if partner_id
        )
        return partners.browse(
            sorted(partner.id for partner in self._refusing(partners, purpose))
        )

    @api.model
    def _filter_doubtful(self, persons, purpose):
        """Return those who may have said no: all but the identities of whom nothing is
        known.

        :param list persons: as for :meth:`_refusing`
        :return: list
        """
        names = {
            person[:2] for person in persons if not isinstance(person, models.BaseModel)
        }
        if not names:
            return persons
        self.flush_model()
        self.env["omni.identity"].flush_model(["kind", "value"])
        known = set(
            self.env.execute_query(
                SQL(
                    """
                    SELECT kind, value FROM omni_identity
                    WHERE kind = ANY(%(kinds)s) AND value = ANY(%(values)s)
                    UNION ALL
                    SELECT identity_kind, identity_value FROM omni_consent
                    WHERE identity_kind = ANY(%(kinds)s)
                      AND identity_value = ANY(%(values)s)
                      AND purpose = %(purpose)s AND state <> 'granted'
                    """,
                    kinds=list({kind for kind, _value in names}),
                    values=list({value for _kind, value in names}),
                    purpose=purpose,
                )
            )
        )
        return [
            person
            for person in persons
            if isinstance(person, models.BaseModel) or person[:2] in known
        ]

    @api.model
    def _current(self, person):
        """Return what stands now, one answer for each purpose and channel.

        :return: list of answers, as ``tools/consent.py`` tells
        """
        [answers] = self._get_answers([person])
        return current(answers)

    @api.model
    def _get_answers(self, persons, purpose=None):
        """Return all answers of persons to the current company, in one query.

        Within a company an identifier of no company names the same person.

        :param list persons: as for ``check``
        :param purpose: only the answers about this one; None: all
        :return: list of lists of answers, in the order of the persons
        """
        # all answers, whatever the rules show: a no that the reader may not see counts
        self.flush_model()
        self.env["omni.identity"].flush_model(
            ["kind", "value", "scope", "partner_id", "quarantined"]
        )
        rows = self.env.execute_query_dict(
            SQL(
                """
                WITH asked AS (
                    SELECT position, partner_id, kind, value, %(asked_scope)s AS place
                    FROM unnest(%(partners)s::integer[], %(kinds)s::varchar[],
                                %(values)s::varchar[], %(scopes)s::varchar[])
                        WITH ORDINALITY
                        AS asked (partner_id, kind, value, scope, position)
                ),
                -- whoever is known by an identifier has spoken too; whose a shared
                -- device is nobody can tell
                person AS (
                    SELECT position, partner_id FROM asked
                    WHERE partner_id IS NOT NULL
                    UNION
                    SELECT asked.position, identity.partner_id
                    FROM asked
                    JOIN omni_identity AS identity
                      ON identity.kind = asked.kind AND identity.value = asked.value
                     AND %(identity_scope)s = asked.place
                     AND identity.quarantined IS NOT TRUE
                ),
                known AS (
                    SELECT person.position, identity.kind, identity.value,
                           %(identity_scope)s AS place
                    FROM person
                    JOIN omni_identity AS identity
                      ON identity.partner_id = person.partner_id
                    UNION
                    SELECT position, kind, value, place FROM asked
                    WHERE kind IS NOT NULL
                ),
                found AS (
                    SELECT person.position, consent.id
                    FROM person
                    JOIN omni_consent AS consent
                      ON consent.partner_id = person.partner_id
                    UNION
                    SELECT known.position, consent.id
                    FROM known
                    JOIN omni_consent AS consent
                      ON consent.identity_kind = known.kind
                     AND consent.identity_value = known.value
                     AND %(consent_scope)s = known.place
                )
                SELECT found.position, consent.id, purpose, channel, state,
                       text_version, source, at, partner_id, identity_kind,
                       identity_value, identity_scope
                FROM found
                JOIN omni_consent AS consent ON consent.id = found.id
                WHERE (company_id = %(company)s OR company_id IS NULL)
                  AND (%(purpose)s::varchar IS NULL OR purpose = %(purpose)s)
                """,
                asked_scope=self._place_sql(SQL("asked.scope")),
                identity_scope=self._place_sql(SQL("identity.scope")),
                consent_scope=self._place_sql(SQL("consent.identity_scope")),
                company=self.env.company.id,
                purpose=purpose,
                **self._prepare_persons(persons),
            )
        )
        found = [[] for _person in persons]
        for row in rows:
            found[row.pop("position") - 1].append(
                {
                    "subject": (
                        row.pop("partner_id"),
                        row.pop("identity_kind"),
                        row.pop("identity_value"),
                        row.pop("identity_scope"),
                    ),
                    **row,
                }
            )
        return found

    @api.model
    def _place_sql(self, scope):
        """Return a scope as SQL; the company's own and that of no company are one."""
        return SQL(
            "CASE WHEN %(scope)s IN ('company:0', %(own)s) THEN 'company'"
            " ELSE %(scope)s END",
            scope=scope,
            own=f"company:{self.env.company.id}",
        )

    @api.model
    def _prepare_persons(self, persons):
        """Return the persons as columns."""
        columns = map(list, zip(*map(_subject, persons), strict=True))
        return dict(
            zip(("partners", "kinds", "values", "scopes"), columns, strict=True)
        )

    # --- TELL ---

    @api.model
    def _note_choice(self, person, purposes, agreed, channel, at, **values):
        """Add what a person chose where it is not their last word already.

        A browser tells its choice with each visit: that is one answer, and one that is
        older than what the person said since changes nothing.

        :param person: as for ``check``
        :param purposes: iterable of purposes
        :param bool agreed: what was chosen
        :param str channel: where
        :param datetime at: when (naive UTC)
        :param values: as for :meth:`_record`
        :return: ``omni.consent``, the new answers
        """
        [answers] = self._get_answers([person])
        subject = _subject(person)
        last = {
            key[1]: answer
            for key, answer in newest(answers).items()
            if key[0] == subject and key[2] == channel
        }
        consents = self.browse()
        for purpose in purposes:
            word = last.get(purpose)
            granted = bool(word) and word["state"] == GRANTED
            if word and (granted == agreed or word["at"] > at):
                continue
            state = "granted" if agreed else "revoked" if granted else "denied"
            consents |= self._record(
                person, purpose, state, channel, **{"at": at, **values}
            )
        return consents

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
            else dict(zip(IDENTITY_FIELDS, person, strict=True))
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


def _subject(person):
    """A person as ``(partner id, kind, value, scope)``, as answers name theirs."""
    if isinstance(person, models.BaseModel):
        person.ensure_one()
        return person.id, None, None, None
    return None, *person
