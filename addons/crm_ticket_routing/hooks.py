from odoo.addons.crm_data_governance.hooks import forget_inherits


def post_init_hook(env):
    """Give the open tickets that were there before us the promises they are due."""
    env["helpdesk.ticket"].search([("closed", "=", False)])._routing_refresh_targets()


def uninstall_hook(env):
    """Leave nothing behind."""
    forget_inherits(env, "crm_ticket_routing")
