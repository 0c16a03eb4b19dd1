"""BPMN 2.0 import and lint: from the bytes of a file to what is wrong with it.

Source: OMG BPMN 2.0.2 (formal/2013-12-09) and its schema; element names are
those of the namespace ``.../BPMN/20100524/MODEL``.

A file is read in two passes. The first one (expat, which stops at the event)
refuses a document type before any entity of it is known, and counts depth and
elements; only then does lxml build the tree. So neither an entity expansion nor
an outside entity nor a bomb of nesting reaches a parser that would follow it.
"""

import codecs
import re
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from xml.parsers import expat

from lxml import etree

from . import expressions, palette, tokens
from .expressions import ExpressionError
from .tokens import TooComplexError

MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"
MAX_BYTES = 5 * 2**20
MAX_DEPTH = 100
MAX_ELEMENTS = 200_000
#: Nodes of one process or sub-process that can be run: the engine walks along them.
MAX_NODES = 200
#: Python's names; everything a modeller writes, and what Windows in China wrote.
ENCODINGS = (
    "ascii",
    "utf-8",
    "utf-16",
    "iso8859-1",
    "cp1252",
    "gbk",
    "gb2312",
    "gb18030",
    "big5",
)

ERROR, WARNING, INFO = "error", "warning", "info"

GATEWAYS = (
    "exclusiveGateway",
    "inclusiveGateway",
    "parallelGateway",
    "eventBasedGateway",
    "complexGateway",
)
ACTIVITIES = (
    "task",
    "userTask",
    "manualTask",
    "serviceTask",
    "scriptTask",
    "sendTask",
    "receiveTask",
    "businessRuleTask",
    "callActivity",
    "subProcess",
    "adHocSubProcess",
    "transaction",
)
EVENTS = (
    "startEvent",
    "endEvent",
    "intermediateCatchEvent",
    "intermediateThrowEvent",
    "implicitThrowEvent",
    "boundaryEvent",
)
CHOREOGRAPHY = ("choreographyTask", "subChoreography", "callChoreography")
FLOW_NODES = frozenset(GATEWAYS + ACTIVITIES + EVENTS + CHOREOGRAPHY)
SCOPES = frozenset(("process", "subProcess", "adHocSubProcess", "transaction"))
#: What this version can deploy. A later version adds to this set; what is not
#: in it is refused with its shape, never passed over.
SUPPORTED = frozenset(
    (
        "startEvent",
        "endEvent",
        "task",
        "userTask",
        "manualTask",
        "serviceTask",
        "exclusiveGateway",
        "inclusiveGateway",
        "parallelGateway",
        "subProcess",
        "sequenceFlow",
    )
)
#: Event definitions that can be deployed, by event.
SUPPORTED_EVENT_DEFINITIONS = {"endEvent": frozenset(("terminateEventDefinition",))}
#: Gateways that read the conditions of their ways out.
DECIDING = frozenset(("exclusiveGateway", "inclusiveGateway"))
MARKERS = ("standardLoopCharacteristics", "multiInstanceLoopCharacteristics")
#: Of the standard, without execution: accepted and kept on export.
NOT_RUN = frozenset(
    (
        "artifact",
        "association",
        "category",
        "collaboration",
        "dataObject",
        "dataObjectReference",
        "dataStore",
        "dataStoreReference",
        "group",
        "laneSet",
        "messageFlow",
        "participant",
        "textAnnotation",
    )
)
#: Parts of a scope that describe it: neither nodes nor worth a word.
DESCRIPTIVE = frozenset(
    (
        "auditing",
        "correlationSubscription",
        "documentation",
        "extensionElements",
        "incoming",
        "ioBinding",
        "ioSpecification",
        "monitoring",
        "outgoing",
        "performer",
        "potentialOwner",
        "property",
        "resourceRole",
        "supports",
    )
)


class BpmnError(ValueError):
    """A file that cannot be read, or must not be.

    :ivar code: ``empty``, ``too_big``, ``encoding``, ``doctype``, ``too_deep``,
        ``too_many`` or ``not_xml``
    :ivar params: what the message needs
    """

    def __init__(self, code, **params):
        super().__init__(f"{code} {params}")
        self.code = code
        self.params = params


