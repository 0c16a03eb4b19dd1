from typing import NamedTuple

from markupsafe import Markup

from odoo import fields, models
from odoo.exceptions import ValidationError
from odoo.http import request
from odoo.tools import hash_sign, ormcache, verify_hash_signed

from .. import const
from ..tools import keys

COOKIE_SCOPE = "crm_personalization.segment"
PROOF_SCOPE = "crm_personalization.shown"
# A cookie of ours has some hundred characters.
MAX_COOKIE = 400


class Plan(NamedTuple):
    """By what the cached pages of a website differ.

    :param tuple segments: ids of the segments with a key of their own, ranked
    :param tuple moments: when a variant starts or ends, sorted
    """

    segments: tuple
    moments: tuple


class Website(models.Model):
    _inherit = "website"

    # --- KEYS OF THE CACHED PAGES ---

    @ormcache("self.id")
    def _personalization_plan(self):
        """:return: :class:`Plan`; cached until a slot or variant changes"""
        # sudo: visitors may not read slots; these are the published ones.
        variants = (
            self.env["personalization.slot"]
            .sudo()
            ._find(self.sudo().company_id, self)
            .values()
        )
        uses, moments = [], set()
        for slot in variants:
            for variant in slot.variant_ids:
                moments |= {variant.date_start, variant.date_end} - {False}
                try:
                    in_page = variant._audience_domain().is_true()
                except ValidationError:
                    # The decision tells it; the variant is in no page.
                    continue
                if in_page:
                    uses += [(s.id, variant.sequence) for s in variant.segment_ids]
        return Plan(keys.rank_segments(uses), tuple(sorted(moments)))

    def _personalization_page_key(self):
        """What the cache tells pages of a public visitor apart by, without a query.

        :return: ``(segment id or 0, number of starts and ends so far)``
        """
        plan = self._personalization_plan()
        return (
            self._personalization_cookie_segment(plan),
            keys.epoch(plan.moments, fields.Datetime.now()),
        )

    def _personalization_cookie_segment(self, plan):
        """The segment in the visitor's cookie.

        :return: id; :data:`keys.DEFAULT` without a cookie of ours for this website, or
            when the visitor has refused optional cookies since
        """
        cookie = request.cookies.get(const.COOKIE) or ""
        if not 0 < len(cookie) <= MAX_COOKIE:
            return keys.DEFAULT
        choice = self._visitor_choice()
        if choice and not choice.agreed:
            return keys.DEFAULT
        message = self._personalization_verify(COOKIE_SCOPE, cookie)
        match message:
            case [int(website_id), int(segment_id)] if website_id == self.id:
                return keys.key_of({segment_id}, plan.segments)
        return keys.DEFAULT

    def _personalization_verify(self, scope, token):
        """:return: the signed message, or None for anything else"""
        try:
            # sudo: the secret of the database signs it.
            return verify_hash_signed(self.sudo().env, scope, token)
        except (ValueError, TypeError, IndexError):
            # Not even of the form.
            return None

    # --- VISITOR ---

    def _personalization_segments_of(self, partner):
        """The segments that the website's variants ask for and a customer is in.

        :param partner: one ``res.partner``, or none
        :return: frozenset of ids
        """
        slots = self.env["personalization.slot"].sudo()
        return slots.union(*self._personalization_slots().values())._segments_of(
            partner
        )

    def _personalization_set_cookie(self, response, segment_ids):
        """Let a known visitor be recognised by segment when the session is over.

        :param response: ``odoo.http.Response``
        :param segment_ids: of the visitor who has consented; none: forget
        """
        segment_id = keys.key_of(segment_ids, self._personalization_plan().segments)
        if segment_id == keys.DEFAULT:
            if const.COOKIE in request.cookies:
                response.set_cookie(const.COOKIE, "", max_age=0)
            return
        token = hash_sign(
            self.sudo().env,
            COOKIE_SCOPE,
            [self.id, segment_id],
            expiration_hours=24 * const.COOKIE_DAYS,
        )
        response.set_cookie(
            const.COOKIE,
            token,
            max_age=24 * 3600 * const.COOKIE_DAYS,
            secure=request.httprequest.is_secure,
            httponly=True,
            samesite="Lax",
        )

    # --- PAGE ---

    def _personalization_slots(self):
        """The slots of the website, once a request.

        :return: ``{code: slot}``, superuser
        """
        known = self.env.cr.cache.setdefault("crm_personalization", {})
        # sudo: what is published for visitors, who may not read slots.
        slots_sudo = self.env["personalization.slot"].sudo()
        if self.id not in known:
            found = slots_sudo._find(self.sudo().company_id, self)
            known[self.id] = {code: slot.id for code, slot in found.items()}
        ids = known[self.id]
        # Browsed together, they are read together.
        slots = slots_sudo.browse(ids.values())
        return dict(zip(ids, slots, strict=True))

    def _personalization_visitor(self):
        """Who sees the page, once a request.

        :return: ``(partner, segment ids)``: a logged-in customer (superuser) or none
        """
        user = request.env.user
        partners_sudo = self.env["res.partner"].sudo()
        if user._is_public():
            plan = self._personalization_plan()
            return partners_sudo, {self._personalization_cookie_segment(plan)}
        known = self.env.cr.cache.setdefault("crm_personalization_visitor", {})
        if (user.id, self.id) not in known:
            # sudo: the visitor's own record, asked for its segments only.
            partner_sudo = user.partner_id.sudo()
            if partner_sudo._personalization_refuses(self.sudo().company_id):
                partner_sudo = partners_sudo
            segments = self._personalization_segments_of(partner_sudo)
            known[user.id, self.id] = partner_sudo.id, segments
        partner_id, segments = known[user.id, self.id]
        return partners_sudo.browse(partner_id or ()), segments

    def _personalization_block(self, code):
        """The content of a slot for the page that is being rendered.

        It is the same for all members of a segment: pages are cached.

        :param str code: code of the slot
        :return: Markup
        """
        slot_sudo = self._personalization_slots().get(code)
        if slot_sudo is None:
            if not request.env.user.has_group(
                "website.group_website_restricted_editor"
            ):
                return Markup()
            return Markup('<div class="alert alert-warning" role="alert">%s</div>') % (
                self.env._("There is no slot “%(code)s” for this website.", code=code)
            )
        partner_sudo, segments = self._personalization_visitor()
        shown = slot_sudo._show(partner_sudo, segments, shared=True)
        return Markup(
            '<div class="o_personalization_content%s"%s data-proof="%s">%s</div>'
        ) % (
            " o_personalization_pending" if shown["pending"] else "",
            Markup(' data-failed="1"' if shown["code"] == "default_error" else ""),
            self._personalization_proof(slot_sudo, shown),
            Markup(shown["html"]),
        )

    # --- PROOF: what a page has shown, told by itself afterwards ---

    def _personalization_proof(self, slot, shown):
        """A signed note of what stands in the page."""
        # sudo: the secret of the database signs it.
        note = self._personalization_note(slot, shown)
        return hash_sign(self.sudo().env, PROOF_SCOPE, note)

    def _personalization_note(self, slot, shown):
        return {
            **slot._note(shown),
            "website": self.id,
            "pending": shown["pending"],
        }

    def _personalization_shown(self, proof):
        """:return: what the note says, or None if it is none of this website's"""
        if not isinstance(proof, str) or len(proof) > 8192:
            return None
        shown = self._personalization_verify(PROOF_SCOPE, proof)
        if not isinstance(shown, dict) or shown.get("website") != self.id:
            return None
        return shown
