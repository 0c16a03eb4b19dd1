from . import bpmn_process_import, bpmn_process_start, bpmn_task_answer
