"""Running a process: from a diagram and a saved state to the next saved state.

A :class:`Run` is one instance in memory. It goes on by itself through events, gateways
and tasks without work, and stops where somebody has to do something: a person (user
and manual tasks) or the caller (service tasks). The caller does it and says so.

The variables of an instance are the outcomes of its user tasks; they belong to the
process, not to a branch of it, and stand beside the engine's own state. All of it is
plain JSON. Ids of tasks are random (uuid4), the time of a state is the clock's; both
only name things and decide nothing.
"""

from dataclasses import dataclass
from functools import lru_cache

from . import bpmn, palette
from .expressions import ExpressionError

VERSION = 1
#: Steps that an instance may make by itself before it must wait for somebody.
MAX_STEPS = 1_000
#: Steps behind one another in one instance, loops counted each time.
MAX_DEPTH = 700

USER, SERVICE = "user", "service"
KINDS = {"userTask": USER, "manualTask": USER, "serviceTask": SERVICE}


class EngineError(Exception):
    """Why an instance cannot go on; the state it was loaded from is still good.

    :ivar code: ``condition`` (cannot be worked out), ``too_many_steps``,
        ``too_deep``, ``stuck``, ``unknown_task``, ``unknown_outcome`` or
        ``bad_state``
    :ivar element_id: the shape, or ""
    :ivar params: JSON, what the message needs
    """

    def __init__(self, code, element_id="", **params):
        super().__init__(f"{code} {element_id} {params}")
        self.code = code
        self.element_id = element_id
        self.params = params


@dataclass(frozen=True)
class Node:
    """A shape of the diagram that a token can pass.

    :ivar kind: ``user``, ``service`` or "" for what the engine does by itself
    :ivar documentation: what the designer wrote under the shape
    :ivar extensions: :class:`palette.Extensions`
    """

    key: str
    tag: str
    name: str
    terminates: bool
    documentation: str
    extensions: palette.Extensions

    @property
    def kind(self):
        return KINDS.get(self.tag, "")


@dataclass(frozen=True)
class Flow:
    """A sequence flow between two shapes of one scope.

    :ivar source: key of the shape that it leaves
    :ivar target: key of the shape that it leads to
    :ivar condition: expression of :mod:`expressions`, or "" for none
    """

    source: str
    target: str
    condition: str


@dataclass(frozen=True)
class Waiting:
    """A task that somebody has to do.

    :ivar id: of this pass through the shape; another pass has another one
    :ivar node: :class:`Node`
    """

    id: str
    node: Node


class Model:
    """A diagram ready to run."""

    def __init__(self, document):
        self.nodes = {}
        scopes = {}
        for key, scope in bpmn.runnable_scopes(document):
            nodes = [self._node(name, node) for name, node in scope.nodes.items()]
            self.nodes.update((node.key, node) for node in nodes)
            defaults = {node.get("default") for node in scope.nodes.values()}
            flows = [self._flow(flow, defaults) for flow in scope.flows]
            scopes[key] = (nodes, flows, bpmn.net(scope))
        self.scopes = scopes

    @staticmethod
    def _node(key, element):
        written = next(
            (child for child in element if bpmn.tag_of(child) == "documentation"), None
        )
        return Node(
            key=key,
            tag=bpmn.tag_of(element),
            name=element.get("name", "").strip(),
            terminates=any(
                bpmn.tag_of(child) == "terminateEventDefinition" for child in element
            ),
            documentation="" if written is None else (written.text or "").strip(),
            extensions=palette.read(element),
        )

    @staticmethod
    def _flow(flow, defaults):
        is_default = flow.get("id") is not None and flow.get("id") in defaults
        return Flow(
            flow.get("sourceRef"),
            flow.get("targetRef"),
            "" if is_default else bpmn.condition_of(flow),
        )

    def specification(self):
        from . import spiff

        if not hasattr(self, "_specification"):
            self._specification = spiff.build(self.scopes)
        return self._specification


@lru_cache(maxsize=64)
def model(xml):
    """The diagram of a text that was deployed, ready to run.

    :param str xml: lint finds no error in it
    :return: :class:`Model`
    """
    return Model(bpmn.parse(xml))


