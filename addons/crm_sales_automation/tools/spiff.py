"""SpiffWorkflow 3.2, as this addon uses it; imported when a process runs.

The diagram is not given to SpiffWorkflow's own parser: it orders the ways out of a
gateway by where the shapes lie on the page, takes an element called ``Start`` or
``End`` for its own, and walks along the flows recursively. The specification is built
from what :mod:`bpmn` has read and checked, and nothing else can reach the engine.

Its joins are not used either: a parallel join inside a loop fires on its first token
from the second round on, and the inclusive one knows no more than one token a flow on
the paths it guesses. Ours hold tokens until :mod:`tokens`, which the lint has looked
ahead with, says that they fire; a test plays random processes against that game.

Its default script engine is Python's ``eval`` and is never made: ours evaluates
conditions (:mod:`expressions`) and has nothing else.
"""

import logging
from uuid import UUID

from SpiffWorkflow.bpmn.serializer.default.workflow import (
    BpmnSubWorkflowConverter,
    BpmnWorkflowConverter,
    TaskConverter,
    WorkflowConverter,
)
from SpiffWorkflow.bpmn.serializer.helpers import DefaultRegistry
from SpiffWorkflow.bpmn.specs import BpmnProcessSpec
from SpiffWorkflow.bpmn.specs.bpmn_task_spec import _BpmnCondition
from SpiffWorkflow.bpmn.specs.defaults import (
    EndEvent,
    ExclusiveGateway,
    InclusiveGateway,
    ManualTask,
    NoneTask,
    ParallelGateway,
    StartEvent,
    SubWorkflowTask,
    UserTask,
)
from SpiffWorkflow.bpmn.specs.event_definitions import (
    NoneEventDefinition,
    TerminateEventDefinition,
)
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from . import expressions

# It tells of every state of every task, and gathers them all for each line of it.
for _name in ("spiff.task", "spiff.workflow"):
    logging.getLogger(_name).setLevel(logging.WARNING)

#: Behind each name: SpiffWorkflow's own nodes ("Start", "End", "….EndJoin") have none.
MARK = "/"
ROOT = MARK


def key_of(spec):
    """The shape of a node of the specification; None for one of the engine's own."""
    return spec.name.removesuffix(MARK) if spec.name.endswith(MARK) else None


class PlainTask(NoneTask):
    """A task without a type: nothing to do, so it is passed."""

    def __init__(self, *arguments, **attributes):
        super().__init__(*arguments, **attributes)
        self.manual = False


class ServiceTask(ManualTask):
    """Waits like a task for a person: its effect is made outside of the engine."""


class _Joining:
    """A gateway that keeps the tokens which have come until it may fire."""

    net = None

    def _update_hook(self, my_task):
        marking, here = frozenset(), []
        for task in my_task.workflow.get_tasks(
            state=TaskState.DEFINITE_MASK, skip_subprocesses=True
        ):
            # A token: what is to be done next after something that is done.
            if task.parent is None or task.parent.state != TaskState.COMPLETED:
                continue
            if task.task_spec is self:
                here.append(task)
            marking |= self._flow(task)
        if not any(node == key_of(self) for node, _taken in self.net.takes(marking)):
            my_task._set_state(TaskState.WAITING)
            return False
        for task in here:
            if task is not my_task:
                task.cancel()
        my_task._inherit_data()
        return True

    def _flow(self, task):
        pair = (key_of(task.parent.task_spec), key_of(task.task_spec))
        # Of two flows between the same nodes only one can have been taken.
        return frozenset(self.net.numbers[pair][:1] if pair in self.net.numbers else ())


class JoiningParallelGateway(_Joining, ParallelGateway):
    """Goes on with every way out once each way in has brought a token."""

    def _run_hook(self, my_task):
        return True


class JoiningInclusiveGateway(_Joining, InclusiveGateway):
    """Goes on, once no more token can come, with each way out whose condition holds."""

    def _run_hook(self, my_task):
        matches, defaults = self._get_matching_outputs(my_task)
        my_task._sync_children(matches or defaults, TaskState.FUTURE)
        for child in my_task.children:
            child.task_spec._predict(
                child, mask=TaskState.FUTURE | TaskState.PREDICTED_MASK
            )
        return True


class ScriptEngine:
    """What a workflow asks to work conditions out.

    :ivar context: plain values by name
    """

    def __init__(self):
        self.context = {}

    def evaluate(self, task, expression, external_context=None):
        return bool(expressions.evaluate(expression, self.context))


