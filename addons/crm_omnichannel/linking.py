"""Strong links of a batch: customers whom the records say to be one are merged."""

from odoo.tools import SQL

from .messages_merge import MergeRefused
from .tools.linking import link, strong_links


class Linking:
    """Who the records of one batch belong to.

    :param env: superuser
    :param list claims: ``Claim`` of the records
    :param dict known: key → id of the customer
    :param set quarantined: keys that name nobody
    """

    def __init__(self, env, claims, known, quarantined):
        self.env = env
        self.claims = claims
        self.known = known
        self.quarantined = quarantined
        self.kinds = env["omni.identity.kind"]._get_kinds()
        self.strong = self._read(None)

    def _read(self, held):
        return strong_links(self.claims, self.known, self.kinds, held, self.quarantined)

    def merge(self, saving):
        """Merge the customers who are one; who may not be merged stays, with a note.

        :param saving: the batch, whose customers are locked in one order
        :return: ``known``, by the survivors
        """
        if not self.strong.groups:
            return self.known
        # what they have counts only where somebody would be merged
        self.strong = self._read(self._held(self.strong.groups))
        saving._lock(sorted({one for group in self.strong.groups for one in group}))
        survivors = {}
        for group, kinds in zip(self.strong.groups, self.strong.kinds, strict=True):
            survivors |= self._merge_group(group, kinds, saving)
        self.known = {
            key: survivors.get(person, person) for key, person in self.known.items()
        }
        return self.known

    def _held(self, groups):
        """Return ``{customer id: {(kind, scope): values}}`` of those in the groups."""
        held = {}
        for partner_id, kind, scope, values in self.env.execute_query(
            SQL(
                """
                SELECT partner_id, kind, scope, array_agg(value) FROM omni_identity
                WHERE partner_id = ANY(%s) AND NOT coalesce(quarantined, FALSE)
                GROUP BY partner_id, kind, scope
                """,
                [one for group in groups for one in group],
            )
        ):
            held.setdefault(partner_id, {})[kind, scope] = set(values)
        return held

    def _merge_group(self, group, kinds, saving):
        """Return ``{id of who went: id of who stays}``."""
        people = self.env["res.partner"].browse(group)
        # who can log in stays
        log_ins = people._log_in_kinds()
        target = next((one for one in people if one.id in log_ins), people[0])
        survivors = {}
        for source in people - target:
            try:
                self.env["omni.merge"]._merge(
                    target, source, "strong_link", {"kinds": kinds}
                )
            except MergeRefused as error:
                saving.note(source.id, error.code, error.params)
            else:
                survivors[source.id] = target.id
        return survivors

    def link(self, names, taken):
        """Return one ``Link`` a claim, as ``tools/linking.py`` tells."""
        return link(
            self.claims,
            self.known,
            names,
            taken,
            self.kinds,
            self.quarantined,
            self.strong.roots,
        )
