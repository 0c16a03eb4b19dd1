"""What a diagram says beyond the standard, in the suite's own namespace.

Inside ``extensionElements``, which every modeller keeps::

    <crm:action name="set_stage" stage="Offer confirmation"/>      (service task)
    <crm:activity days="3" responsible="anna"/>                    (user, manual task)
    <crm:outcomes variable="answer">                               (user task)
      <crm:outcome value="confirmed" name="Confirmed by the customer"/>
    </crm:outcomes>

with ``xmlns:crm="urn:crm-suite:bpmn:1"``.
"""

import re
from dataclasses import dataclass, field

from lxml import etree

NAMESPACE = "urn:crm-suite:bpmn:1"
MAX_DAYS = 3_650
#: Names that a condition has anyway.
RESERVED = frozenset(("record", "today"))


@dataclass(frozen=True)
class Action:
    """One service of the palette: what it needs and what it may be told."""

    required: tuple = ()
    optional: tuple = ()


#: Service tasks: name → parameters.
ACTIONS = {
    "set_stage": Action(required=("stage",)),
    "create_quotation": Action(optional=("template",)),
    "create_activity": Action(
        required=("summary",), optional=("days", "note", "responsible")
    ),
}
ACTIVITY = Action(optional=("days", "responsible"))


@dataclass(frozen=True)
class Problem:
    """Why an extension cannot be followed: a code of ``bpmn.lint`` and its params."""

    code: str
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """One answer that a user may give: what is stored and what is written on it."""

    value: str
    name: str


@dataclass(frozen=True)
class Extensions:
    """What an element says in the suite's namespace.

    :ivar action: name of the service, or ""
    :ivar parameters: of the action or of the activity
    :ivar variable: name that the outcome is stored under, or ""
    :ivar outcomes: ``tuple`` of :class:`Outcome`
    :ivar problems: ``tuple`` of :class:`Problem`
    """

    action: str = ""
    parameters: dict = field(default_factory=dict)
    variable: str = ""
    outcomes: tuple = ()
    problems: tuple = ()


def _own(node, tag):
    """Own elements of a node: those in its ``extensionElements``, not deeper."""
    for child in node:
        if etree.QName(child).localname == "extensionElements":
            yield from child.iterchildren(f"{{{NAMESPACE}}}{tag}")


def _parameters(element, known):
    """Parameters of an action or activity, and what is wrong with them."""
    given = {
        key: value.strip()
        for key, value in element.attrib.items()
        if key != "name" and not key.startswith("{")
    }
    problems = [
        Problem("parameter_missing", {"parameter": name})
        for name in known.required
        if not given.get(name)
    ]
    problems += [
        Problem("parameter_unknown", {"parameter": name})
        for name in given
        if name not in known.required + known.optional
    ]
    days = given.get("days")
    if days and not (re.fullmatch(r"[0-9]{1,4}", days) and int(days) <= MAX_DAYS):
        problems.append(Problem("bad_days", {"days": days[:50]}))
    return {name: value for name, value in given.items() if value}, problems


def _service(node):
    actions = list(_own(node, "action"))
    if len(actions) != 1:
        return Extensions(problems=(Problem("action_missing"),))
    name = actions[0].get("name", "").strip()
    if name not in ACTIONS:
        return Extensions(problems=(Problem("action_unknown", {"action": name[:50]}),))
    parameters, problems = _parameters(actions[0], ACTIONS[name])
    return Extensions(action=name, parameters=parameters, problems=tuple(problems))


def _outcomes(node):
    """Variable, outcomes and problems of a user task."""
    blocks = list(_own(node, "outcomes"))
    if not blocks:
        return "", (), []
    variable = blocks[0].get("variable", "").strip()
    outcomes = tuple(
        Outcome(
            child.get("value", "").strip(),
            child.get("name", "").strip() or child.get("value", "").strip(),
        )
        for child in blocks[0].iterchildren(f"{{{NAMESPACE}}}outcome")
    )
    values = [outcome.value for outcome in outcomes]
    problems = []
    if (
        not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,50}", variable)
        or variable in RESERVED
    ):
        problems.append(Problem("bad_variable", {"variable": variable[:50]}))
    if (
        len(blocks) > 1
        or len(outcomes) < 2
        or not all(values)
        or len(set(values)) < len(values)
    ):
        problems.append(Problem("bad_outcomes"))
    return variable, outcomes, problems


def _user(node):
    parameters, problems = {}, []
    for element in _own(node, "activity"):
        parameters, problems = _parameters(element, ACTIVITY)
    variable, outcomes, more = _outcomes(node)
    return Extensions(
        parameters=parameters,
        variable=variable,
        outcomes=outcomes,
        problems=(*problems, *more),
    )


_READERS = {"serviceTask": _service, "userTask": _user, "manualTask": _user}


def read(node):
    """What one element says.

    :param node: lxml element of a flow node
    :return: :class:`Extensions`; empty for a type that has none
    """
    reader = _READERS.get(etree.QName(node).localname)
    return reader(node) if reader else Extensions()
