"""The histogram of waiting times begins with the decisions that there are."""

from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    env = api.Environment(cr, SUPERUSER_ID, {})
    assigned = env["routing.decision"].search([("outcome", "=", "assigned")])
    first = {
        decision.ticket_id: decision.id for decision in assigned.sorted("id", True)
    }
    env["routing.wait.bucket"]._count_first(assigned.browse(first.values()))
