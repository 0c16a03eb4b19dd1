from odoo import api, fields, models


class BehaviorLakeErasure(models.Model):
    """Somebody who is to be erased from the lake: a queue, empty as a rule.

    A file cannot be part of a transaction.  What is to be erased is noted in the
    transaction of the erasure, and its commit wakes the scheduled action, which erases
    and forgets the note; if it is interrupted, it starts again.
    """

    _name = "behavior.lake.erasure"
    _description = "Erasure from the Lake"
    _log_access = False

    identity_ids_json = fields.Json(readonly=True)
    names = fields.Json(readonly=True)
    emails = fields.Json(readonly=True)

    @api.model
    def _note(self, identity_ids, names, emails):
        """Note whom to erase; the commit wakes the scheduled action."""
        parts = self.env["behavior.lake.part"]
        kept = parts._months_kept()
        if not parts.search_count([], limit=1) and not (
            kept and parts._months_before(kept)
        ):
            # There is no lake, and none that is being made at this moment.
            return
        self.create(
            {
                "identity_ids_json": list(identity_ids),
                "names": list(names),
                "emails": list(emails),
            }
        )
        self.env.ref("crm_behavior_analytics.ir_cron_lake")._trigger()

    @api.model
    def _work_off(self):
        """Erase whoever is noted; return how many events that were."""
        notes = self.search_fetch([], ["names"])
        if not notes:
            return 0
        parts = self.env["behavior.lake.part"]
        erased = sum(
            parts._lake().erase(note.identity_ids_json, note.names, note.emails)
            for note in notes
        )
        # Their rows of the identity map are gone with the identities.
        parts._export_identities()
        notes.unlink()
        return erased
