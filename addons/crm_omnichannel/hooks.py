from odoo.addons.crm_data_governance.hooks import forget_inherits


def uninstall_hook(env):
    """End the jobs with their folders, and leave nothing behind."""
    env["omni.job"]._remove_all_folders()
    forget_inherits(env, "crm_omnichannel")
