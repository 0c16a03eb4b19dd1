from . import test_bpmn_process, test_bpmn_tools
