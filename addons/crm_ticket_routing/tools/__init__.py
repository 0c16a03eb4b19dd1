"""Pure parts of crm_ticket_routing: no Odoo import."""

from . import skills, sla_clock, sla_policy
