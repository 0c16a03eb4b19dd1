from . import (
    governance_erasure,
    governance_lineage,
    governance_metrics,
    helpdesk_ticket,
    helpdesk_ticket_category,
    helpdesk_ticket_stage,
    routing_skill_requirement,
    routing_sla_pause,
    routing_sla_policy,
    routing_sla_target,
)
