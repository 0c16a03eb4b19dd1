import shutil

from odoo.addons.crm_data_governance.hooks import forget_inherits

from .store import drop_store


def uninstall_hook(env):
    """Take the keys along: nobody could revoke them without their sources.

    The identities that sources have named go with them, and so does the store.
    """
    sources = env["behavior.source"].with_context(active_test=False).search([])
    credentials = sources.credential_id
    credentials.action_revoke()
    credentials.unlink()
    scopes = [f"source:{source.id}" for source in sources]
    env["omni.identity"].search([("scope", "in", scopes)]).unlink()
    drop_store(env.cr)
    # A lake elsewhere was given by somebody, who keeps it.
    shutil.rmtree(env["behavior.lake.part"]._default_root(), ignore_errors=True)
    forget_inherits(env, "crm_behavior_analytics")
