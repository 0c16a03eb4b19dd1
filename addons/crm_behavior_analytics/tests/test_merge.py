from datetime import datetime

from odoo.tests import TransactionCase, tagged

TABLES = ("website_visitor", "website_track", "behavior_score", "omni_identity")


@tagged("post_install", "-at_install")
class TestMerge(TransactionCase):
    """What a merge of customers does to visitors, scores and events; and its undo."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target, cls.source = cls.env["res.partner"].create(
            [{"name": "Target"}, {"name": "Source"}]
        )

    def dump(self):
        self.env.flush_all()
        found = {}
        for table in TABLES:
            self.env.cr.execute(
                "SELECT (to_jsonb(place) - 'write_date' - 'write_uid')::text"
                f" FROM {table} AS place ORDER BY 1"  # noqa: S608
            )
            found[table] = self.env.cr.fetchall()
        return found

    def visitor(self, partner):
        visitor = self.env["website.visitor"].create({"access_token": str(partner.id)})
        self.assertEqual(visitor.partner_id, partner)
        self.env["website.track"].create(
            {"visitor_id": visitor.id, "url": f"/{partner.id}"}
        )
        return visitor

    def merge(self):
        return self.env["omni.merge"]._merge(self.target, self.source, "manual")

    def test_a_visitor_of_the_other_is_the_survivor_s(self):
        visitor = self.visitor(self.source)
        before = self.dump()
        merge = self.merge()
        self.assertEqual(visitor.partner_id, self.target)
        self.assertEqual(visitor.access_token, str(self.target.id))
        merge.action_undo()
        self.assertEqual(before, self.dump())

    def test_two_visitors_are_one(self):
        self.visitor(self.source)
        visitor = self.visitor(self.target)
        before = self.dump()
        merge = self.merge()
        self.assertEqual(self.target.visitor_ids, visitor)
        self.assertEqual(
            set(visitor.website_track_ids.mapped("url")),
            {f"/{self.source.id}", f"/{self.target.id}"},
        )
        merge.action_undo()
        self.assertEqual(before, self.dump())

    def test_one_score_of_a_prediction(self):
        predictions = self.env["behavior.prediction"].create(
            [
                {
                    "name": name,
                    "code": name,
                    "label_method": next(
                        iter(self.env["behavior.prediction"]._label_methods())
                    ),
                }
                for name in ("both", "theirs")
            ]
        )
        self.env["behavior.score"].create(
            [
                {
                    "prediction_id": prediction.id,
                    "res_model": "res.partner",
                    "res_id": partner.id,
                    "partner_id": partner.id,
                    "score": score,
                    "band": "low",
                    "as_of": "2026-05-04",
                }
                for prediction, partner, score in (
                    (predictions[0], self.target, 0.1),
                    (predictions[0], self.source, 0.2),
                    (predictions[1], self.source, 0.3),
                )
            ]
        )
        before = self.dump()
        merge = self.merge()
        scores = self.env["behavior.score"].search(
            [("prediction_id", "in", predictions.ids)], order="score"
        )
        self.assertEqual(scores.mapped("res_id"), [self.target.id] * 2)
        self.assertEqual([round(one.score, 1) for one in scores], [0.1, 0.3])
        merge.action_undo()
        self.assertEqual(before, self.dump())

    def test_a_sealed_invoice_counts_for_the_survivor(self):
        move = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.source.id,
                "invoice_date": "2026-05-04",
                "invoice_line_ids": [
                    (0, 0, {"name": "Goods", "price_unit": 5, "tax_ids": False})
                ],
            }
        )
        move.action_post()
        provider = self.env["behavior.feature.provider"]
        since = datetime(2026, 1, 1)
        until = datetime(2026, 6, 1)

        def units(query, moment):
            self.env.flush_all()
            rows = self.env.execute_query(query(self.env.company, moment))
            return {row[0] for row in rows} & {self.source.id, self.target.id}

        self.assertEqual(units(provider._query_invoices, until), {self.source.id})
        # as a merge leaves what the hash of its journal seals
        self.source.write({"active": False, "merged_into_id": self.target.id})
        self.assertEqual(units(provider._query_invoices, until), {self.target.id})
        self.assertEqual(units(provider._changed_invoices, since), {self.target.id})

    def test_no_event_is_touched(self):
        """The person is joined at read time, through the identity that moves."""
        source = self.env["behavior.source"].create({"name": "S", "code": "merge"})
        scope = source._identity_scopes()[0]
        self.env["omni.identity"]._claim(self.source, "user_id", "u-1", scope)
        self.env["behavior.event"]._track(
            source,
            [
                {
                    "type": "track",
                    "event": "Seen",
                    "userId": "u-1",
                    "messageId": "merge-1",
                }
            ],
        )

        def events():
            self.env.cr.execute(
                "SELECT stored::text FROM behavior_event_store AS stored"
            )
            return sorted(self.env.cr.fetchall())

        before = events()
        merge = self.merge()
        self.assertEqual(events(), before)
        found = self.env["behavior.event"].search([("message_id", "=", "merge-1")])
        self.assertEqual(found.partner_id, self.target)
        merge.action_undo()
        self.assertEqual(events(), before)
        found.invalidate_recordset()
        self.assertEqual(found.partner_id, self.source)
