from odoo import api, models


class GovernanceErasure(models.AbstractModel):
    """The erasure hook: every addon erases a person from its own tables and files.

    Extend with ``_inherit`` and ``super()._erase_person(…) + [...]``.
    """

    _name = "governance.erasure"
    _description = "Erasure of a Person"

    @api.model
    def _erase_person(self, partner, identities):
        """Erase a person.

        Runs as superuser inside the transaction of the request; what stands outside
        the database is removed after the commit (``cr.postcommit``).

        :param partner: ``res.partner``, one record
        :param list identities: ``(kind, value)`` by which the person is known, as
            ``_get_identities`` of the privacy request spells them
        :return: list of ``{"model", "count", "action", "reason"}``; action is
            ``erased``, ``pseudonymised`` or ``kept``, reason a code
        """
        return []
