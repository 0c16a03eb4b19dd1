import itertools
import json
import random
import unittest

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.match_messages import MESSAGES, weight_code
from odoo.addons.crm_omnichannel.tools import match_model, matching
from odoo.addons.crm_omnichannel.tools.match_comparisons import BLOCKS, KINDS, LEVELS
from odoo.addons.crm_omnichannel.tools.match_records import (
    PREPARED,
    is_company_name,
    pinyin,
    prepare,
    stem,
)

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


@tagged("post_install", "-at_install")
class TestPureMatchRecords(BaseCase):
    def test_names(self):
        for one, other in (
            ("王伟", "Wang Wei"),
            ("王伟", "Wei Wang"),
            ("歐陽娜娜", "欧阳娜娜"),
            ("欧阳娜娜", "Nana Ouyang"),
            ("José Núñez", "jose nunez"),
            ("Smith, John", "John Smith"),
            ("ＪＯＨＮ　ＳＭＩＴＨ", "John Smith"),
        ):
            words = [prepare({"name": name})["words"] for name in (one, other)]
            self.assertEqual(*words, (one, other))
        self.assertEqual(pinyin("单田芳"), pinyin("单田芳"))

    def test_company_names(self):
        for one, other in (
            ("上海明华贸易有限公司", "上海明华贸易公司"),
            ("上海明華貿易股份有限公司", "上海明华贸易有限责任公司"),
            ("Harbour Goods Ltd.", "HARBOUR GOODS LIMITED"),
            ("Nordlicht Kaffee GmbH & Co. KG", "Nordlicht Kaffee"),
        ):
            self.assertEqual(stem(one), stem(other))
        self.assertNotEqual(stem("上海明华贸易有限公司"), stem("上海青橙贸易有限公司"))
        self.assertTrue(is_company_name("南京金陵酒店集团"))
        self.assertTrue(is_company_name("Harbour Goods Ltd"))
        self.assertFalse(is_company_name("王伟"))

    def test_any_record_can_be_prepared(self):
        dice = random.Random(7)
        signs = "aB1 中華伟，,-.@#'\"/\\😀ñ０\u200b"
        for _round in range(500):
            row = {
                name: "".join(dice.choices(signs, k=dice.randrange(9)))
                for name in ("name", "email", "phone", "street", "zip", "birthdate")
            }
            for company in (False, True):
                found = prepare(row, company)
                self.assertEqual(set(found), set(PREPARED))
                self.assertNotIn("", found.values())
        self.assertEqual(set(prepare({}).values()), {None})

    def test_placeholder_dates_and_free_hosts_say_nothing(self):
        self.assertIsNone(prepare({"birthdate": "1900-01-01"})["birthdate"])
        self.assertIsNone(prepare({"email": "wangwei@163.com"}, True)["domain"])
        self.assertEqual(
            prepare({"website": "https://www.shop.example/a?b"}, True)["domain"],
            "shop.example",
        )


@tagged("post_install", "-at_install")
class TestPureMatchModel(BaseCase):
    def test_shares_add_up(self):
        for kind, shares in ((kind, match_model.start_shares(kind)) for kind in KINDS):
            for comparison in KINDS[kind]:
                for which in (0, 1):
                    total = sum(
                        level[which] for level in shares[comparison.code].values()
                    )
                    self.assertAlmostEqual(total, 1, 2, (comparison.code, which))
                places = [
                    level.m if level.h is None else level.h
                    for level in comparison.levels
                ]
                self.assertLessEqual(sum(places), 1.5, comparison.code)

    def test_blocks_and_texts_are_complete(self):
        for kind, blocks in BLOCKS.items():
            for columns in blocks:
                self.assertLessEqual(set(columns), set(PREPARED), kind)
        for comparison, level in LEVELS:
            self.assertIn(f"{comparison}.{level}", MESSAGES)
        codes = [weight_code(bits) for bits in (-9, -2, 0, 2, 7, 20)]
        self.assertEqual(codes, [f"weight.{number}" for number in range(6)])
        self.assertLessEqual(set(codes), set(MESSAGES))

    def test_order_of_the_two_does_not_matter(self):
        rows, _truth = people(40, 20)
        model = match_model.Model.start("person", 60)
        prepared = [prepare(row) for row in rows]
        for one, other in itertools.combinations(prepared, 2):
            self.assertEqual(
                match_model.score(model, one, other),
                match_model.score(model, other, one),
            )

    def test_more_agreement_is_more_likely(self):
        model = match_model.Model.start("person", 1000)
        row = {"name": "Ada Birch", "phone": "+49421123456"}
        fuller = {**row, "email": "ada.birch@oak.example"}

        def probability(one, other):
            return match_model.score(model, prepare(one), prepare(other)).probability

        self.assertGreater(probability(fuller, fuller), probability(row, row))
        self.assertGreater(
            probability(row, row), probability(row, {**row, "name": "Otto Pine"})
        )

    def test_a_model_survives_json(self):
        model = match_model.Model.start("company", 10)
        model.counts = {"name": {match_model.digest("oak"): 4}}
        again = match_model.Model.from_json(json.loads(json.dumps(model.as_json())))
        self.assertEqual(again, model)


