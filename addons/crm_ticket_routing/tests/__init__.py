from . import (
    test_routing_sla,
    test_skill_requirement,
    test_skills_tools,
    test_sla_clock,
    test_sla_policy_tools,
)