class Run:
    """One instance in memory. Made by :func:`start` and :func:`load`."""

    def __init__(self, model, workflow, script_engine, variables):
        self.model = model
        self.variables = variables
        self._workflow = workflow
        self._script_engine = script_engine

    # --- GOING ON ---

    def advance(self, context):
        """Go on until everything left waits for somebody.

        :param dict context: plain values that conditions read (``record``,
            ``today``); the variables of the instance are added
        :return: ``list[Node]`` that were passed, in order
        :raises EngineError: the run is damaged, load the last state again
        """
        from . import spiff

        self._script_engine.context = {**self.variables, **context}
        passed = []
        task = spiff.next_automatic(self._workflow)
        while task is not None:
            node = self._node_of(task)
            if len(passed) >= MAX_STEPS:
                raise EngineError("too_many_steps", passed[-1].key, limit=MAX_STEPS)
            if task.depth > MAX_DEPTH:
                key = node.key if node else ""
                raise EngineError("too_deep", key, limit=MAX_DEPTH)
            try:
                task.run()
            except ExpressionError as error:
                raise EngineError(
                    "condition", node.key, error=error.code, details=error.params
                ) from error
            if node:
                passed.append(node)
            task = spiff.next_automatic(self._workflow)
        if not self.finished and not self.waiting():
            raise EngineError("stuck")
        return passed

    def _node_of(self, task):
        """The shape of a task; None for what the engine adds of its own."""
        from . import spiff

        return self.model.nodes.get(spiff.key_of(task.task_spec))

    @property
    def finished(self):
        return self._workflow.is_completed()

    def waiting(self):
        """``list[Waiting]``: what somebody has to do, in a stable order."""
        from . import spiff

        return [
            Waiting(str(task.id), self._node_of(task))
            for task in spiff.waiting(self._workflow)
        ]

    def complete(self, task_id, outcome=None):
        """Say that a waiting task is done; :meth:`advance` goes on from there.

        :param str task_id: of :class:`Waiting`
        :param outcome: value of one of the outcomes that the task offers; None if it
            offers none
        :raises EngineError: ``unknown_task`` when it is not waiting,
            ``unknown_outcome`` when the task does not offer it
        """
        from . import spiff

        task = spiff.task_of(self._workflow, task_id)
        if task is None:
            raise EngineError("unknown_task")
        node = self._node_of(task)
        offered = {one.value for one in node.extensions.outcomes} or {None}
        if outcome not in offered:
            raise EngineError("unknown_outcome", node.key, outcome=outcome or "")
        if node.extensions.variable:
            self.variables[node.extensions.variable] = outcome
        task.run()

    # --- SAVING ---

    def save(self):
        """The state as plain JSON values."""
        from . import spiff

        return {
            "version": VERSION,
            "variables": self.variables,
            "workflow": spiff.save(self._workflow),
        }


def _variables(model):
    """Every variable of a diagram, not answered yet."""
    names = {node.extensions.variable for node in model.nodes.values()}
    return dict.fromkeys(sorted(names - {""}))


def start(xml):
    """A new run of a diagram that was deployed; it has not gone on yet.

    :param str xml: the diagram
    :return: :class:`Run`
    """
    from . import spiff

    diagram = model(xml)
    engine = spiff.ScriptEngine()
    workflow = spiff.create(diagram.specification(), engine)
    return Run(diagram, workflow, engine, _variables(diagram))


def load(xml, state):
    """The run that :meth:`Run.save` wrote.

    :param str xml: the diagram that it was started with
    :param dict state: what was saved
    :raises EngineError: ``bad_state`` when it is of another version
    """
    from . import spiff

    if state.get("version") != VERSION:
        raise EngineError("bad_state", version=state.get("version"))
    diagram = model(xml)
    engine = spiff.ScriptEngine()
    workflow = spiff.restore(state["workflow"], diagram.specification(), engine)
    return Run(diagram, workflow, engine, dict(state["variables"]))
