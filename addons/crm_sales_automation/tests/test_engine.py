import json
import random
import time
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..tools import bpmn, engine
from ..tools.engine import EngineError
from .common import OUTCOMES, extended
from .diagrams import END, START, flow, line, node, process
from .random_processes import Game, Structured, tangled

DATA = Path(__file__).parents[1] / "data" / "bpmn"
TERMINATE = node("endEvent", "stop", "<bpmn:terminateEventDefinition/>")


def errors(xml):
    return [f.code for f in bpmn.lint(bpmn.parse(xml)) if f.severity == "error"]


def again(xml, run):
    """The run after its state has been written to the database and read."""
    return engine.load(xml, json.loads(json.dumps(run.save())))


@tagged("post_install", "-at_install")
class TestEngine(BaseCase):
    def _start(self, *parts, context=None):
        xml = process(*parts)
        self.assertEqual(errors(xml), [])
        run = engine.start(xml)
        passed = run.advance(context or {})
        return xml, run, [n.key for n in passed]

    def _waiting(self, run):
        return sorted(task.node.key for task in run.waiting())

    def _do(self, run, key, context=None, outcome=None):
        task = next(t for t in run.waiting() if t.node.key == key)
        run.complete(task.id, outcome)
        return [n.key for n in run.advance(context or {})]

    def test_straight(self):
        _xml, run, passed = self._start(
            START, node("task", "t"), END, line("start", "t", "end")
        )
        self.assertEqual(passed, ["start", "t", "end"])
        self.assertTrue(run.finished)
        self.assertEqual(run.waiting(), [])

    def test_shipped_process(self):
        for path in sorted(DATA.glob("*.bpmn")):
            xml = path.read_text()
            run = engine.start(xml)
            self.assertEqual(
                [n.key for n in run.advance({})], ["opportunity_qualified"]
            )
            for _round in range(2):
                for key in (
                    "enter_requirements",
                    "analyse_requirements",
                    "enter_confirmation",
                ):
                    self.assertEqual(self._waiting(run), [key])
                    self._do(run, key)
                    run = again(xml, run)
                outcome = "confirmed" if _round else "changes"
                self._do(run, "confirm_offer", outcome=outcome)
            self.assertEqual(self._waiting(run), ["generate_quotation"])
            self.assertFalse(run.finished)
            self._do(run, "generate_quotation")
            self.assertTrue(run.finished)
            self.assertEqual(run.variables, {"answer": "confirmed"})

    def test_exclusive_takes_the_first_in_the_file(self):
        """Not the highest on the page, as SpiffWorkflow's parser would."""
        parts = [
            START,
            node("exclusiveGateway", "g", default_="none"),
            *(node("userTask", key) for key in "abc"),
            END,
            flow("start", "g"),
            flow("g", "a", "today"),
            flow("g", "b", "today"),
            flow("g", "c", key="none"),
            *(flow(key, "end") for key in "abc"),
        ]
        _xml, run, _passed = self._start(*parts, context={"today": True})
        self.assertEqual(self._waiting(run), ["a"])
        _xml, run, _passed = self._start(*parts, context={"today": False})
        self.assertEqual(self._waiting(run), ["c"])

    def test_names_of_the_engine_itself(self):
        """Elements may be called as SpiffWorkflow's own nodes are."""
        _xml, run, passed = self._start(
            node("startEvent", "Start"),
            node("task", "quotation.EndJoin"),
            node("task", "Root"),
            node("endEvent", "End"),
            line("Start", "quotation.EndJoin", "Root", "End"),
        )
        self.assertEqual(passed, ["Start", "quotation.EndJoin", "Root", "End"])
        self.assertTrue(run.finished)

    def test_terminate_ends_what_is_going_on(self):
        inner = (
            node("startEvent", "s2") + node("userTask", "in") + node("endEvent", "e2")
        )
        xml, run, _passed = self._start(
            START,
            node("parallelGateway", "g"),
            node("userTask", "a"),
            node("subProcess", "sub", inner + line("s2", "in", "e2")),
            TERMINATE,
            END,
            line("start", "g", "a", "stop"),
            line("g", "sub", "end"),
        )
        self.assertEqual(self._waiting(run), ["a", "in"])
        run = again(xml, run)
        self._do(run, "a")
        self.assertTrue(run.finished)
        self.assertEqual(run.waiting(), [])

    def test_terminate_in_a_sub_process_ends_that_alone(self):
        inner = (
            node("startEvent", "s2")
            + node("parallelGateway", "g2")
            + node("userTask", "x")
            + node("userTask", "y")
            + node("endEvent", "e2", "<bpmn:terminateEventDefinition/>")
            + node("endEvent", "e3")
            + line("s2", "g2", "x", "e2")
            + line("g2", "y", "e3")
        )
        xml, run, _passed = self._start(
            START,
            node("subProcess", "sub", inner),
            node("userTask", "after"),
            END,
            line("start", "sub", "after", "end"),
        )
        run = again(xml, run)
        self._do(run, "x")
        self.assertEqual(self._waiting(run), ["after"])

    def test_parallel_join_in_a_loop(self):
        """SpiffWorkflow's own join fires on one token from the second round on."""
        xml, run, _passed = self._start(
            START,
            node("exclusiveGateway", "again"),
            node("parallelGateway", "split"),
            node("userTask", "a"),
            node("userTask", "b"),
            node("parallelGateway", "join"),
            node("exclusiveGateway", "ask", default_="no"),
            END,
            line("start", "again", "split", "a", "join", "ask"),
            line("split", "b", "join"),
            flow("ask", "again", "today"),
            flow("ask", "end", key="no"),
        )
        for _round in range(3):
            run = again(xml, run)
            self._do(run, "a", {"today": True})
            self.assertEqual(self._waiting(run), ["b"])
            self._do(run, "b", {"today": True})
            self.assertEqual(self._waiting(run), ["a", "b"])

    def test_a_task_is_done_once(self):
        xml, run, _passed = self._start(
            START, node("userTask", "t"), END, line("start", "t", "end")
        )
        (task,) = run.waiting()
        run.complete(task.id)
        for other in (run, again(xml, run)):
            with self.assertRaises(EngineError) as caught:
                other.complete(task.id)
            self.assertEqual(caught.exception.code, "unknown_task")

    def test_only_an_outcome_that_is_offered(self):
        for inside, given in ((OUTCOMES, "maybe"), (OUTCOMES, None), ("", "yes")):
            xml, run, _passed = self._start(
                START, extended("userTask", "t", inside), END, line("start", "t", "end")
            )
            (task,) = run.waiting()
            with (
                self.subTest(inside=inside, given=given),
                self.assertRaises(EngineError) as caught,
            ):
                run.complete(task.id, given)
            self.assertEqual(
                (caught.exception.code, caught.exception.element_id),
                ("unknown_outcome", "t"),
            )
            # Nothing was taken in: the task still waits.
            run = again(xml, run)
            run.complete(task.id, "yes" if inside else None)
            run.advance({})
            self.assertTrue(run.finished)
            self.assertEqual(run.variables, {"answer": "yes"} if inside else {})

    def test_condition_that_fails_leaves_the_saved_state_good(self):
        xml, run, _passed = self._start(
            START,
            node("userTask", "t"),
            node("exclusiveGateway", "g", default_="no"),
            END,
            node("endEvent", "other"),
            line("start", "t", "g"),
            flow("g", "other", "record.amount > 5"),
            flow("g", "end", key="no"),
        )
        run.complete(run.waiting()[0].id)
        saved = run.save()
        with self.assertRaises(EngineError) as caught:
            run.advance({"record": {"amount": "many"}})
        error = caught.exception
        self.assertEqual((error.code, error.element_id), ("condition", "g"))
        self.assertEqual(error.params["error"], "wrong_types")
        run = engine.load(xml, saved)
        passed = run.advance({"record": {"amount": 6}})
        self.assertEqual([n.key for n in passed], ["g", "other"])
        self.assertTrue(run.finished)

    def test_circles_are_stopped(self):
        parts = (
            START,
            node("exclusiveGateway", "a"),
            node("{}", "t"),
            node("exclusiveGateway", "b", default_="no"),
            END,
            line("start", "a", "t", "b"),
            flow("b", "a", "today"),
            flow("b", "end", key="no"),
        )
        run = engine.start("".join(process(*parts)).replace("{}", "task"))
        with self.assertRaises(EngineError) as caught:
            run.advance({"today": True})
        self.assertIn(caught.exception.code, ("too_deep", "too_many_steps"))
        xml, run, _passed = self._start(
            *(part.replace("{}", "userTask") for part in parts),
            context={"today": True},
        )
        rounds = 0
        with self.assertRaises(EngineError) as caught:
            while rounds < 1_000:
                self._do(run, "t", {"today": True})
                rounds += 1
        self.assertEqual(caught.exception.code, "too_deep")
        self.assertGreater(rounds, 200)

    def test_longest_process(self):
        keys = ["start", *(f"t{n}" for n in range(bpmn.MAX_NODES - 2)), "end"]
        xml, run, _passed = self._start(
            START, *(node("userTask", key) for key in keys[1:-1]), END, line(*keys)
        )
        for key in keys[1:-1]:
            self._do(run, key)
        self.assertTrue(run.finished)

    def test_state_of_another_version(self):
        xml, run, _passed = self._start(
            START, node("userTask", "t"), END, line("start", "t", "end")
        )
        with self.assertRaises(EngineError) as caught:
            engine.load(xml, {**run.save(), "version": 0})
        self.assertEqual(caught.exception.code, "bad_state")

    def test_state_holds_no_diagram(self):
        xml, run, _passed = self._start(
            START, node("userTask", "t", name="报价"), END, line("start", "t", "end")
        )
        self.assertNotIn("报价", json.dumps(run.save(), ensure_ascii=False))
        self.assertLess(len(json.dumps(run.save())), 3_000)

    def test_an_instance_is_quick(self):
        """Start, one service, gateway, end, with each state written: quickly."""
        xml = (DATA / "sales_quotation.en.bpmn").read_text()
        engine.start(xml)
        started = time.monotonic()
        for _number in range(50):
            run = engine.start(xml)
            run.advance({})
            json.dumps(run.save())
        self.assertLess(time.monotonic() - started, 5)


