from . import (
    test_assignment_tools,
    test_features,
    test_routing,
    test_routing_agent,
    test_routing_cost_tools,
    test_routing_sla,
    test_skill_requirement,
    test_skills_tools,
    test_sla_clock,
    test_sla_policy_tools,
)
