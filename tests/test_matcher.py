"""The matcher on made-up people whose truth is known, without Odoo.

In a process of its own, as a job is: DuckDB does not live within a worker's limits.
"""

import importlib.util
import itertools
import json
import random
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
