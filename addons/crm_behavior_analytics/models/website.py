import json
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from odoo import fields, models, tools
from odoo.http import request

CHOICE_COOKIE = "website_cookies_bar"
#: what the optional cookies are for
CHOICE_PURPOSES = ("analytics", "personalization")
#: a choice is asked for again after a year, as Odoo keeps the cookie
CHOICE_AGE = timedelta(days=366)


class Choice(NamedTuple):
    """What a visitor has chosen in the cookies bar, and when (naive UTC)."""

    agreed: bool
    at: datetime


class Website(models.Model):
    _inherit = "website"

    @tools.ormcache("self.id", cache="templates")
    def _behavior_key(self):
        """Return the write key whose script the pages of this website carry, or None.

        The same for every visitor, as pages are cached for all of them.
        """
        source_sudo = self._behavior_source()
        return source_sudo.public_key if source_sudo.state == "active" else None

    def _behavior_source(self):
        """Return the source whose script the pages of this website carry, or none."""
        # sudo: a visitor may not read sources; a public key stands in the pages.
        return (
            self.env["behavior.source"]
            .sudo()
            .search([("website_id", "=", self.id), ("on_website", "=", True)], limit=1)
        )

    # --- THE VISITOR ---

    def _visiting_user(self):
        """Who is logged in, by the session that the server has verified.

        For routes of the guard, which run as nobody.

        :return: ``res.users`` (superuser), empty for a public visitor
        """
        # sudo: the visitor's own record.
        users_sudo = self.sudo().env["res.users"]
        user_sudo = users_sudo.browse(request.session.uid or ()).exists()
        if not user_sudo or user_sudo._is_public():
            return users_sudo
        return user_sudo

    def _visitor_choice(self):
        """Return the :class:`Choice` of the cookies bar, or None; no query."""
        try:
            cookie = json.loads(request.cookies.get(CHOICE_COOKIE) or "null")
        except ValueError:
            return None
        if not isinstance(cookie, dict):
            return None
        now = fields.Datetime.now()
        stamp = cookie.get("ts")
        at = now
        if isinstance(stamp, int | float) and not isinstance(stamp, bool):
            try:
                at = datetime.fromtimestamp(stamp / 1000, timezone.utc)
            except (OverflowError, OSError, ValueError):
                at = now.replace(tzinfo=timezone.utc)
            at = at.replace(microsecond=0, tzinfo=None)
        return Choice(bool(cookie.get("optional")), min(max(at, now - CHOICE_AGE), now))

    def _visitor_agrees(self, purpose, person=None):
        """Whether a visitor's data may be used for a purpose: the one judge of it.

        Of somebody known, ``omni.consent`` decides, where their choice in the cookies
        bar has landed (:meth:`_meet_visitor`); of a stranger the choice itself does. A
        website that has no cookies bar asks nobody.

        :param str purpose: of ``omni.consent``
        :param person: ``res.partner``, one record, or none for a stranger
        """
        choice = self._visitor_choice()
        if choice and not choice.agreed:
            return False
        # sudo: a no counts, and so does a yes, whoever asks.
        website_sudo = self.sudo()
        if person:
            consents_sudo = website_sudo.env["omni.consent"].with_company(
                website_sudo.company_id
            )
            person_sudo = person.sudo()
            if consents_sudo._refusing([person_sudo], purpose, "web"):
                return False
            if consents_sudo.check(person_sudo, purpose, "web"):
                return True
        return bool(choice) or not website_sudo.cookies_bar

    def _visitor_known_by(self, anonymous_id):
        """Return the customer whom the tracking knows by an anonymous ID, or none.

        :return: ``res.partner`` (superuser)
        """
        # sudo: a visitor may not read identities.
        website_sudo = self.sudo()
        return website_sudo.env["omni.identity"]._resolve(
            "anonymous_id", anonymous_id, website_sudo._visitor_scopes()
        )

    def _visitor_scopes(self):
        return self.env["behavior.source"]._company_scopes(self.company_id)

    def _meet_visitor(self, partner, anonymous_id, choice=None):
        """Let land what a visit tells: what was chosen, and whose the browser is.

        Of a browser that no customer is known by nothing is kept: anybody could send
        any number of ids.  Its choice lands when it becomes a customer's.

        :param partner: ``res.partner`` of the session that the server has verified, or
            none
        :param str anonymous_id: of the browser, or ""
        :param choice: :class:`Choice`; None: that of the cookie, if there is one
        """
        # sudo: a visitor may not read identities, nor write answers.
        website_sudo = self.sudo()
        choice = choice or self._visitor_choice()
        person = partner.sudo()
        if not person and anonymous_id:
            identities_sudo = website_sudo.env["omni.identity"]
            key = ("anonymous_id", anonymous_id)
            found = identities_sudo._find([key], website_sudo._visitor_scopes())
            if key in found:
                identity_sudo = identities_sudo.browse(found[key].identity_id)
                person = (*key, identity_sudo.scope)
        if choice and person:
            company_sudo = website_sudo.company_id
            website_sudo.env["omni.consent"].with_company(company_sudo)._note_choice(
                person,
                CHOICE_PURPOSES,
                choice.agreed,
                "web",
                choice.at,
                source="website",
                company_id=company_sudo.id,
            )
        if partner and anonymous_id and self._visitor_agrees("analytics", partner):
            website_sudo.env["behavior.event"]._claim_login(
                website_sudo, partner, anonymous_id
            )
