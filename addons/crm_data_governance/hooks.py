"""Module hooks."""

from odoo.tools import SQL


def uninstall_hook(env):
    """Remove what Odoo's own uninstallation leaves behind.

    Each module that extends ``mail.thread`` notes in ``ir.model.data`` that our model
    inherits it; those notes belong to the other modules and would stay.
    """
    env.cr.execute(
        SQL(
            "DELETE FROM ir_model_data WHERE model = 'ir.model.inherit'"
            " AND module <> 'crm_data_governance' AND name LIKE %s",
            r"model\_inherit\_\_governance\_%",
        )
    )
