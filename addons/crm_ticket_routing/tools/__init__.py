"""Pure parts of crm_ticket_routing: no Odoo import."""

from . import assignment, routing_cost, skills, sla_clock, sla_policy
