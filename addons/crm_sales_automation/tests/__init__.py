from . import (
    test_bpmn_instance,
    test_bpmn_process,
    test_bpmn_tools,
    test_engine,
    test_expressions,
    test_governance_hooks,
    test_quotation,
)
