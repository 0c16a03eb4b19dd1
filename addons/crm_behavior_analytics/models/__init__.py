from . import behavior_source, governance_lineage, governance_metrics
