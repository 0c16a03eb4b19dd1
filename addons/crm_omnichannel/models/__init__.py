from . import (
    governance_erasure,
    governance_lineage,
    governance_metrics,
    omni_channel,
    omni_identity,
    omni_job,
    omni_landing,
    omni_mapping,
    omni_mapping_line,
    omni_record,
    res_config_settings,
    res_partner,
)
