from . import base_partner_merge, behavior_source_check
