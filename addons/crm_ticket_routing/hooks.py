from odoo.addons.crm_data_governance.hooks import forget_inherits


def post_init_hook(env):
    """Give the open tickets that were there before us the promises they are due."""
    env["helpdesk.ticket"].search([("closed", "=", False)])._routing_refresh_targets()
    # The members of the teams are agents.
    env["helpdesk.ticket.team"].search([])._routing_ensure_agents()


def uninstall_hook(env):
    """Leave nothing behind."""
    forget_inherits(env, "crm_ticket_routing")
