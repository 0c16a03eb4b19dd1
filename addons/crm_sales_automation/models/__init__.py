from . import bpmn_finding, bpmn_process, governance_metrics
