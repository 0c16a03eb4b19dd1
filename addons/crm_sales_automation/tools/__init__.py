"""Pure parts of crm_sales_automation: no Odoo import."""

from . import bpmn, engine, expressions, palette, tokens
