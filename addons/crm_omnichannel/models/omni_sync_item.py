import hashlib
from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import SQL

from ..tools.landing import (
    MAX_KEY_LENGTH,
    LandedItem,
    Refused,
    Verdict,
    canonical,
    parse_item,
)
from ..tools.platform import Document


class OmniSyncItem(models.Model):
    """What was last fetched of a person, in one respect: so that a page that says
    nothing new lands nothing, and what has ended is noticed."""

    _name = "omni.sync.item"
    _description = "Last Fetched Version"
    _rec_name = "external_id"
    _log_access = False

    channel_id = fields.Many2one("omni.channel", required=True, ondelete="cascade")
    company_id = fields.Many2one(related="channel_id.company_id")
    kind = fields.Char(required=True)
    external_id = fields.Char("External ID", required=True)
    part = fields.Char(required=True)
    version = fields.Integer(required=True)
    digest = fields.Char(required=True)
    ended = fields.Boolean()

    _key_uniq = models.Constraint(
        "UNIQUE(channel_id, kind, external_id, part)", "One row a person and respect."
    )
    _part_idx = models.Index("(channel_id, kind, part)")
    _external_idx = models.Index("(external_id)")

    @api.model
    def _next_versions(self, channel, page):
        """Compare a page with what is known, and remember it.

        A content that was there before is the same message and lands once; one that
        comes back after another is a new version. The rows are written in the caller's
        transaction, together with what it lands.

        :param channel: ``omni.channel``
        :param Page page: ``tools/platform.py``
        :return: ``(list of LandedItem and Refused, whether somebody is new)``
        """
        known = self._known(channel, page)
        documents = {document[:3]: document for document in page.documents}
        fresh = False
        for whole in page.wholes:
            for key, (_version, _digest, ended) in known.items():
                kind, external_id, part = key
                value, other = (
                    (part, external_id) if whole.side == "part" else (external_id, part)
                )
                if (kind, value) == (whole.kind, whole.value):
                    gone = not ended and other not in whole.members
                    if gone and key not in documents:
                        documents[key] = Document(*key, None)
            if whole.side == "part":
                alive = {key[1] for key, row in known.items() if not row[2]}
                fresh = fresh or not whole.members <= alive
        items, rows = [], []
        for index, (key, document) in enumerate(documents.items()):
            version, digest, _ended = known.get(key, (0, "", False))
            try:
                payload = _payload(document)
            except Verdict as verdict:
                items.append(Refused(index, verdict.code))
                continue
            found = hashlib.sha256(payload).hexdigest()
            if found != digest:
                version += 1
                rows.append((*key, version, found, document.content is None))
            sender_key = f"{'/'.join(key)}/{version}/{found[:32]}"
            items.append(LandedItem(index, payload, sender_key, document.external_id))
        self._remember(channel, rows)
        return items, fresh

    @api.model
    def _known(self, channel, page):
        """Return ``{(kind, external_id, part): (version, digest, ended)}``."""
        wanted = defaultdict(set)
        for document in page.documents:
            wanted[document.kind, "external_id"].add(document.external_id)
        for whole in page.wholes:
            wanted[whole.kind, whole.side].add(whole.value)
        known = {}
        for (kind, side), values in sorted(wanted.items()):
            self.env.cr.execute(
                SQL(
                    "SELECT kind, external_id, part, version, digest, ended"
                    " FROM omni_sync_item"
                    " WHERE channel_id = %s AND kind = %s AND %s = ANY(%s)",
                    channel.id,
                    kind,
                    SQL.identifier(side),
                    sorted(values),
                )
            )
            known.update({tuple(row[:3]): row[3:] for row in self.env.cr.fetchall()})
        return known

    @api.model
    def _remember(self, channel, rows):
        if not rows:
            return
        self.env.cr.execute_values(
            """
            INSERT INTO omni_sync_item
                (channel_id, kind, external_id, part, version, digest, ended)
            VALUES %s
            ON CONFLICT (channel_id, kind, external_id, part) DO UPDATE SET
                version = excluded.version, digest = excluded.digest,
                ended = excluded.ended
            """,
            [(channel.id, *row) for row in sorted(rows)],
            page_size=len(rows),
        )
        self.invalidate_model(flush=False)


def _payload(document):
    """Return the bytes to land.

    :raise Verdict: the content must not land: what others send is checked no less
    """
    if len(document.external_id) + len(document.part) > MAX_KEY_LENGTH:
        raise Verdict("bad_key")
    payload = canonical(document.content or _ending(document))
    parse_item(payload.decode())
    return payload


def _ending(document):
    """What lands when a relation is over; it changes no value of the customer."""
    return {
        "external_contact": {"external_userid": document.external_id},
        "ended": {"kind": document.kind, "part": document.part},
    }