@dataclass(frozen=True)
class Finding:
    """One thing to know about a diagram.

    :ivar code: what (see :func:`lint`)
    :ivar severity: ``error`` (not deployed), ``warning`` or ``info``
    :ivar element_id: the shape, or ""
    :ivar element_type: its tag
    :ivar element_name: what is written on it
    :ivar params: JSON, what the message needs
    """

    code: str
    severity: str
    element_id: str = ""
    element_type: str = ""
    element_name: str = ""
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A file read: ``text`` is its content, ``root`` the tree of it."""

    text: str
    root: object


# --- READING ---


def _decode(data):
    """The text of the bytes, by mark or declaration, and whether it had one."""
    if len(data) > MAX_BYTES:
        raise BpmnError("too_big", limit_mb=MAX_BYTES // 2**20)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"
    elif data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
        name = "utf-8"
    else:
        declared = re.match(
            rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']", data
        )
        name = declared.group(1).decode() if declared else "utf-8"
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        raise BpmnError("encoding", encoding=name) from None
    if codec not in ENCODINGS:
        raise BpmnError("encoding", encoding=name)
    try:
        return data.decode(codec)
    except UnicodeError:
        raise BpmnError("encoding", encoding=name) from None


def _survey(data):
    """First pass: refuse what the second one must not see."""
    depth = 0
    elements = 0

    def start(_name, _attributes):
        nonlocal depth, elements
        depth += 1
        elements += 1
        if depth > MAX_DEPTH:
            raise BpmnError("too_deep", limit=MAX_DEPTH)
        if elements > MAX_ELEMENTS:
            raise BpmnError("too_many", limit=MAX_ELEMENTS)

    def end(_name):
        nonlocal depth
        depth -= 1

    def doctype(*_arguments):
        raise BpmnError("doctype")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BpmnError("not_xml", line=error.lineno) from error


def parse(data):
    """Read a diagram.

    :param data: ``bytes`` of a file, or ``str``
    :return: :class:`Document`; its ``text`` is the very text of the file, with
        the declared encoding changed to UTF-8 where it was another one
    :raises BpmnError: when it cannot be read, or is not safe to
    """
    if isinstance(data, str):
        try:
            data = data.encode()
        except UnicodeError:
            raise BpmnError("encoding", encoding="utf-8") from None
        if len(data) > MAX_BYTES:
            raise BpmnError("too_big", limit_mb=MAX_BYTES // 2**20)
        text = data.decode()
    else:
        text = _decode(data)
    if not text.strip():
        raise BpmnError("empty")
    text = re.sub(
        r"^(\s*<\?xml[^>]*?encoding\s*=\s*[\"'])([A-Za-z0-9._-]+)",
        lambda m: m.group(0) if m.group(2).lower() == "utf-8" else m.group(1) + "UTF-8",
        text,
        count=1,
    )
    safe = text.encode()
    _survey(safe)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        # The text kept is what was given; the tree is only read.
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(safe, parser)
    except etree.XMLSyntaxError as error:
        raise BpmnError("not_xml", line=error.lineno or 0) from error
    return Document(text, root)


def export(document):
    """The file again, as bytes in UTF-8, with nothing left out."""
    return document.text.encode()


# --- READING THE TREE ---


def tag_of(element):
    """Local name inside the BPMN namespace, else ""."""
    name = etree.QName(element)
    return name.localname if name.namespace == MODEL else ""


def _executable(process):
    return process.get("isExecutable", "").strip() in ("true", "1")


def processes(document):
    """The processes of the file: ``list[(id, name, is executable)]``."""
    if tag_of(document.root) != "definitions":
        return []
    return [
        (p.get("id", ""), p.get("name", ""), _executable(p))
        for p in document.root
        if tag_of(p) == "process"
    ]


def main_process(document):
    """Key and name of the process that a deployment would run.

    The executable one, else the first; ``("", "")`` when there is none.
    """
    known = processes(document)
    for key, name, executable in known:
        if executable:
            return key, name
    return known[0][:2] if known else ("", "")


@dataclass
class Scope:
    """A process or sub-process: its nodes by id, its flows, both in order."""

    element: object
    nodes: dict
    flows: list

    @property
    def tag(self):
        return tag_of(self.element)


def _scopes(process):
    """The process and each sub-process in it, outer ones first."""
    waiting = deque([process])
    while waiting:
        element = waiting.popleft()
        nodes, flows = {}, []
        for child in element:
            tag = tag_of(child)
            if tag in FLOW_NODES:
                # Of two with one id (a finding of its own) the first counts; one
                # without an id is a node that no flow can name.
                nodes.setdefault(child.get("id") or f"#{len(nodes)}", child)
                if tag in SCOPES:
                    waiting.append(child)
            elif tag == "sequenceFlow":
                flows.append(child)
        yield Scope(element, nodes, flows)


def _finding(code, severity, element, **params):
    return Finding(
        code,
        severity,
        element.get("id", ""),
        etree.QName(element).localname,
        element.get("name", "").strip(),
        params,
    )


def reachable(starts, edges):
    """Nodes that can be reached.

    :param starts: iterable of nodes
    :param edges: iterable of ``(source, target)``
    :return: ``set`` with the starts in it
    """
    after = defaultdict(list)
    for source, target in edges:
        after[source].append(target)
    seen = set(starts)
    waiting = deque(seen)
    while waiting:
        for target in after[waiting.popleft()]:
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


# --- LINT ---


def _lint_definitions(document):
    """Findings on the file as a whole, and the process to look into or None."""
    root = document.root
    if tag_of(root) != "definitions":
        return [_finding("not_bpmn", ERROR, root)], None
    findings = []
    runnable = [p for p in root if tag_of(p) == "process" and _executable(p)]
    if not runnable:
        findings.append(_finding("no_executable", ERROR, root))
    findings += [_finding("several_executable", ERROR, p) for p in runnable[1:]]
    counted = Counter(e.get("id") for e in root.iter(etree.Element) if e.get("id"))
    seen = set()
    for element in root.iter(etree.Element):
        known = element.get("id")
        if known and counted[known] > 1 and known not in seen:
            seen.add(known)
            findings.append(
                _finding("duplicate_id", ERROR, element, times=counted[known])
            )
    return findings, runnable[0] if runnable else None


def _lint_flows(scope):
    """Findings on the flows, and the edges that hold."""
    findings, edges = [], []
    for flow in scope.flows:
        ends = (flow.get("sourceRef", ""), flow.get("targetRef", ""))
        if not all(ends):
            findings.append(_finding("flow_without_end", ERROR, flow))
        elif not all(end in scope.nodes for end in ends):
            missing = next(end for end in ends if end not in scope.nodes)
            findings.append(_finding("flow_to_nowhere", ERROR, flow, target=missing))
        else:
            edges.append(ends)
    return findings, edges


def _has(element, *tags):
    return any(tag_of(child) in tags for child in element)


def condition_of(flow):
    """The text of the condition on a flow, or ""."""
    for child in flow:
        if tag_of(child) == "conditionExpression":
            return "".join(child.itertext()).strip()
    return ""


def _lint_condition(flow, known):
    """Findings on one condition.

    :param known: names and ``name.field`` that a condition may read; None: any
    """
    text = condition_of(flow)
    try:
        used = expressions.names(text)
    except ExpressionError as error:
        return [
            _finding(
                "bad_condition",
                ERROR,
                flow,
                condition=text[:100],
                error=error.code,
                details=error.params,
            )
        ]
    if known is None:
        return []
    return [
        _finding("condition_unknown_name", ERROR, flow, name=name)
        for name in sorted(used - known)
    ]


def _lint_conditions(scope, leaving, known):
    """Findings on what is written on flows that no gateway reads, or cannot."""
    findings = []
    for key, node in scope.nodes.items():
        decides = tag_of(node) in DECIDING
        for flow in leaving[key]:
            if not _has(flow, "conditionExpression"):
                continue
            if decides and flow.get("id") != node.get("default"):
                findings += _lint_condition(flow, known)
            else:
                findings.append(_finding("condition_not_read", ERROR, flow))
    return findings


def _lint_gateway(gateway, outgoing):
    """Findings on one that decides: conditions and default of its ways out."""
    findings = []
    default = gateway.get("default")
    if default and default not in {flow.get("id") for flow in outgoing}:
        findings.append(_finding("default_unknown", ERROR, gateway, flow=default))
        default = None
    bare = [
        flow
        for flow in outgoing
        if not (default and flow.get("id") == default)
        and not _has(flow, "conditionExpression")
    ]
    if len(outgoing) == 1 and bare:
        return findings
    if bare:
        findings += [
            _finding(
                "flow_without_condition",
                ERROR,
                flow,
                gateway=gateway.get("name", "").strip() or gateway.get("id", ""),
            )
            for flow in bare
        ]
    elif not default and outgoing:
        findings.append(_finding("gateway_without_default", ERROR, gateway))
    return findings


def _lint_ends_of(node, outgoing, incoming):
    """Findings on how many flows begin and end at a node."""
    tag = tag_of(node)
    findings = []
    if tag == "endEvent" and outgoing:
        findings.append(_finding("end_goes_on", ERROR, node))
    elif tag == "startEvent" and incoming:
        findings.append(_finding("start_entered", ERROR, node))
    if tag not in GATEWAYS and tag != "endEvent" and len(outgoing) > 1:
        findings.append(_finding("several_outgoing", ERROR, node, count=len(outgoing)))
    if tag in ("parallelGateway", "inclusiveGateway"):
        targets = Counter(flow.get("targetRef", "") for flow in outgoing)
        findings += [
            _finding("double_flow", ERROR, node, target=target)
            for target, times in targets.items()
            if times > 1
        ]
    return findings


def _lint_element(node):
    """Whether this version can run one node."""
    tag = tag_of(node)
    if tag not in SUPPORTED:
        return [_finding("unsupported", ERROR, node)]
    findings = []
    allowed = SUPPORTED_EVENT_DEFINITIONS.get(tag, frozenset())
    for child in node:
        kind = tag_of(child)
        if kind in MARKERS:
            findings.append(_finding("unsupported_marker", ERROR, node, marker=kind))
        elif (
            kind.endswith(("EventDefinition", "EventDefinitionRef"))
            and kind not in allowed
        ):
            findings.append(_finding("unsupported_event", ERROR, node, event=kind))
    if node.get("triggeredByEvent") == "true":
        findings.append(
            _finding("unsupported_marker", ERROR, node, marker="triggeredByEvent")
        )
    if node.get("isForCompensation") == "true":
        findings.append(
            _finding("unsupported_marker", ERROR, node, marker="isForCompensation")
        )
    for quantity in ("startQuantity", "completionQuantity"):
        if node.get(quantity, "1").strip() != "1":
            findings.append(
                _finding("unsupported_marker", ERROR, node, marker=quantity)
            )
    findings += [
        _finding(problem.code, ERROR, node, **problem.params)
        for problem in palette.read(node).problems
    ]
    return findings


def _aside(node):
    """Whether a node lies outside the flow by its nature."""
    return (
        node.get("triggeredByEvent") == "true"
        or node.get("isForCompensation") == "true"
    )


def _leads_on(node):
    """Whether a node without a way out is no dead end."""
    if tag_of(node) == "endEvent" or _aside(node):
        return True
    # The compensation handler of a boundary event hangs on an association.
    return _has(node, "linkEventDefinition", "compensateEventDefinition")


def _boundary_edges(scope):
    """From an activity to the boundary events on it."""
    for key, node in scope.nodes.items():
        if tag_of(node) == "boundaryEvent" and node.get("attachedToRef"):
            yield node.get("attachedToRef"), key


def _link_edges(scope):
    """From each throwing link event to the catching ones of its name."""
    ends = {"intermediateThrowEvent": [], "intermediateCatchEvent": []}
    for key, node in scope.nodes.items():
        for child in node:
            if tag_of(node) in ends and tag_of(child) == "linkEventDefinition":
                ends[tag_of(node)].append((key, child.get("name", "")))
    for source, name in ends["intermediateThrowEvent"]:
        for target, other in ends["intermediateCatchEvent"]:
            if name == other:
                yield source, target


def _entries(scope, edges):
    """Where a scope begins: start events; in an ad-hoc one, what nothing precedes."""
    starts = [k for k, n in scope.nodes.items() if tag_of(n) == "startEvent"]
    if scope.tag == "adHocSubProcess":
        preceded = {target for _source, target in edges}
        starts += [k for k in scope.nodes if k not in preceded]
    return starts


def _lint_paths(scope, edges):
    """Findings on what the flow can reach and where it stops."""
    findings = []
    starts = _entries(scope, edges)
    if not starts and scope.nodes:
        return [_finding("no_start", ERROR, scope.element)]
    if not scope.nodes:
        return [_finding("empty_process", ERROR, scope.element)]
    onward = [*edges, *_link_edges(scope)]
    ways = [*onward, *_boundary_edges(scope)]
    aside = {k for k, n in scope.nodes.items() if _aside(n)}
    seen = reachable([*starts, *aside], ways)
    out = {source for source, _target in onward}
    # Where the flow may stop: an end event, or what is meant to stop there. A
    # dead end has its own finding and must not be named twice.
    stops = [k for k, n in scope.nodes.items() if k not in out or _leads_on(n)]
    finishing = reachable(stops, [(target, source) for source, target in ways])
    for key, node in scope.nodes.items():
        if key not in seen:
            findings.append(_finding("unreachable", ERROR, node))
        elif scope.tag != "adHocSubProcess" and key not in out and not _leads_on(node):
            findings.append(_finding("dead_end", ERROR, node))
        elif key not in finishing:
            findings.append(_finding("endless", ERROR, node))
    return findings


def _kind(node):
    """What a node is in the token game."""
    tag = tag_of(node)
    if tag == "endEvent":
        ends = _has(node, "terminateEventDefinition")
        return tokens.TERMINATE if ends else tokens.END
    return {
        "exclusiveGateway": tokens.EXCLUSIVE,
        "inclusiveGateway": tokens.INCLUSIVE,
        "parallelGateway": tokens.PARALLEL,
    }.get(tag, tokens.PASS)


def net(scope):
    """A scope without errors as the graph of the token game.

    :return: :class:`tokens.Net`
    """
    numbers = {flow.get("id"): n for n, flow in enumerate(scope.flows)}
    return tokens.Net(
        kinds={key: _kind(node) for key, node in scope.nodes.items()},
        flows=[(f.get("sourceRef"), f.get("targetRef")) for f in scope.flows],
        start=next(k for k, n in scope.nodes.items() if tag_of(n) == "startEvent"),
        defaults={
            key: numbers[node.get("default")]
            for key, node in scope.nodes.items()
            if node.get("default") in numbers
        },
    )


def _lint_tokens(scope):
    """Findings on what can happen in a scope that is well formed."""
    graph = net(scope)
    loops = tokens.unconditional_loops(graph)
    if loops:
        return [_finding("always_again", ERROR, scope.nodes[node]) for node in loops]
    if not {tokens.PARALLEL, tokens.INCLUSIVE}.intersection(graph.kinds.values()):
        # One token alone meets no other and waits for none.
        return []
    try:
        problems = tokens.problems(graph)
    except TooComplexError:
        return [_finding("too_complex", ERROR, scope.element)]
    return [_finding(code, ERROR, scope.nodes[node]) for code, node in problems]


def _lint_scope(scope, known):
    findings, edges = _lint_flows(scope)
    findings += _lint_paths(scope, edges)
    leaving, entering = defaultdict(list), defaultdict(list)
    for flow in scope.flows:
        leaving[flow.get("sourceRef", "")].append(flow)
        entering[flow.get("targetRef", "")].append(flow)
    for key, node in scope.nodes.items():
        if tag_of(node) in DECIDING:
            findings += _lint_gateway(node, leaving[key])
        findings += _lint_ends_of(
            node,
            [f for f in leaving[key] if f.get("targetRef") in scope.nodes],
            [f for f in entering[key] if f.get("sourceRef") in scope.nodes],
        )
        findings += _lint_element(node)
    findings += _lint_conditions(scope, leaving, known)
    starts = [n for n in scope.nodes.values() if tag_of(n) == "startEvent"]
    findings += [_finding("several_starts", ERROR, start) for start in starts[1:]]
    if len(scope.nodes) > MAX_NODES:
        findings.append(
            _finding("too_many_nodes", ERROR, scope.element, limit=MAX_NODES)
        )
    known_tags = FLOW_NODES | NOT_RUN | DESCRIPTIVE | {"sequenceFlow", *MARKERS}
    findings += [
        _finding("unsupported", ERROR, child)
        for child in scope.element
        if tag_of(child) and tag_of(child) not in known_tags
    ]
    return findings or _lint_tokens(scope)


def _lint_not_run(document, process):
    """One word for each kind of element that is kept and not run."""
    counted = Counter(
        tag_of(e) for e in document.root.iter(etree.Element) if tag_of(e) in NOT_RUN
    )
    findings = [
        Finding("kept_not_run", INFO, "", tag, "", {"count": counted[tag]})
        for tag in sorted(counted)
    ]
    findings += [
        _finding("other_process", INFO, other)
        for other in document.root
        if tag_of(other) == "process"
        and other is not process
        and not _executable(other)
    ]
    return findings


def runnable_scopes(document):
    """The process that a deployment runs and each sub-process in it.

    :return: iterable of ``(key, Scope)``; the key of the process itself is ""
    """
    _findings, process = _lint_definitions(document)
    for scope in () if process is None else _scopes(process):
        yield "" if scope.element is process else scope.element.get("id"), scope


def variables(document):
    """The names that user tasks of the process store an outcome under: ``set``."""
    return {
        said.variable
        for _key, scope in runnable_scopes(document)
        for said in map(palette.read, scope.nodes.values())
        if said.variable
    }


def lint(document, record_fields=None):
    """What is wrong with a diagram, and what is worth knowing of it.

    Codes: ``not_bpmn``, ``no_executable``, ``several_executable``,
    ``duplicate_id``, ``flow_without_end``, ``flow_to_nowhere``,
    ``default_unknown``, ``gateway_without_default``,
    ``flow_without_condition``, ``condition_not_read``, ``bad_condition``,
    ``condition_unknown_name``, ``unsupported``, ``unsupported_event``,
    ``unsupported_marker``, ``no_start``, ``several_starts``, ``start_entered``,
    ``end_goes_on``, ``several_outgoing``, ``double_flow``, ``empty_process``,
    ``unreachable``, ``dead_end``, ``endless``, ``always_again``, ``met_twice``,
    ``stuck``, ``too_complex``, ``too_many_nodes``, ``action_missing``,
    ``action_unknown``, ``parameter_missing``, ``parameter_unknown``, ``bad_days``,
    ``bad_variable``, ``bad_outcomes``, ``unnamed`` (warning), ``kept_not_run`` and
    ``other_process`` (info).

    :param Document document: of :func:`parse`
    :param record_fields: names of the fields of the record that a condition may read;
        None when it is not known what record that will be
    :return: ``list[Finding]``, errors first
    """
    findings, process = _lint_definitions(document)
    if process is not None:
        known = None
        if record_fields is not None:
            known = variables(document) | {"today"}
            known |= {f"record.{name}" for name in record_fields}
        for scope in _scopes(process):
            findings += _lint_scope(scope, known)
            findings += [
                _finding("unnamed", WARNING, node)
                for node in scope.nodes.values()
                if tag_of(node) in ACTIVITIES and not node.get("name", "").strip()
            ]
        findings += _lint_not_run(document, process)
    rank = {ERROR: 0, WARNING: 1, INFO: 2}
    return sorted(findings, key=lambda found: rank[found.severity])
