from odoo import api, models
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.models.governance_privacy_request import (
    add_reasons,
)

from ..tools.landing import unpack
from ..tools.mapping import mentions
from ..tools.normalisers import normal_email

_lt = LazyTranslate(__name__)

SCAN_SIZE = 1000

add_reasons(
    {
        "provenance_erased": _lt(
            "Where the person's values came from, and earlier values, are forgotten."
        )
    }
)


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Erase what the channels sent of a person, their identities and provenance."""
        result = super()._erase_person(partner, identities)
        records = self._omni_records_of(partner, identities)
        self._omni_erase_records(records)
        consents = self._omni_consents_of(partner, identities)
        consent_count = len(consents)
        consents.unlink()
        members = self.env["omni.segment.member"].search(
            [("partner_id", "=", partner.id)]
        )
        member_count = len(members)
        members.unlink()
        events = self.env["omni.segment.event"].search(
            [("partner_id", "=", partner.id)]
        )
        event_count = len(events)
        events.unlink()
        identities = self.env["omni.identity"].search([("partner_id", "=", partner.id)])
        identity_count = len(identities)
        identities.unlink()
        had_sources = bool(partner.omni_provenance)
        partner.write(
            {"omni_provenance": False, "omni_birthdate": False, "omni_gender": False}
        )
        counts = (
            ("omni.record", len(records), "person_erased"),
            ("omni.identity", identity_count, "person_erased"),
            ("omni.consent", consent_count, "person_erased"),
            ("omni.segment.member", member_count, "person_erased"),
            ("omni.segment.event", event_count, "person_erased"),
            ("res.partner", int(had_sources), "provenance_erased"),
        )
        return result + [
            {"model": model, "count": count, "action": "erased", "reason": reason}
            for model, count, reason in counts
            if count
        ]

    @api.model
    def _omni_consents_of(self, partner, identities):
        """Return the answers of a person, those too that they gave unknown.

        What the same value names elsewhere is another customer's and stays.
        """
        own = {
            (identity.kind, identity.value, identity.scope)
            for identity in partner.omni_identity_ids
        }
        named = self._omni_named(partner, identities)
        candidates = Domain("partner_id", "=", partner.id)
        for kind, value in {key[:2] for key in own} | named:
            candidates |= Domain("identity_kind", "=", kind) & Domain(
                "identity_value", "=", value
            )
        consents = self.env["omni.consent"].search(candidates)
        values = consents.filtered("identity_value").mapped("identity_value")
        others = {
            (identity.kind, identity.value, identity.scope)
            for identity in self.env["omni.identity"].search(
                [("value", "in", values), ("partner_id", "!=", partner.id)]
            )
        }

        def is_theirs(consent):
            key = (
                consent.identity_kind,
                consent.identity_value,
                consent.identity_scope,
            )
            return (
                consent.partner_id == partner
                or key in own
                or (not consent.partner_id and key[:2] in named and key not in others)
            )

        return consents.filtered(is_theirs)

    @api.model
    def _omni_named(self, partner, identities):
        """Return the identifiers that only the request names, wherever they are used.

        An ID under which the person is known names them there alone; an address or a
        telephone number is theirs everywhere.

        :param identities: ``(kind, value)``, as the request tells them
        :return: set of ``(kind, value)``
        """
        known = {
            (identity.kind, identity.value)
            for identity in partner.omni_identity_ids
            if identity.kind not in ("email", "phone")
        }
        addresses = {
            (identity.kind, identity.value)
            for identity in partner.omni_identity_ids
            if identity.kind in ("email", "phone")
        }
        given = {(kind, value) for kind, value in identities if value}
        return (given | addresses) - known

    @api.model
    def _omni_spelt(self, records, name, emails):
        """Return how a field that keeps addresses as they were typed spells some.

        One grouped query, compared in process: an erasure is rare, and a pattern
        misses what is spelt in another width or with a name before it.

        :param records: model, with the context to search in
        :param str name: of the field
        :param set emails: addresses in their normal form
        """
        if not emails:
            return []
        typed = records._read_group(Domain(name, "!=", False), [name])
        return [email for (email,) in typed if normal_email(email) in emails]

    @api.model
    def _omni_names_in(self, partner, named, scopes):
        """Return the identifiers that mean a person in one place.

        Those of the person whose scope reaches it, and those that only the request
        names; an ID that names somebody else there is not theirs.

        :param set named: of :meth:`_omni_named`
        :param scopes: those of the place, list of str
        :return: set of ``(kind, value)``
        """
        own = {
            (identity.kind, identity.value)
            for identity in partner.omni_identity_ids
            if identity.scope in scopes
        }
        names = own | named
        others = {
            key
            for key, found in self.env["omni.identity"]._find(names, scopes).items()
            if key[0] not in ("email", "phone") and found.partner_id != partner.id
        }
        return names - others

    @api.model
    def _omni_records_of(self, partner, identities):
        """Return the records of a person, those too that were never processed."""
        records = self.env["omni.record"].with_context(bin_size=False)
        own = Domain("partner_id", "=", partner.id)
        for identity in partner.omni_identity_ids:
            if identity.kind == "external_id":
                own |= Domain("channel_id", "=", identity.channel_id.id) & Domain(
                    "external_id", "=", identity.value
                )
        found = records.search(own)
        named = self._omni_named(partner, identities)
        names = {}
        last = 0
        while unlinked := records.search(
            [("partner_id", "=", False), ("id", ">", last)], order="id", limit=SCAN_SIZE
        ):
            last = unlinked[-1].id
            for record in unlinked - found:
                channel = record.channel_id
                if channel not in names:
                    scopes = [
                        f"channel:{channel.id}",
                        f"company:{channel.company_id.id}",
                        "company:0",
                    ]
                    names[channel] = self._omni_names_in(partner, named, scopes)
                stored = record.payload
                if stored and mentions(unpack(stored).decode(), names[channel]):
                    found |= record
            unlinked.invalidate_recordset(["payload"])
        return found

    @api.model
    def _omni_erase_records(self, records):
        for record in records:
            record.write(
                {
                    "payload": False,
                    "external_id": False,
                    "error_params": False,
                    "notes": False,
                    "idempotency_key": f"erased:{record.id}",
                    "state": "done",
                    "error_code": False,
                }
            )
