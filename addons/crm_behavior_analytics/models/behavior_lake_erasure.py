from odoo import api, fields, models
from odoo.tools import SQL

from ..tools.lake_people import Erased


class BehaviorLakeErasure(models.Model):
    """Somebody who is to be erased from the lake: a queue, empty as a rule.

    A file cannot be part of a transaction.  What is to be erased is noted in the
    transaction of the erasure, and its commit wakes the scheduled action, which erases
    and forgets the note; if it is interrupted, it starts again.
    """

    _name = "behavior.lake.erasure"
    _description = "Erasure from the Lake"
    _log_access = False

    identities = fields.Json(readonly=True)
    names = fields.Json(readonly=True)
    emails = fields.Json(readonly=True)

    @api.model
    def _note(self, identities, names, emails):
        """Note whom to erase; the commit wakes the scheduled action.

        :param identities: ``omni.identity`` of the person, which go with the erasure
        :param names: as for ``Erased`` of ``tools/lake_people.py``
        :param emails: as for ``Erased``
        """
        parts = self.env["behavior.lake.part"]
        kept = parts._months_kept()
        if not parts.search_count([], limit=1) and not (
            kept and parts._months_before(kept)
        ):
            # There is no lake, and none that is being made at this moment.
            return
        self.create(
            {
                "identities": [
                    [one.id, one.kind, one.value, one.scope, one.quarantined]
                    for one in identities
                    if one.kind in ("anonymous_id", "user_id")
                ],
                "names": list(names),
                "emails": list(emails),
            }
        )
        self.env.ref("crm_behavior_analytics.ir_cron_lake")._trigger()

    @api.model
    def _work_off(self):
        """Erase whoever is noted; return how many events that were.

        Within ``behavior.lake.part._alone``.
        """
        notes = self.search_fetch([], ["names"])
        if not notes:
            return 0
        parts = self.env["behavior.lake.part"]
        lake = parts._lake()
        people = [
            # what is empty is read as False
            Erased(note.identities or (), note.names or (), note.emails or ())
            for note in notes
        ]
        suspects = lake.find_suspects(people)
        rows = [row for found in suspects.values() for row in found]
        stamped = {row["identity_id"] for row in rows}
        told = {row[name] for row in rows for name in ("user_id", "anonymous_id")}
        others = parts._identity_rows(
            SQL(
                "(identity.id = ANY(%s) OR identity.value = ANY(%s))",
                list(stamped - {None}),
                list(told - {None}),
            )
        )
        erased = lake.erase(
            people,
            suspects,
            {identity_id for identity_id, *_rest in others},
            {(kind, value, scope) for _id, kind, value, scope, _unit in others},
        )
        # Their rows of the identity map are gone with the identities.
        parts._export_identities()
        notes.unlink()
        return erased
