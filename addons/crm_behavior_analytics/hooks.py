from odoo.addons.crm_data_governance.hooks import forget_inherits


def uninstall_hook(env):
    """Take the keys along: nobody could revoke them without their sources."""
    sources = env["behavior.source"].with_context(active_test=False).search([])
    credentials = sources.credential_id
    credentials.action_revoke()
    credentials.unlink()
    forget_inherits(env, "crm_behavior_analytics")
