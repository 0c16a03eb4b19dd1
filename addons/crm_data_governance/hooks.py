"""Module hooks, and what those of the upper addons share."""

from odoo.tools import SQL

from .models.governance_lineage_edge import REFRESHED_AT


def forget_inherits(env, module):
    """Remove notes of other modules about models that go away with ``module``.

    Each module that extends ``mail.thread`` notes in ``ir.model.data`` that our models
    inherit it; Odoo's uninstallation leaves those notes behind, as they belong to the
    other modules.

    :param str module: the addon that is being uninstalled
    """
    env.cr.execute(
        SQL(
            """
            DELETE FROM ir_model_data AS note USING ir_model_data AS own
             WHERE note.model = 'ir.model.inherit' AND note.module <> %(module)s
               AND own.module = %(module)s AND own.model = 'ir.model'
               AND starts_with(
                   note.name,
                   'model_inherit__' || substr(own.name, length('model_') + 1) || '__'
               )
               AND NOT EXISTS (
                   SELECT FROM ir_model_data AS other
                    WHERE other.model = 'ir.model' AND other.name = own.name
                      AND other.module <> own.module
               )
            """,
            module=module,
        )
    )


def uninstall_hook(env):
    """Leave nothing behind."""
    env["ir.config_parameter"].set_param(REFRESHED_AT, False)
    forget_inherits(env, "crm_data_governance")
