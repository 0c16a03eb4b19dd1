from . import base_partner_merge, omni_import, omni_merge_undo
