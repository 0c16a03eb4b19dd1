import json
import random

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
