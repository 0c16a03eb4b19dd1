from . import (
    governance_lineage,
    governance_metrics,
    personalization_slot,
    personalization_variant,
)
