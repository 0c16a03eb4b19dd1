from odoo.addons.crm_data_governance.hooks import forget_inherits


def uninstall_hook(env):
    """Leave nothing behind."""
    forget_inherits(env, "crm_personalization")
