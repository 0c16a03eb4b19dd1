"""The matcher on made-up people whose truth is known, without Odoo.

In a process of its own, as a job is: DuckDB does not live within a worker's limits.
"""

import importlib.util
import itertools
import json
import os
import random
import shutil
import unittest
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location(
    "tools_loader", ROOT / "addons/crm_data_governance/tools_loader.py"
)
_loader = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_loader)
_loader.install([str(ROOT / "addons")])

from crm_omnichannel_tools import (  # noqa: E402
    match_frames,
    match_learning,
    match_model,
    match_splink,
    matcher,
)
from crm_omnichannel_tools.match_comparisons import KINDS  # noqa: E402
from crm_omnichannel_tools.match_records import prepare  # noqa: E402

_FAMILIES = "Alder Birch Cedar Elm Fir Hazel Juniper Larch Maple Oak Pine Rowan"
FAMILIES = _FAMILIES.split()
_GIVEN = "Ada Bela Cleo Dora Edda Fay Gus Hal Ivo Jon Kai Leo Max Ned Otto Pia"
GIVEN = _GIVEN.split()
TOWNS = (("Bremen", "28195"), ("Kiel", "24103"), ("Ulm", "89073"), ("Trier", "54290"))


def people(count, copies, seed=1):
    """Made-up people and, of some, a second record with an error: the truth is known.

    :return: ``(list of records, set of true pairs)``
    """
    dice = random.Random(seed)
    rows = []
    for _number in range(count):
        city, code = dice.choice(TOWNS)
        given, family = dice.choice(GIVEN), dice.choice(FAMILIES)
        rows.append(
            {
                "name": f"{given} {family}",
                "email": f"{given}.{dice.randrange(10**6)}@{dice.choice(FAMILIES)}.org",
                "phone": f"+49421{dice.randrange(10**6):06}",
                "street": f"{dice.choice(FAMILIES)}weg {dice.randrange(1, 200)}",
                "city": city,
                "zip": code,
                "birthdate": f"{dice.randrange(1940, 2004)}-{dice.randrange(1, 13):02}"
                f"-{dice.randrange(1, 29):02}",
            }
        )
    truth = set()
    for number in range(copies):
        row = dict(rows[number])
        damage = dice.choice(("swap", "typo", "gone", "date"))
        if damage == "swap":
            row["name"] = " ".join(reversed(row["name"].split()))
        elif damage == "typo":
            row["name"] = row["name"][:-1]
        elif damage == "gone":
            row["email"] = row["phone"] = None
        else:
            year, month, day = row["birthdate"].split("-")
            row["birthdate"] = f"{year}-{day}-{month}" if int(day) < 13 else None
        truth.add((number, len(rows)))
        rows.append(row)
    return rows, truth


def missing_for_spark():
    """Why Spark cannot run here, in one sentence; "" when it can."""
    if os.environ.get("VERIFY") != "1":
        return "Spark runs in make verify."
    if not shutil.which("java"):
        return "Java is missing: install a JDK of version 17 or newer to test Spark."
    if importlib.util.find_spec("pyspark") is None:
        return "PySpark is missing: install requirements-spark.txt."
    return ""


