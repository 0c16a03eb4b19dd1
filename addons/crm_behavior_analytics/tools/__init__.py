"""Pure parts of crm_behavior_analytics: no Odoo import."""
