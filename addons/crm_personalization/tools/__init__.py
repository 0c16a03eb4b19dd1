"""Pure parts of crm_personalization: no Odoo import."""

from . import decision, keys, merge
