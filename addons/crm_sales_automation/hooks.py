from odoo.addons.crm_data_governance.hooks import forget_inherits


def _keep_stages_in_use(env):
    """A stage of the demo data that holds opportunities is the user's by now."""
    notes = env["ir.model.data"].search(
        [("module", "=", "crm_sales_automation"), ("model", "=", "crm.stage")]
    )
    leads = env["crm.lead"].with_context(active_test=False)
    notes.filtered(
        lambda note: leads.search_count([("stage_id", "=", note.res_id)], limit=1)
    ).unlink()


def uninstall_hook(env):
    """Leave nothing behind."""
    _keep_stages_in_use(env)
    forget_inherits(env, "crm_sales_automation")
