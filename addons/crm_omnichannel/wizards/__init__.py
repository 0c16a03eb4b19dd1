from . import omni_import, omni_merge_undo
