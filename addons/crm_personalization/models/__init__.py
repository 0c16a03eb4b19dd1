from . import (
    governance_erasure,
    governance_erasure_mailing,
    governance_lineage,
    governance_metrics,
    ir_qweb,
    personalization_exposure,
    personalization_slot,
    personalization_variant,
    res_config_settings,
    res_partner,
    website,
    website_page,
)
