from odoo.http import Controller, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.endpoint import GuardError, guarded, json_response

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
        self._check_same_site()
        data = reading.read_json()
        slots = reading.read_slots(data, self._code_of)
        website = request.env["website"].get_current_website()
        lang = reading.read_lang(data.get("lang"))
        if lang:
            website = website.with_context(lang=lang)
        consent = website._personalization_consent()
        anonymous_id = reading.read_id(data, "anonymousId") if consent else ""
        user = self._user(website)
        partner = user.partner_id.with_company(website.sudo().company_id)
        known = partner or self._known_by(website, anonymous_id)
        if known and known._personalization_refuses(website.sudo().company_id):
            # As a stranger, of whom nothing is kept.
            partner, known = partner.browse(), known.browse()
        if partner and anonymous_id:
            # sudo: a visitor may not read sources; it is their own browser.
            events_sudo = website.sudo().env["behavior.event"]
            events_sudo._claim_login(website.sudo(), partner, anonymous_id)
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
    def _check_same_site():
        """A page elsewhere may not have a visitor's contents recorded."""
        headers = request.httprequest.headers
        site = headers.get("Sec-Fetch-Site")
        origin = headers.get("Origin")
        if site not in (None, "same-origin") or (
            origin and origin.partition("://")[2] != request.httprequest.host
        ):
            raise GuardError(403, "forbidden")

    @staticmethod
    def _user(website):
        """Who is logged in: the guard runs as nobody, the session was verified.

        :return: ``res.users`` (superuser), empty for a public visitor
        """
        # sudo: the visitor's own record.
        users_sudo = website.sudo().env["res.users"]
        user_sudo = users_sudo.browse(request.session.uid or ()).exists()
        if not user_sudo or user_sudo._is_public():
            return users_sudo
        return user_sudo

    @staticmethod
    def _known_by(website, anonymous_id):
        """The customer whom the tracking identified by this id.

        It lends its segments, never a word: an id in a browser is no proof.
        """
        # sudo: a visitor may not read identities.
        env_sudo = website.sudo().env
        scopes = env_sudo["behavior.source"]._company_scopes(website.sudo().company_id)
        return env_sudo["omni.identity"]._resolve("anonymous_id", anonymous_id, scopes)

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
