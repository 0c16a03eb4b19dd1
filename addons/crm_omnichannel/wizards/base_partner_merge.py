from odoo import models

from ..journal import current
from ..models.res_partner_merge import MERGED


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    """Odoo's merge wizard, by the journal: the other is archived and can come back.

    Its checks and its screens stay; the steps that change the database are the
    journal's. Addons that extend ``_update_foreign_keys`` take part in every merge.
    """

    _name = "base.partner.merge.automatic.wizard"
    _inherit = "base.partner.merge.automatic.wizard"

    def _merge(self, partner_ids, dst_partner=None, extra_checks=True):
        wizard = self.with_context(**{MERGED: True})
        if dst_partner:
            dst_partner = dst_partner.with_context(**{MERGED: True})
        return super(BasePartnerMergeAutomaticWizard, wizard)._merge(
            partner_ids, dst_partner, extra_checks
        )

    def _merge_bank_accounts(self, src_partners, dst_partner):
        """The first step behind the checks: the whole merge, one by one."""
        if not self.env.context.get(MERGED):
            return super()._merge_bank_accounts(src_partners, dst_partner)
        merges = self.with_context(**{MERGED: False}).env["omni.merge"]
        for source in src_partners:
            merges._merge(dst_partner, source, "wizard")
        return None

    def _update_foreign_keys_generic(self, model, src_records, dst_record):
        journal = current(self.env)
        if journal is not None:
            pairs = dict.fromkeys(src_records.ids, dst_record.id)
            return journal.mover.move_records(src_records._table, pairs)
        if self.env.context.get(MERGED):
            return None
        return super()._update_foreign_keys_generic(model, src_records, dst_record)

    def _update_reference_fields_generic(
        self, referenced_model, src_records, dst_record, additional_update_records=None
    ):
        journal = current(self.env)
        if journal is not None:
            for record in src_records:
                ids = (referenced_model, record.id, dst_record.id)
                journal.mover.move_company_values(*ids)
                journal.mover.move_properties(*ids)
            return None
        if self.env.context.get(MERGED):
            return None
        return super()._update_reference_fields_generic(
            referenced_model, src_records, dst_record, additional_update_records
        )

    def _update_values(self, src_partners, dst_partner):
        if self.env.context.get(MERGED):
            return None
        return super()._update_values(src_partners, dst_partner)
