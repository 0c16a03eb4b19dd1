from odoo.http import Controller, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_behavior_analytics.controllers.reading import read_id, read_json
from odoo.addons.crm_data_governance.endpoint import guarded

from .. import const
from ..tools import merge
from . import reading

_lt = LazyTranslate(__name__)


class PersonalizationDecide(Controller):
    @guarded(
        "/personalization/v1/decide",
        code="personalization.decide",
        title=_lt("Decide what to show in slots"),
        methods=["POST"],
        auth="credential",
        scope=const.SCOPE,
        max_bytes=64 * 2**10,
    )
    def decide(self):
        """Decide on several slots for one visitor of a page outside.

        Who asks decides what it may know: a secret key is a server of the company,
        which vouches for the ids it sends.  A public key stands in a page that anybody
        reads, so its ``userId`` says nothing, and its ``anonymousId`` lends the
        segments of the customer, never a word of it.
        """
        data = read_json()
        codes = reading.read_slots(data, lambda entry: entry)
        credential = request.guard.credential
        company = credential.company_id or request.env.company
        context = data.get("context") if isinstance(data.get("context"), dict) else {}
        lang = reading.read_lang(context.get("locale"))
        # sudo: what is published, by the rights of the credential.
        slots = request.env["personalization.slot"].sudo().with_company(company)
        if lang:
            slots = slots.with_context(lang=lang)
        partner, vouched, anonymous_id = self._identify(
            slots, company, data, credential
        )
        found = slots._find(company, request.env["website"], codes)
        segment_ids = None
        if partner:
            segment_ids = slots.browse(s.id for s in found.values())._segments_of(
                partner
            )
        person = partner if vouched else partner.browse()
        values = self._read_traits(data)
        answer, rows = {}, []
        exposures = request.env["personalization.exposure"]
        for code in codes:
            slot = found.get(code)
            if slot is None:
                answer[code] = reading.unknown_slot(code)
                continue
            shown = slot._show(person, segment_ids, values=values)
            answer[code] = self._answer(slots, shown, vouched)
            rows.append(
                exposures._prepare_row(
                    slot._note(shown), "api", partner=person, anonymous_id=anonymous_id
                )
            )
        exposures._record(rows)
        return {"slots": answer}

    @staticmethod
    def _identify(slots, company, data, credential):
        """:return: ``(partner, vouched for, anonymous id to record)``"""
        vouched = credential.kind == "secret"
        anonymous_id = read_id(data, "anonymousId")
        scopes = slots.env["behavior.source"]._company_scopes(company)
        resolve = slots.env["omni.identity"]._resolve
        user_id = read_id(data, "userId") if vouched else ""
        # As of events: beside a user ID, whose browser it is says nothing.
        if user_id:
            partner = resolve("user_id", user_id, scopes)
        else:
            partner = resolve("anonymous_id", anonymous_id, scopes)
        consents = slots.env["omni.consent"].with_company(company)
        persons = slots.env["behavior.source"]._consent_persons(
            scopes, partner, user_id, anonymous_id, kept=True
        )
        if consents._refusing(persons, "personalization", "web"):
            # As a stranger, of whom nothing is kept.
            return partner.browse(), vouched, ""
        if not vouched and not (
            partner and consents.check(partner, "personalization", "web")
        ):
            # A page may invent ids, and cannot vouch for a consent.
            anonymous_id = ""
        return partner.with_company(company), vouched, anonymous_id

    @staticmethod
    def _read_traits(data):
        """Texts for the merge fields of a visitor who is no customer yet.

        :return: path → text; always text in the content, whatever it contains
        """
        traits = data.get("traits")
        if not isinstance(traits, dict):
            return {}
        return {
            path: traits[name]
            for name, path in merge.TRAITS.items()
            if isinstance(traits.get(name), str)
        }

    @staticmethod
    def _answer(slots, shown, vouched):
        why = {"code": shown["code"]}
        if vouched:
            # The names of segments and variants are not for everybody's eyes.
            why |= {"params": shown["params"], "text": slots._outcome_text(shown)}
        return {
            "variant": shown["variant"].id or None,
            "html": shown["html"],
            "experiment": None,
            "why": why,
        }
