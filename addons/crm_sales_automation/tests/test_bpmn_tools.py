import random
import time
from pathlib import Path

from lxml import etree

from odoo.tests import BaseCase, tagged

from ..tools import bpmn
from ..tools.bpmn import BpmnError
from .diagrams import END, GOOD, START, definitions, flow, line, node, process

DATA = Path(__file__).parents[1] / "data" / "bpmn"

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(
        f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">' for n in range(1, 10)
    )
    + ']><lolz a="&lol9;">&lol9;</lolz>'
)


@tagged("post_install", "-at_install")
class TestBpmnParse(BaseCase):
    def _code(self, data):
        with self.assertRaises(BpmnError) as caught:
            bpmn.parse(data)
        return caught.exception.code

    def test_hostile(self):
        outside = (
            '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM '
            '"file:///etc/passwd">]><x>&e;</x>'
        )
        remote = '<!DOCTYPE x SYSTEM "http://example.invalid/x.dtd"><x/>'
        for name, data, code in [
            ("billion laughs", LAUGHS, "doctype"),
            ("billion laughs in UTF-16", LAUGHS.encode("utf-16"), "doctype"),
            ("outside entity", outside, "doctype"),
            ("remote document type", remote, "doctype"),
            ("bare document type", "<!DOCTYPE x><x/>", "doctype"),
            ("undefined entity", "<x>&e;</x>", "not_xml"),
            ("nothing", "", "empty"),
            ("nothing in bytes", b"  \n", "empty"),
            ("no XML", "hello", "not_xml"),
            ("cut off", GOOD[:-20], "not_xml"),
            ("NUL", GOOD.replace("Quotation", "a\x00b"), "not_xml"),
            ("lone surrogate", GOOD.replace("Quotation", "\ud800"), "encoding"),
            ("bytes of no encoding", b"\xff\xfe\x00\xd8", "encoding"),
            (
                "unknown encoding",
                b'<?xml version="1.0" encoding="x1"?><x/>',
                "encoding",
            ),
            ("odd encoding", b'<?xml version="1.0" encoding="utf-7"?><x/>', "encoding"),
            ("rot13", b'<?xml version="1.0" encoding="rot13"?><x/>', "encoding"),
            ("wrong encoding", GOOD.encode("utf-8") + b"<!-- \xff -->", "encoding"),
            ("too big", b"<x>" + b" " * bpmn.MAX_BYTES + b"</x>", "too_big"),
            (
                "too big as text",
                "<x>" + "字" * (bpmn.MAX_BYTES // 3) + "</x>",
                "too_big",
            ),
            ("deep", "<x>" * 101 + "</x>" * 101, "too_deep"),
            ("very deep", "<x>" * 1_000_000, "too_deep"),
            ("many", "<x>" + "<y/>" * bpmn.MAX_ELEMENTS + "</x>", "too_many"),
        ]:
            with self.subTest(name=name):
                started = time.monotonic()
                self.assertEqual(self._code(data), code)
                self.assertLess(time.monotonic() - started, 5)

    def test_limits_are_reachable(self):
        bpmn.parse("<x>" * 100 + "</x>" * 100)
        filler = "<!--" + "x" * (bpmn.MAX_BYTES - len(GOOD) - 7) + "-->"
        self.assertFalse(bpmn.lint(bpmn.parse(GOOD + filler)))

    def test_line_of_the_error(self):
        with self.assertRaises(BpmnError) as caught:
            bpmn.parse("<x>\n<y>\n</x>")
        self.assertEqual(caught.exception.params, {"line": 3})

    def test_encodings(self):
        text = GOOD.replace("Quotation", "报价单")
        for name in ("utf-8", "utf-16", "gbk", "gb18030", "utf-8-sig"):
            with self.subTest(encoding=name):
                declared = text.replace("UTF-8", name.removesuffix("-sig"))
                document = bpmn.parse(declared.encode(name))
                self.assertEqual(bpmn.main_process(document), ("quotation", "报价单"))
                again = bpmn.parse(bpmn.export(document))
                self.assertEqual(bpmn.main_process(again), ("quotation", "报价单"))

    def test_export_is_the_file(self):
        """Byte for byte: comments, instructions, prefixes, foreign parts."""
        for text in (
            GOOD,
            GOOD.replace("<bpmn:process", "<!-- note --><?tool x?>\n<bpmn:process", 1),
            definitions(
                '<b:process id="p" isExecutable="true"/><z:thing xmlns:z="urn:z" a="1">'
                "<![CDATA[<x>]]></z:thing>",
                prefix="b",
            ),
        ):
            data = text.encode()
            self.assertEqual(bpmn.export(bpmn.parse(data)), data)

    def test_shipped_files_round_trip(self):
        files = sorted(DATA.glob("*.bpmn"))
        self.assertEqual(len(files), 2)
        for path in files:
            with self.subTest(path=path.name):
                data = path.read_bytes()
                document = bpmn.parse(data)
                self.assertEqual(bpmn.export(document), data)
                self.assertEqual(bpmn.lint(document), [])
                self.assertEqual(bpmn.main_process(document)[0], "sales_quotation")


@tagged("post_install", "-at_install")
class TestBpmnLint(BaseCase):
    def _found(self, text, severity=None):
        return [
            (f.code, f.element_id)
            for f in bpmn.lint(bpmn.parse(text))
            if severity is None or f.severity == severity
        ]

    def test_good(self):
        self.assertEqual(self._found(GOOD), [])

    def test_not_bpmn(self):
        self.assertEqual(self._found("<x id='y'/>"), [("not_bpmn", "y")])
        foreign = GOOD.replace("20100524", "20080501")
        self.assertEqual(self._found(foreign), [("not_bpmn", "file")])

    def test_executable(self):
        parts = (START, END, flow("start", "end"))
        self.assertEqual(
            self._found(process(*parts, executable="false")),
            [("no_executable", "file")],
        )
        self.assertEqual(self._found(definitions()), [("no_executable", "file")])
        self.assertEqual(self._found(process(*parts, executable="1")), [])
        two = definitions(
            '<bpmn:process id="a" isExecutable="true">',
            *parts,
            '</bpmn:process><bpmn:process id="b" isExecutable="true"/>',
        )
        self.assertEqual(self._found(two), [("several_executable", "b")])
        other = two.replace('id="b" isExecutable="true"', 'id="b"')
        self.assertEqual(self._found(other), [("other_process", "b")])

    def test_paths(self):
        task = node("task", "t")
        for name, text, expected in [
            ("empty", process(), [("empty_process", "quotation")]),
            (
                "no start",
                process(task, END, flow("t", "end")),
                [("no_start", "quotation")],
            ),
            (
                "unreachable",
                process(START, task, END, flow("start", "end"), flow("t", "end")),
                [("unreachable", "t")],
            ),
            (
                "dead end",
                process(START, task, flow("start", "t")),
                [("dead_end", "t")],
            ),
            (
                "a loop without a way out",
                process(
                    START,
                    node("task", "a"),
                    node("task", "b"),
                    line("start", "a", "b", "a"),
                ),
                [("endless", "start"), ("endless", "a"), ("endless", "b")],
            ),
            (
                "a node without an id",
                process(START, END, flow("start", "end"), '<bpmn:task name="x"/>'),
                [("unreachable", "")],
            ),
        ]:
            with self.subTest(name=name):
                self.assertEqual(self._found(text), expected)

    def test_flows(self):
        parts = (START, END, flow("start", "end"))
        for broken, expected in [
            (
                '<bpmn:sequenceFlow id="f" sourceRef="start"/>',
                [("flow_without_end", "f")],
            ),
            (flow("start", "gone", key="f"), [("flow_to_nowhere", "f")]),
            ('<bpmn:sequenceFlow id="f"/>', [("flow_without_end", "f")]),
        ]:
            with self.subTest(broken=broken):
                self.assertEqual(self._found(process(*parts, broken)), expected)

    def test_flow_over_the_border_of_a_sub_process(self):
        inner = node("startEvent", "s2") + node("endEvent", "e2") + flow("s2", "e2")
        text = process(
            START,
            node("subProcess", "sub", inner),
            END,
            line("start", "sub", "end"),
            flow("start", "s2", key="over"),
        )
        self.assertEqual(self._found(text), [("flow_to_nowhere", "over")])

    def test_sub_process_is_looked_into(self):
        text = process(
            START,
            node("subProcess", "sub", node("task", "alone")),
            END,
            line("start", "sub", "end"),
        )
        self.assertEqual(self._found(text), [("no_start", "sub")])

    def test_gateways(self):
        def choice(gateway, *flows):
            return process(
                START,
                gateway,
                node("task", "a"),
                node("task", "b"),
                END,
                flow("start", "g"),
                *flows,
                line("a", "end"),
                flow("b", "end"),
            )

        for tag in ("exclusiveGateway", "inclusiveGateway"):
            plain = node(tag, "g")
            with_default = node(tag, "g", default_="g_b")
            for name, text, expected in [
                (
                    "good",
                    choice(with_default, flow("g", "a", "x"), flow("g", "b")),
                    [],
                ),
                (
                    "no default",
                    choice(plain, flow("g", "a", "x"), flow("g", "b", "y")),
                    [("gateway_without_default", "g")],
                ),
                (
                    "no condition",
                    choice(plain, flow("g", "a", "x"), flow("g", "b")),
                    [("flow_without_condition", "g_b")],
                ),
                (
                    "default of another",
                    choice(
                        node(tag, "g", default_="a_end"),
                        flow("g", "a", "x"),
                        flow("g", "b", "y"),
                    ),
                    [("default_unknown", "g"), ("gateway_without_default", "g")],
                ),
            ]:
                with self.subTest(tag=tag, name=name):
                    self.assertEqual(self._found(text), expected)
        parallel = choice(node("parallelGateway", "g"), flow("g", "a"), flow("g", "b"))
        self.assertEqual(self._found(parallel), [])

    def test_duplicate_ids(self):
        text = process(START, END, flow("start", "end"), node("task", "end"))
        self.assertEqual(self._found(text), [("duplicate_id", "end")])
        found = bpmn.lint(bpmn.parse(text))
        self.assertEqual(found[0].params, {"times": 2})

    def test_unsupported(self):
        def between(text):
            return process(START, text, END, line("start", "x", "end"))

        timer = "<bpmn:timerEventDefinition/>"
        for name, text, expected in [
            ("task", between(node("callActivity", "x")), "unsupported"),
            (
                "gateway",
                between(node("eventBasedGateway", "x")),
                "unsupported",
            ),
            (
                "catch",
                between(node("intermediateCatchEvent", "x", timer)),
                "unsupported",
            ),
            (
                "marker",
                between(node("task", "x", "<bpmn:multiInstanceLoopCharacteristics/>")),
                "unsupported_marker",
            ),
        ]:
            with self.subTest(name=name):
                self.assertEqual(self._found(text, "error"), [(expected, "x")])
        start = process(node("startEvent", "start", timer), END, flow("start", "end"))
        self.assertEqual(self._found(start), [("unsupported_event", "start")])
        terminate = process(
            START,
            node("endEvent", "end", "<bpmn:terminateEventDefinition/>"),
            flow("start", "end"),
        )
        self.assertEqual(self._found(terminate), [])
        invented = process(START, END, flow("start", "end"), "<bpmn:magic id='m'/>")
        self.assertEqual(self._found(invented), [("unsupported", "m")])

    def test_what_has_no_execution_is_kept(self):
        text = process(
            START,
            END,
            flow("start", "end"),
            '<bpmn:textAnnotation id="n1"/><bpmn:textAnnotation id="n2"/>',
            '<bpmn:dataStoreReference id="d"/><bpmn:group id="g"/>',
            '<bpmn:laneSet id="l"/><bpmn:extensionElements/>',
        )
        found = bpmn.lint(bpmn.parse(text))
        self.assertEqual({f.severity for f in found}, {"info"})
        self.assertEqual(
            {f.element_type: f.params["count"] for f in found},
            {"textAnnotation": 2, "dataStoreReference": 1, "group": 1, "laneSet": 1},
        )

    def test_unnamed(self):
        text = process(
            START, node("task", "t", name=""), END, line("start", "t", "end")
        )
        self.assertEqual(self._found(text), [("unnamed", "t")])

    def test_supported_and_kept_do_not_overlap(self):
        self.assertFalse(bpmn.SUPPORTED & bpmn.NOT_RUN)
        self.assertFalse((bpmn.FLOW_NODES | bpmn.NOT_RUN) & bpmn.DESCRIPTIVE)

    def test_random_graphs_against_closure(self):
        """Reachability, dead ends and loops, told from the transitive closure."""
        rng = random.Random(3)
        met = dict.fromkeys(("unreachable", "dead_end", "endless"), 0)
        for _ in range(600):
            tasks = [f"t{n}" for n in range(rng.randint(0, 6))]
            keys = ["start", *tasks, "end"]
            pairs = {
                (rng.choice(["start", *tasks]), rng.choice([*tasks, "end"]))
                for _ in range(rng.randint(0, len(keys) + 3))
            }
            # Warshall: one step at a time over each node in between.
            ways = pairs | {(k, k) for k in keys}
            for middle in keys:
                ways |= {
                    (a, b)
                    for a in keys
                    for b in keys
                    if (a, middle) in ways and (middle, b) in ways
                }
            sources = {a for a, _b in pairs}
            expected = set()
            for key in keys:
                if ("start", key) not in ways:
                    expected.add(("unreachable", key))
                elif key != "end" and key not in sources:
                    expected.add(("dead_end", key))
                elif not any(
                    (key, last) in ways
                    for last in keys
                    if last == "end" or last not in sources
                ):
                    expected.add(("endless", key))
            text = process(
                START,
                *(node("task", t) for t in tasks),
                END,
                *(flow(a, b) for a, b in sorted(pairs)),
            )
            # A task of this graph may have several ways out: another finding.
            found = {f for f in self._found(text, "error") if f[0] in met}
            self.assertEqual(found, expected)
            for code, _key in expected:
                met[code] += 1
        self.assertGreater(min(met.values()), 30, met)

    def test_large_diagram_is_quick(self):
        count = 5_000
        keys = ["start", *(f"t{n}" for n in range(count)), "end"]
        text = process(
            START, *(node("task", key) for key in keys[1:-1]), END, line(*keys)
        )
        started = time.monotonic()
        self.assertEqual(self._found(text), [("too_many_nodes", "quotation")])
        self.assertLess(time.monotonic() - started, 5)

    def test_flows_that_are_not_as_they_should_be(self):
        task = node("task", "t")
        for name, parts, expected in [
            (
                "two starts",
                (node("startEvent", "s2"), line("start", "end"), flow("s2", "end")),
                [("several_starts", "s2")],
            ),
            (
                "back into the start",
                (
                    node("exclusiveGateway", "g", default_="d"),
                    line("start", "g"),
                    flow("g", "start", "today"),
                    flow("g", "end", key="d"),
                ),
                [("start_entered", "start")],
            ),
            (
                "on from the end",
                (task, line("start", "t", "end"), flow("end", "t")),
                [("end_goes_on", "end")],
            ),
            (
                "a task that splits",
                (
                    task,
                    node("task", "u"),
                    line("start", "t", "end"),
                    line("t", "u", "end"),
                ),
                [("several_outgoing", "t")],
            ),
            (
                "twice to the same",
                (
                    node("parallelGateway", "g"),
                    node("parallelGateway", "h"),
                    line("start", "g", "h", "end"),
                    flow("g", "h", key="twice"),
                ),
                [("double_flow", "g")],
            ),
            (
                "a condition behind a task",
                (task, flow("start", "t"), flow("t", "end", "today")),
                [("condition_not_read", "t_end")],
            ),
            (
                "a condition behind a parallel gateway",
                (
                    node("parallelGateway", "g"),
                    line("start", "g"),
                    flow("g", "end", "x"),
                ),
                [("condition_not_read", "g_end")],
            ),
            (
                "a condition on the default",
                (
                    node("exclusiveGateway", "g", default_="g_t"),
                    task,
                    line("start", "g"),
                    flow("g", "t", "today"),
                    flow("g", "end", "today"),
                    flow("t", "end"),
                ),
                [("condition_not_read", "g_t")],
            ),
            (
                "one way out, with a condition",
                (
                    node("exclusiveGateway", "g"),
                    line("start", "g"),
                    flow("g", "end", "x"),
                ),
                [("gateway_without_default", "g")],
            ),
            (
                "for a quantity",
                (node("task", "t", startQuantity="2"), line("start", "t", "end")),
                [("unsupported_marker", "t")],
            ),
            (
                "always again",
                (
                    node("parallelGateway", "a"),
                    node("parallelGateway", "b"),
                    node("endEvent", "stop", "<bpmn:terminateEventDefinition/>"),
                    line("start", "a", "b", "a"),
                    flow("b", "stop"),
                    flow("a", "end"),
                ),
                [("always_again", "a"), ("always_again", "b")],
            ),
        ]:
            with self.subTest(name=name):
                self.assertEqual(self._found(process(START, END, *parts)), expected)

    def test_conditions(self):
        def lint(condition, fields=None):
            text = process(
                START,
                node("exclusiveGateway", "g", default_="d"),
                END,
                node("endEvent", "other"),
                flow("start", "g"),
                flow("g", "other", condition, key="f"),
                flow("g", "end", key="d"),
            )
            return [(f.code, f.params) for f in bpmn.lint(bpmn.parse(text), fields)]

        self.assertEqual(lint("record.amount > 3"), [])
        self.assertEqual(lint("record.amount > 3", {"amount"}), [])
        self.assertEqual(lint("today", set()), [])
        self.assertEqual(
            lint("record.phone == answer", {"amount"}),
            [
                ("condition_unknown_name", {"name": "answer"}),
                ("condition_unknown_name", {"name": "record.phone"}),
            ],
        )
        [(code, params)] = lint("${x}")
        self.assertEqual((code, params["error"]), ("bad_condition", "syntax"))
        [(code, params)] = lint("().__class__")
        self.assertEqual((code, params["error"]), ("bad_condition", "forbidden"))

    def test_tokens(self):
        """What can meet, and what can wait for ever, is known before it runs."""
        a, b = node("task", "a"), node("task", "b")
        branches = (a, b, line("start", "g", "a", "h", "end"), line("g", "b", "h"))
        for split, join, expected in [
            ("parallelGateway", "parallelGateway", []),
            ("parallelGateway", "inclusiveGateway", []),
            ("parallelGateway", "exclusiveGateway", [("met_twice", "end")]),
            ("exclusiveGateway", "exclusiveGateway", []),
            ("exclusiveGateway", "inclusiveGateway", []),
            ("exclusiveGateway", "parallelGateway", [("stuck", "h")]),
            ("inclusiveGateway", "inclusiveGateway", []),
            ("inclusiveGateway", "parallelGateway", [("stuck", "h")]),
            # Two ways out, one of them the default: never both.
            ("inclusiveGateway", "exclusiveGateway", []),
        ]:
            decides = split != "parallelGateway"
            text = process(
                START,
                END,
                node(split, "g", **({"default_": "g_a"} if decides else {})),
                node(join, "h"),
                *branches,
            )
            if decides:
                bare = flow("g", "b")
                text = text.replace(bare, flow("g", "b", "today"))
            with self.subTest(split=split, join=join):
                self.assertEqual(self._found(text), expected)

    def test_many_branches_are_looked_at_quickly(self):
        def star(count):
            keys = [f"t{n}" for n in range(count)]
            return process(
                START,
                END,
                node("inclusiveGateway", "g", default_="g_t0"),
                node("inclusiveGateway", "h"),
                line("start", "g"),
                *(node("userTask", key) for key in keys),
                *(flow("g", key, "today" if key != "t0" else "") for key in keys),
                *(flow(key, "h") for key in keys),
                line("h", "end"),
            )

        started = time.monotonic()
        self.assertEqual(self._found(star(8)), [])
        self.assertEqual(self._found(star(40)), [("too_complex", "quotation")])
        self.assertLess(time.monotonic() - started, 10)

    def test_palette(self):
        for inside, expected in [
            ("", ["action_missing"]),
            ('<crm:action name="set_stage" stage="x"/>', []),
            ('<crm:action name="create_quotation"/>', []),
            ('<crm:action name="create_quotation" template="x"/>', []),
            ('<crm:action name="create_activity" summary="x" days="3"/>', []),
            ('<crm:action name="set_stage"/>', ["parameter_missing"]),
            ('<crm:action name="set_stage" stage=" "/>', ["parameter_missing"]),
            ('<crm:action name="launch"/>', ["action_unknown"]),
            ("<crm:action/>", ["action_unknown"]),
            (
                '<crm:action name="create_quotation" colour="x"/>',
                ["parameter_unknown"],
            ),
            (
                '<crm:action name="create_activity" summary="x" days="-1"/>',
                ["bad_days"],
            ),
            ('<crm:action name="create_quotation"/>' * 2, ["action_missing"]),
        ]:
            with self.subTest(inside=inside):
                self.assertEqual(self._of("serviceTask", inside), expected)
        two = '<crm:outcome value="a"/><crm:outcome value="b"/>'
        for inside, expected in [
            ("", []),
            ('<crm:activity days="3" responsible="anna"/>', []),
            ('<crm:activity days="soon"/>', ["bad_days"]),
            ('<crm:activity colour="x"/>', ["parameter_unknown"]),
            (f'<crm:outcomes variable="answer">{two}</crm:outcomes>', []),
            (f'<crm:outcomes variable="record">{two}</crm:outcomes>', ["bad_variable"]),
            (f'<crm:outcomes variable="__x">{two}</crm:outcomes>', ["bad_variable"]),
            (f"<crm:outcomes>{two}</crm:outcomes>", ["bad_variable"]),
            (
                '<crm:outcomes variable="a"><crm:outcome value="x"/></crm:outcomes>',
                ["bad_outcomes"],
            ),
            (
                f'<crm:outcomes variable="a">{two}{two}</crm:outcomes>',
                ["bad_outcomes"],
            ),
        ]:
            with self.subTest(inside=inside):
                self.assertEqual(self._of("userTask", inside), expected)

    def _of(self, tag, inside):
        text = process(
            START,
            node(
                tag, "x", f"<bpmn:extensionElements>{inside}</bpmn:extensionElements>"
            ),
            END,
            line("start", "x", "end"),
        ).replace("<bpmn:process", '<bpmn:process xmlns:crm="urn:crm-suite:bpmn:1"')
        return [code for code, _key in self._found(text)]

    def test_random_damage_never_surprises(self):
        """Any damage to a good file gives a known refusal or findings."""
        rng = random.Random(9)
        codes = {"empty", "encoding", "doctype", "too_deep", "not_xml"}
        data = GOOD.encode()
        parsed = 0
        for _ in range(2_000):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 3)):
                place = rng.randrange(len(damaged))
                damaged[place : place + rng.randint(0, 3)] = bytes(
                    rng.choices(range(32, 127), k=rng.randint(0, 3))
                )
            try:
                document = bpmn.parse(bytes(damaged))
            except BpmnError as error:
                self.assertIn(error.code, codes)
                continue
            parsed += 1
            bpmn.lint(document)
            etree.tostring(document.root)
        self.assertGreater(parsed, 100)