# --- THE SPECIFICATION ---

_CLASSES = {
    "task": PlainTask,
    "userTask": UserTask,
    "manualTask": ManualTask,
    "serviceTask": ServiceTask,
    "exclusiveGateway": ExclusiveGateway,
    "inclusiveGateway": JoiningInclusiveGateway,
    "parallelGateway": JoiningParallelGateway,
}


def _node(spec, node):
    """Add one node of the diagram to a specification."""
    name = node.key + MARK
    if node.tag == "subProcess":
        return SubWorkflowTask(spec, name, subworkflow_spec=name)
    if node.tag == "startEvent":
        return StartEvent(spec, name, event_definition=NoneEventDefinition())
    if node.tag == "endEvent":
        definition = (
            TerminateEventDefinition if node.terminates else NoneEventDefinition
        )
        return EndEvent(spec, name, event_definition=definition())
    return _CLASSES[node.tag](spec, name)


def build(scopes):
    """Specifications of a process and its sub-processes.

    :param scopes: ``{key: (nodes, flows, net)}``; key "" is the process itself, else
        that of the sub-process; nodes have ``key``, ``tag``, ``terminates``; flows have
        ``source``, ``target``, ``condition`` ("" for none or the default); the net is
        :class:`tokens.Net`
    :return: ``(BpmnProcessSpec, {name: BpmnProcessSpec})``
    """
    built = {}
    for key, (nodes, flows, net) in scopes.items():
        spec = BpmnProcessSpec(name=key + MARK)
        specs = {node.key: _node(spec, node) for node in nodes}
        for node in nodes:
            if isinstance(specs[node.key], _Joining):
                specs[node.key].net = net
            if node.tag == "startEvent":
                spec.start.connect(specs[node.key])
            elif node.tag == "endEvent":
                specs[node.key].connect(spec.end)
        for flow in flows:
            source, target = specs[flow.source], specs[flow.target]
            if flow.condition:
                source.connect_if(_BpmnCondition(flow.condition), target)
            else:
                source.connect(target)
        built[key + MARK] = spec
    return built.pop(ROOT), built


# --- SAVING ---


class _WorkflowConverter(BpmnWorkflowConverter):
    """Without the specification: that is the diagram, which is kept already."""

    def to_dict(self, workflow):
        return {
            **WorkflowConverter.to_dict(self, workflow),
            "subprocesses": self.mapping_to_dict(workflow.subprocesses),
        }

    def from_dict(self, dct, spec, subprocess_specs, script_engine):
        workflow = self.target_class(
            spec, subprocess_specs, script_engine=script_engine, deserializing=True
        )
        workflow.tasks = self.mapping_from_dict(dct["tasks"], UUID, workflow=workflow)
        workflow.task_tree = workflow.tasks[UUID(dct["root"])]
        self.set_default_attributes(workflow, dct)
        self.subprocesses_from_dict(dict(dct["subprocesses"]), workflow)
        return workflow


def _registry():
    registry = DefaultRegistry()
    for known, converter in {
        BpmnWorkflow: _WorkflowConverter,
        BpmnSubWorkflow: BpmnSubWorkflowConverter,
        Task: TaskConverter,
    }.items():
        converter(known, registry)
    return registry


_REGISTRY = _registry()


def save(workflow):
    """A workflow as plain JSON values."""
    return _REGISTRY.convert(workflow)


def restore(saved, specification, script_engine):
    """The workflow that :func:`save` wrote."""
    spec, subprocess_specs = specification
    return _REGISTRY.restore(
        saved,
        spec=spec,
        subprocess_specs=subprocess_specs,
        script_engine=script_engine,
    )


def create(specification, script_engine):
    """A new workflow."""
    spec, subprocess_specs = specification
    return BpmnWorkflow(spec, subprocess_specs, script_engine=script_engine)


# --- RUNNING ---


def next_automatic(workflow):
    """A task that the engine does by itself, or None."""
    return workflow.get_next_task(state=TaskState.READY, manual=False)


def waiting(workflow):
    """Tasks that somebody else does."""
    return workflow.get_tasks(state=TaskState.READY, manual=True)


def task_of(workflow, task_id):
    """The waiting task of an id, or None."""
    return next((t for t in waiting(workflow) if str(t.id) == task_id), None)
