from odoo.addons.crm_data_governance.hooks import forget_inherits


def uninstall_hook(env):
    """Leave nothing behind."""
    # Written by the settings page.
    env["ir.config_parameter"].search(
        [("key", "=like", "crm_personalization.%")]
    ).unlink()
    forget_inherits(env, "crm_personalization")
