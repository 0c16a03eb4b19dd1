from odoo import models

from ..journal import NOTES, OWN, current


class Base(models.AbstractModel):
    """While a merge is under way, what the ORM writes enters its journal."""

    _inherit = "base"

    def _write_multi(self, vals_list):
        journal = current(self.env)
        if journal is None or self._table in OWN:
            return super()._write_multi(vals_list)
        columns = sorted({name for vals in vals_list for name in vals})
        with journal.watch(self._table, columns, self._ids):
            return super()._write_multi(vals_list)

    def _create(self, data_list):
        records = super()._create(data_list)
        journal = current(self.env)
        if journal is not None and self._table not in OWN | NOTES:
            journal.note_created(self._table, records._ids)
        return records

    def unlink(self):
        journal = current(self.env)
        if journal is not None and self and self._auto and not self._transient:
            self.env.flush_all()
            journal.forget(self._table, self.ids)
        return super().unlink()
