"""Versions deployed before processes ran: what cannot be run goes out of use."""

from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    env = api.Environment(cr, SUPERUSER_ID, {})
    deployed = env["bpmn.process"].search([("state", "=", "deployed")])
    deployed.action_check_diagram()
    deployed.filtered("error_count").action_retire()
