from . import bpmn_process_import