@tagged("post_install", "-at_install")
class TestRandomProcesses(BaseCase):
    """Run, run restored at each step, and the token game reach the same."""

    def _play(self, xml, conditions, rng):
        """Returns the number of rounds; 0 when the process never waits."""
        document = bpmn.parse(xml)
        game = Game(dict(bpmn.runnable_scopes(document)))
        through = engine.start(xml)
        restored = engine.start(xml)
        for number in range(1, 40):
            context = {name: rng.random() < 0.5 for name in conditions}
            try:
                through.advance(context)
                restored.advance(context)
            except EngineError as error:
                # Conditions that do not change in between may turn it in circles.
                self.assertIn(error.code, ("too_deep", "too_many_steps"))
                return 0
            if not game.advance(context):
                return 0
            expected = game.waiting()
            keys = [key for key, _place in expected]
            for run in (through, restored):
                self.assertEqual(sorted(t.node.key for t in run.waiting()), keys)
                self.assertEqual(run.finished, not game.marking)
            if through.finished:
                return number
            restored = again(xml, restored)
            key, place = rng.choice(expected)
            game.complete(key, place, context)
            for run in (through, restored):
                run.complete(next(t.id for t in run.waiting() if t.node.key == key))
            restored = again(xml, restored)
        return number

    def test_nested_blocks(self):
        rounds, circles = [], 0
        for seed in range(150):
            rng = random.Random(seed)
            made = Structured(rng)
            if errors(made.xml):
                continue
            with self.subTest(seed=seed):
                played = self._play(made.xml, made.conditions, rng)
                rounds.append(played)
                circles += not played
        self.assertGreater(len(rounds), 120)
        self.assertGreater(max(rounds), 15)
        self.assertLess(circles, 5)

    def test_tangled_flows(self):
        """Whatever the lint lets pass runs as the standard says, drawn well or not."""
        played, refused = [], set()
        for seed in range(1_000):
            rng = random.Random(seed)
            xml, conditions = tangled(rng)
            found = errors(xml)
            refused.update(found)
            if not found:
                with self.subTest(seed=seed):
                    played.append(self._play(xml, conditions, rng))
        self.assertGreater(len(played), 500)
        self.assertGreater(max(played), 5)
        self.assertLessEqual({"met_twice", "stuck", "always_again"}, refused)
