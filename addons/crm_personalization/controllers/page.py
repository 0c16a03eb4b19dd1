from odoo.http import Controller, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_behavior_analytics.controllers.reading import read_id, read_json
from odoo.addons.crm_data_governance.endpoint import guarded, json_response

from . import reading

_lt = LazyTranslate(__name__)


class PersonalizationPage(Controller):
    @guarded(
        "/personalization/v1/page",
        code="personalization.page",
        title=_lt("Contents of a page of this website"),
        methods=["POST"],
        auth="open",
        max_bytes=512 * 2**10,
    )
    def page(self):
        """Fill in what is for the person alone, in one request for a whole page.

        The visitor is who is logged in; nothing that the page says makes one another
        person.  The page tells what it has shown by the signed notes in it, which is
        recorded; a visitor in a segment gets the cookie of the segment.
        """
        request.guard.check_same_site()
        data = read_json()
        slots = reading.read_slots(data, self._code_of)
        website = request.env["website"].get_current_website()
        lang = reading.read_lang(data.get("lang"))
        if lang:
            website = website.with_context(lang=lang)
        anonymous_id = read_id(data, "anonymousId")
        user = website._visiting_user()
        partner = user.partner_id.with_company(website.sudo().company_id)
        website._meet_visitor(partner, anonymous_id)
        # An id in a browser is no proof: it lends its segments, never a word.
        known = partner or website._visitor_known_by(anonymous_id)
        consent = website._visitor_agrees("personalization", known)
        if known and known._personalization_refuses(website.sudo().company_id):
            # As a stranger, of whom nothing is kept.
            partner, known = partner.browse(), known.browse()
        elif not partner and not consent:
            known = known.browse()
        segment_ids = website._personalization_segments_of(known)
        answer, rows = {}, []
        exposures = request.env["personalization.exposure"]
        for code, entry in slots.items():
            channel, shown = self._shown(website, code, entry, partner, segment_ids)
            if shown is None:
                answer[code] = reading.unknown_slot(code)
                continue
            if "html" in shown:
                answer[code] = {
                    "variant": shown["variant"] or None,
                    "html": shown["html"],
                }
            rows.append(
                exposures._prepare_row(
                    shown,
                    channel,
                    website,
                    # Without consent, nobody is remembered.  Nor is an id that the
                    # tracking does not know: anybody could send any number of them.
                    known if consent else None,
                )
            )
        if not (user and user._is_internal()):
            # The staff looks at its own pages.
            exposures._record(rows)
        response = json_response({"slots": answer})
        if not consent:
            website._personalization_set_cookie(response, ())
        elif known or user:
            website._personalization_set_cookie(response, segment_ids)
        return response

    @staticmethod
    def _code_of(entry):
        return entry.get("code") if isinstance(entry, dict) else None

    @staticmethod
    def _shown(website, code, entry, partner, segment_ids):
        """What the page shows in a slot, or should show.

        :return: ``(channel, shown)``; shown has ``html`` if the page needs it, and is
            None for an unknown slot
        """
        shown = website._personalization_shown(entry.get("proof"))
        if shown and not (shown["pending"] and partner):
            return "page", shown
        slot = website._personalization_slots().get(code)
        if slot is None:
            return "load", None
        if partner:
            decided = slot._show(partner, segment_ids)
        else:
            # A block that the server did not fill, in a text of a product or a blog.
            segment = website._personalization_cookie_segment(
                website._personalization_plan()
            )
            decided = slot._show(partner, {segment, *segment_ids}, shared=True)
        return "load", {
            **website._personalization_note(slot, decided),
            "html": decided["html"],
        }
