from . import behavior_source_check