class TestMatcher(unittest.TestCase):
    def frame(self, rows, **columns):
        frame = pd.DataFrame(rows)
        return frame.assign(**{"unique_id": range(1, len(frame) + 1), **columns})

    def pairs(self, found):
        return {
            (left - 1, right - 1): probability
            for left, right, probability in zip(
                found.pairs["left"],
                found.pairs["right"],
                found.pairs["probability"],
                strict=True,
            )
        }

    def test_finds_the_true_pairs(self):
        rows, truth = people(1500, 300)
        found = set(self.pairs(matcher.match(self.frame(rows))))
        right = len(found & truth)
        self.assertGreater(right / len(truth), 0.97)
        self.assertGreater(right / len(found), 0.97)

    def sure(self, found, upper=0.95):
        """The pairs that would be merged unasked."""
        return {
            (pair.left - 1, pair.right - 1)
            for pair in found.pairs.itertuples()
            if pair.probability >= upper and not match_model.contradicts(pair.answers)
        }

    def test_people_of_one_place_are_not_merged_unasked(self):
        """Twins, father and son of one name, a couple with one telephone, colleagues
        with the office's: among many duplicates and few of their kind."""
        home = {"phone": "+49421777001", "street": "Ulmenweg 7", "city": "Bremen"}
        desk = {"phone": "+49421888000", "street": "Am Wall 1", "city": "Bremen"}
        home["zip"], desk["zip"] = "28195", "28195"
        office = {**desk, "email": "info@hansa.example", "company": "Hansa GmbH"}
        places = {
            "twins": [
                {"name": "Mia Thorsen", "birthdate": "1991-04-17", **home},
                {"name": "Jule Thorsen", "birthdate": "1991-04-17", **home},
            ],
            "father and son": [
                {"name": "Karl Bosse", "birthdate": "1951-02-03", **home},
                {"name": "Karl Bosse", "birthdate": "1984-11-27", **home},
            ],
            "father and son of one e-mail": [
                {"name": "Emil Rabe", "birthdate": "1949-06-30", "email": "rabe@x.org"},
                {"name": "Emil Rabe", "birthdate": "1979-01-12", "email": "rabe@x.org"},
            ],
            "couple": [
                {"name": "Greta Lohse", "birthdate": "1970-05-05", **home},
                {"name": "Bernd Lohse", "birthdate": "1968-10-21", **home},
            ],
            "couple of unknown age": [
                {"name": "Wiebke Harms", **home},
                {"name": "Torsten Harms", **home},
            ],
            "couple of two names": [
                {"name": "Anke Dierks", **home},
                {"name": "Jens Wulff", **home},
            ],
            "colleagues": [
                {"name": "Silke Brandt", **office},
                {"name": "Uwe Petersen", **office},
            ],
            "colleagues of one given name": [
                {"name": "Silke Kramer", **office},
                {"name": "Silke Ahrens", **office},
            ],
            "colleagues with the form's date of birth": [
                {"name": "Ruth Behn", "birthdate": "1980-01-01", **office},
                {"name": "Axel Voss", "birthdate": "1980-01-01", **office},
            ],
        }
        rows, truth = people(1500, 300)
        for number in range(400, 700):
            rows[number]["birthdate"] = "1980-01-01"
        pairs = {}
        for what, both in places.items():
            pairs[len(rows), len(rows) + 1] = what
            rows += both
        found = matcher.match(self.frame(rows))
        sure = self.sure(found)
        self.assertFalse([pairs[pair] for pair in sure & set(pairs)])
        everybody = {
            pair for pair in sure if max(pair) >= min(first for first, _ in pairs)
        }
        self.assertFalse(everybody, "members of different pairs are several, too")
        self.assertGreater(len(sure & truth) / len(truth), 0.9)
        self.assertGreater(len(sure & truth) / len(sure), 0.99)

    def test_what_settles_a_contradiction(self):
        """Who changed the surname was born on the same day; whom a digit of the date
        of birth tells apart is one; a firm that was renamed keeps its tax ID."""
        rows, _truth = people(600, 150)
        one = {"name": "Ida Falk", "birthdate": "1977-08-23", "phone": "+49421999111"}
        rows += [one, {**one, "name": "Ida Sommer"}]
        two = {"name": "Rolf Timm", "birthdate": "1966-12-01", "phone": "+49421999222"}
        rows += [two, {**two, "birthdate": "1966-12-07"}]
        sure = self.sure(matcher.match(self.frame(rows)))
        self.assertIn((750, 751), sure)
        self.assertIn((752, 753), sure)
        firm = {"name": "Weser Papier GmbH", "vat": "DE811907980", "is_company": True}
        firm["phone"] = "+49421999333"
        renamed = {**firm, "name": "Weser Papier Handel GmbH"}
        frame = pd.DataFrame([firm, renamed, {**renamed, "vat": None}])
        frame = frame.assign(unique_id=[1, 2, 3])
        sure = self.sure(matcher.match(frame), upper=0.5)
        self.assertEqual(sure & {(0, 1), (0, 2)}, {(0, 1)})

    def test_numbers_and_towns_tell_firms_apart(self):
        """Branches, factories and namesakes of other towns are several firms."""
        prepared = [
            prepare({"name": name, "city": city}, True)
            for name, city in (
                ("上海华联超市第三分公司", "上海"),
                ("上海华联超市第五分公司", "上海"),
                ("Harbour Cafés 12 Ltd", "Leeds"),
                ("Harbour Cafés 17 Ltd", "Leeds"),
                ("上海东风贸易有限公司", "上海"),
                ("哈尔滨东风贸易有限公司", "哈尔滨"),
                ("东风贸易有限公司", None),
            )
        ]
        name = KINDS["company"][0]

        def level(one, other):
            return match_model.answer(name, prepared[one], prepared[other]).code

        self.assertEqual(level(0, 1), "other")
        self.assertEqual(level(2, 3), "other")
        self.assertNotIn(level(4, 5), ("same", "same_words", "near"))
        self.assertEqual(level(4, 6), "near")

    def test_what_could_not_be_learned_is_noted(self):
        few = matcher.match(self.frame([{"name": "Ada Birch"}] * 3))
        self.assertEqual(few.notes, [["match_few", {"kind": "person", "fewest": 50}]])
        rows, _truth = people(400, 80)
        self.assertFalse(matcher.match(self.frame(rows)).notes)
        # a telephone of a crowd: they cannot all be one
        crowd = [
            {
                "name": f"{chr(97 + number % 20) * 3}na {chr(98 + number // 20) * 4}or",
                "phone": "+49421555000",
                "birthdate": f"19{10 + number % 80}-0{1 + number % 9}-1{number % 7}",
            }
            for number in range(250)
        ]
        # nothing but telephones: Splink has nothing to learn from
        phones = [{"phone": f"+49421555{number // 4:03}"} for number in range(400)]
        for rows, code in ((crowd, "match_disbelieved"), (phones, "match_refused")):
            notes = matcher.match(self.frame(rows)).notes
            codes = {params["column"]: found for found, params in notes}
            self.assertEqual(codes.get("phone"), code)

    def test_same_seed_same_pairs_in_any_order_of_records(self):
        rows, _truth = people(400, 80)
        frame = self.frame(rows)
        first = self.pairs(matcher.match(frame, seed=3))
        again = self.pairs(matcher.match(frame, seed=3))
        self.assertEqual(first, again)
        self.assertTrue(first)

    def test_one_pair_in_process_is_what_splink_says(self):
        """Splink's SQL and the check of one record give the same to six digits."""
        rows, _truth = people(400, 120)
        firms = [
            {
                "name": f"{name} Handel GmbH",
                "phone": f"+4942177{number:04}",
                "city": "Kiel",
            }
            for number, name in enumerate(FAMILIES * 2)
        ]
        frame = self.frame(rows + firms)
        found = matcher.match(frame, floor=0.02)
        self.assertEqual(set(found.pairs["kind"]), {"person", "company"})
        everything = rows + firms
        for pair in found.pairs.itertuples():
            company = pair.kind == "company"
            verdict = match_model.score(
                found.models[pair.kind],
                prepare(everything[pair.left - 1], company),
                prepare(everything[pair.right - 1], company),
            )
            self.assertAlmostEqual(verdict.probability, pair.probability, 6)
            self.assertAlmostEqual(verdict.place, pair.place, 6)
            for mine, theirs in zip(verdict.answers, pair.answers, strict=True):
                self.assertEqual(mine[:2], theirs[:2])
                self.assertAlmostEqual(mine[2], theirs[2], 6)

    def test_blocks_lose_no_likely_pair(self):
        """All pairs scored one by one: those that the keys leave out are unlikely."""
        rows, _truth = people(150, 60)
        found = matcher.match(self.frame(rows), floor=0.5)
        model = found.models["person"]
        prepared = [prepare(row) for row in rows]
        oracle = {
            pair
            for pair in itertools.combinations(range(len(rows)), 2)
            if match_model.score(model, *(prepared[end] for end in pair)).probability
            >= 0.9
        }
        self.assertTrue(oracle)
        self.assertLessEqual(oracle, set(self.pairs(found)))

    def test_new_against_existing_is_part_of_all(self):
        rows, _truth = people(300, 100)
        frame = self.frame(rows)
        whole = matcher.match(frame)
        fresh = self.frame(rows, fresh=[number >= 350 for number in range(len(rows))])
        part = self.pairs(matcher.match(fresh, models=whole.models))
        expected = {
            pair: probability
            for pair, probability in self.pairs(whole).items()
            if max(pair) >= 350
        }
        self.assertEqual(part, expected)
        self.assertEqual(self.pairs(matcher.match(fresh)), expected)

    def test_few_records_and_absent_columns(self):
        for rows in (
            [{"name": "Ada Birch"}],
            [{"name": "Ada Birch"}, {"name": "Otto Pine"}],
            [{"name": None}, {"name": None}],
            [{"email": "ada@oak.example"}, {"email": "ada@oak.example"}],
        ):
            matcher.match(self.frame(rows))
        # A street on both sides, and nobody with a second line of the address.
        streets = [
            {"name": "Ada Birch", "street": "12 Oak Lane", "city": "Leeds"},
            {"name": "Ada Birch", "street": "Oak Lane 12", "city": "Leeds"},
        ]
        self.assertIn((0, 1), self.pairs(matcher.match(self.frame(streets))))
        two = [
            {"name": "王伟", "phone": "139 1612 3456"},
            {"name": "王偉", "phone": "+86 13916123456"},
        ]
        self.assertIn((0, 1), self.pairs(matcher.match(self.frame(two))))

    def test_companies_and_parents_are_kept_apart(self):
        rows = [{"name": "Ada Birch", "email": "ada@oak.example"}] * 2
        for columns in (
            {"company_id": [1, 2]},
            {"parent_id": [2, 0]},
            {"is_company": [True, False]},
        ):
            frame = self.frame(rows).assign(**columns)
            self.assertFalse(self.pairs(matcher.match(frame)), columns)
        frame = self.frame(rows, company_id=[1, 0])
        self.assertTrue(self.pairs(matcher.match(frame)))

    def test_settings_are_neutral(self):
        """The same model gives settings for Spark, with Spark's own functions."""
        model = match_model.Model.start("person", 10)
        codes = [comparison.code for comparison in KINDS["person"]]
        text = json.dumps(
            match_splink.settings(
                model, codes, ["key_0"], "spark"
            ).create_settings_dict("spark")
        )
        self.assertIn("jaro_winkler(", text)
        self.assertNotIn("jaro_winkler_similarity", text)

    @unittest.skipIf(missing_for_spark(), missing_for_spark())
    def test_spark_finds_what_duckdb_finds(self):
        """The same settings and frequencies on Splink's Spark backend: the same pairs
        of the same weight, to six digits."""
        from pyspark.sql import SparkSession
        from splink import Linker, SparkAPI
        from splink.backends.spark import similarity_jar_location

        rows, truth = people(300, 80)
        frame = match_frames.prepared(self.frame(rows))["person"]
        model, _notes = match_learning.learn(frame, "person")
        on_duckdb = {
            (row.unique_id_l, row.unique_id_r): row.match_weight
            for row in matcher.compare(frame, model).itertuples()
        }
        used = match_splink.used_comparisons(frame, "person")
        keys = match_frames.block_keys(frame, "person")
        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.jars", similarity_jar_location())
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.ui.enabled", "false")
            .getOrCreate()
        )
        self.addCleanup(session.stop)
        api = SparkAPI(spark_session=session, break_lineage_method="persist")
        table = pd.concat([frame, keys], axis=1)
        linker = Linker(
            api.register(match_splink.arrow_table(table)),
            match_splink.settings(model, used, list(keys), "spark"),
        )
        for name, (_counts, shares) in match_splink.frequencies(
            frame, model, used
        ).items():
            linker.table_management.register_term_frequency_lookup(
                api.register(match_splink.arrow_table(shares)), name
            )
        found = linker.inference.predict(threshold_match_probability=matcher.FAINT)
        on_spark = {
            (row.unique_id_l, row.unique_id_r): row.match_weight
            for row in found.as_pandas_dataframe().itertuples()
        }
        self.assertGreater(len(on_duckdb), len(truth) / 2)
        self.assertEqual(on_spark.keys(), on_duckdb.keys())
        for pair, weight in on_duckdb.items():
            self.assertAlmostEqual(on_spark[pair], weight, 6)

    def test_a_crowd_brings_nobody_together(self):
        rows = [{"name": f"N{number} Fir", "city": "Ulm"} for number in range(2000)]
        frame = match_frames.prepared(self.frame(rows))["person"]
        keys = match_frames.block_keys(frame, "person")
        for name in keys:
            sizes = keys[name].value_counts()
            self.assertLessEqual(sizes.max(), match_frames.CROWD)

    def test_order_of_the_two_does_not_matter(self):
        rows, _truth = people(40, 20)
        model = match_model.Model.start("person", 60)
        prepared = [prepare(row) for row in rows]
        for one, other in itertools.combinations(prepared, 2):
            self.assertEqual(
                match_model.score(model, one, other),
                match_model.score(model, other, one),
            )
