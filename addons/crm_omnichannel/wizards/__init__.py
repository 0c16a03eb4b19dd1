from . import omni_import