@tagged("post_install", "-at_install")
class TestPureMatcher(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # heavy libraries, which no worker imports
        import pandas as pd

        from odoo.addons.crm_omnichannel.tools import (
            match_frames,
            match_splink,
            matcher,
        )

        cls.pd, cls.matcher = pd, matcher
        cls.frames, cls.splink = match_frames, match_splink

    def frame(self, rows, **columns):
        frame = self.pd.DataFrame(rows)
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
        found = set(self.pairs(self.matcher.match(self.frame(rows))))
        right = len(found & truth)
        self.assertGreater(right / len(truth), 0.97)
        self.assertGreater(right / len(found), 0.97)

    def test_same_seed_same_pairs_in_any_order_of_records(self):
        rows, _truth = people(400, 80)
        frame = self.frame(rows)
        first = self.pairs(self.matcher.match(frame, seed=3))
        again = self.pairs(self.matcher.match(frame, seed=3))
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
        found = self.matcher.match(frame, floor=0.02)
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
        found = self.matcher.match(self.frame(rows), floor=0.5)
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
        whole = self.matcher.match(frame)
        fresh = self.frame(rows, fresh=[number >= 350 for number in range(len(rows))])
        part = self.pairs(self.matcher.match(fresh, models=whole.models))
        expected = {
            pair: probability
            for pair, probability in self.pairs(whole).items()
            if max(pair) >= 350
        }
        self.assertEqual(part, expected)
        self.assertEqual(self.pairs(self.matcher.match(fresh)), expected)

    def test_few_records_and_absent_columns(self):
        for rows in (
            [{"name": "Ada Birch"}],
            [{"name": "Ada Birch"}, {"name": "Otto Pine"}],
            [{"name": None}, {"name": None}],
            [{"email": "ada@oak.example"}, {"email": "ada@oak.example"}],
        ):
            self.matcher.match(self.frame(rows))
        two = [
            {"name": "王伟", "phone": "139 1612 3456"},
            {"name": "王偉", "phone": "+86 13916123456"},
        ]
        self.assertIn((0, 1), self.pairs(self.matcher.match(self.frame(two))))

    def test_companies_and_parents_are_kept_apart(self):
        rows = [{"name": "Ada Birch", "email": "ada@oak.example"}] * 2
        for columns in (
            {"company_id": [1, 2]},
            {"parent_id": [2, 0]},
            {"is_company": [True, False]},
        ):
            frame = self.frame(rows).assign(**columns)
            self.assertFalse(self.pairs(self.matcher.match(frame)), columns)
        frame = self.frame(rows, company_id=[1, 0])
        self.assertTrue(self.pairs(self.matcher.match(frame)))

    def test_settings_are_neutral(self):
        """The same model gives settings for Spark, with Spark's own functions."""
        model = match_model.Model.start("person", 10)
        codes = [comparison.code for comparison in KINDS["person"]]
        text = json.dumps(
            self.splink.settings(model, codes, ["key_0"], "spark").create_settings_dict(
                "spark"
            )
        )
        self.assertIn("jaro_winkler(", text)
        self.assertNotIn("jaro_winkler_similarity", text)

    def test_a_crowd_brings_nobody_together(self):
        rows = [{"name": f"N{number} Fir", "city": "Ulm"} for number in range(2000)]
        frame = self.frames.prepared(self.frame(rows))["person"]
        keys = self.frames.block_keys(frame, "person")
        for name in keys:
            sizes = keys[name].value_counts()
            self.assertLessEqual(sizes.max(), self.frames.CROWD)


@tagged("post_install", "-at_install")
class TestPurePreview(BaseCase):
    def test_outcome_is_counted_by_hand(self):
        pairs = [
            (1, 2, 0.99, True),
            (2, 3, 0.98, True),
            # the three are one already
            (1, 3, 0.97, True),
            (4, 5, 0.96, False),
            (6, 7, 0.7, True),
            (8, 9, 0.55, False),
        ]
        steps = json.loads(json.dumps(matching.preview(pairs)))
        self.assertEqual(matching.outcome(steps, 0.95, 0.5, True), (2, 3))
        self.assertEqual(matching.outcome(steps, 0.6, 0.6, True), (3, 1))
        self.assertEqual(matching.outcome(steps, 0.985, 0.5, True), (1, 5))
        self.assertEqual(matching.outcome(steps, 0.95, 0.5, False), (0, 6))
        self.assertEqual(matching.outcome({}, 0.95, 0.5, True), (0, 0))


if __name__ == "__main__":
    unittest.main()
