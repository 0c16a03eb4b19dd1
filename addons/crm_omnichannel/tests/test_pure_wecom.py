from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.platform import (
    ALERT,
    PARALLEL,
    PARK,
    RATE,
    REFUSED,
    STOP,
    TOKEN,
    App,
    Failure,
    Request,
)
from odoo.addons.crm_omnichannel.tools.wecom import WeComAdapter as wecom

NO_RELATION = Failure(PARK, "no_relation", {"number": 84061})
NOT_IN_RANGE = Failure(PARK, "not_in_range", {"number": 60011})


@tagged("post_install", "-at_install")
class TestWeCom(BaseCase):
    def test_token(self):
        request = wecom.token_request(App("ww1", "s&=?"))
        self.assertEqual(request.query, {"corpid": "ww1", "corpsecret": "s&=?"})
        answer = {"errcode": 0, "access_token": "T", "expires_in": 7200}
        self.assertEqual(wecom.read_token(answer), ("T", 7200))
        request = wecom.authorise(Request("GET", "/x", {"a": "1"}), "T")
        self.assertEqual(request.query, {"a": "1", "access_token": "T"})

    def test_failures_by_number(self):
        for number, kind in (
            (40014, TOKEN),
            (42001, TOKEN),
            (40001, TOKEN),
            (45009, RATE),
            (45033, PARALLEL),
            (60020, ALERT),
            (84061, PARK),
            (40096, PARK),
            (40013, STOP),
            (600041, REFUSED),
            (999999, REFUSED),
        ):
            answer = {"errcode": number, "errmsg": "ok"}
            self.assertEqual(wecom.failure(answer).kind, kind, number)
        self.assertIsNone(wecom.failure({"errcode": 0, "errmsg": "40001"}))
        # where the secret itself is refused there is nothing to renew
        refused = {"errcode": 40001, "errmsg": "invalid credential"}
        self.assertEqual(wecom.failure(refused, for_token=True).kind, STOP)
        found = wecom.failure(
            {"errcode": 60020, "errmsg": "not allow, from ip: 203.0.113.9, more"}
        )
        self.assertEqual(found.params["address"], "203.0.113.9")

    def chain(self, state, *answers, facts=None):
        """Return the documents of a chain of answers, and where it stands."""
        documents = []
        facts = facts or {}
        for answer in answers:
            page = wecom.read_answer(state, answer, facts)
            documents += page.documents
            facts = facts if page.facts is None else page.facts
            state = page.state
        return documents, state

    def test_full_chain(self):
        state = wecom.start("full", {"groups": False})
        tags = {"tag_group": [{"group_name": "G", "tag": [{"id": "e1", "name": "A"}]}]}
        documents, state = self.chain(
            state,
            tags,
            {"follow_user": ["m2", "m1", "m3"]},
            {"external_userid": ["w1"]},
            {"external_userid": ["w1", "w2"]},
            {},
        )
        request = wecom.request(state)
        # who has no customers is not asked for them
        self.assertEqual(request.body["userid_list"], ["m1", "m2"])
        self.assertEqual((request.body["cursor"], request.body["limit"]), ("", 100))
        item = {
            "external_contact": {"external_userid": "w1"},
            "follow_info": {"userid": "m1", "tag_id": ["e1", "gone"]},
        }
        page = wecom.read_answer(
            state,
            {"external_contact_list": [item], "next_cursor": "C"},
            {"tags": {"e1": ["G", "A"]}},
        )
        [document] = page.documents
        self.assertEqual(document[:3], ("contact", "w1", "m1"))
        self.assertEqual(
            document.content["tags"], [{"id": "e1", "group": "G", "name": "A"}]
        )
        self.assertEqual(wecom.request(page.state).body["cursor"], "C")
        last = wecom.read_answer(page.state, {"external_contact_list": []}, {})
        self.assertIsNone(last.state)
        self.assertFalse(documents)

    def test_both_calls_tell_the_same(self):
        contact = {"external_userid": "w1", "name": "王伟"}
        tag = {"group_name": "G", "tag_name": "A", "tag_id": "e1", "type": 1}
        own = {"group_name": "own", "tag_name": "note", "type": 2}
        state = wecom.subject_state("contact:w1")
        one = wecom.read_answer(
            state,
            {
                "external_contact": contact,
                "follow_user": [{"userid": "m1", "remark": "r", "tags": [tag, own]}],
            },
            {},
        )
        batch = {"step": "contacts", "batches": [["m1"]], "cursor": ""}
        many = wecom.read_answer(
            {**batch, "full": True, "groups": False},
            {
                "external_contact_list": [
                    {
                        "external_contact": contact,
                        "follow_info": {
                            "userid": "m1",
                            "remark": "r",
                            "tag_id": ["e1"],
                        },
                    }
                ]
            },
            {"tags": {"e1": ["G", "A"]}},
        )
        self.assertEqual(one.documents, many.documents)
        [whole] = one.wholes
        self.assertEqual(whole, ("contact", "external_id", "w1", {"m1"}))

    def test_followers_over_several_pages(self):
        state = wecom.subject_state("contact:w1")
        answer = {"external_contact": {"external_userid": "w1"}}
        page = wecom.read_answer(
            state,
            {**answer, "follow_user": [{"userid": "m1"}], "next_cursor": "C"},
            {},
        )
        self.assertFalse(page.wholes, "not all of them are known yet")
        self.assertEqual(wecom.request(page.state).query["cursor"], "C")
        page = wecom.read_answer(
            page.state, {**answer, "follow_user": [{"userid": "m2"}]}, {}
        )
        self.assertEqual(page.wholes[0].members, {"m1", "m2"})

    def test_incremental_asks_where_somebody_is_new(self):
        state = wecom.start("incremental", {"groups": False})
        _documents, state = self.chain(state, {}, {"follow_user": ["m1", "m2"]})
        page = wecom.read_answer(state, {"external_userid": ["w1"]}, {})
        page = wecom.read_answer(page.fresh_state, {"external_userid": ["w2"]}, {})
        self.assertEqual(page.state["batches"], [["m1"]])
        self.assertEqual(page.fresh_state["batches"], [["m1", "m2"]])

    def test_batches_of_a_hundred(self):
        members = [f"m{number:03}" for number in range(250)]
        state = wecom.start("full", {"groups": False})
        answers = [{"external_userid": ["w1"]}] * 250
        _documents, state = self.chain(state, {}, {"follow_user": members}, *answers)
        self.assertEqual([len(part) for part in state["batches"]], [100, 100, 50])

    def test_no_relation_is_an_answer(self):
        """A member without customers, a customer whom nobody has any more."""
        state = wecom.start("full", {"groups": False})
        _documents, state = self.chain(state, {}, {"follow_user": ["m1", "m2"]})
        page = wecom.skip(state, NO_RELATION)
        self.assertEqual(page.wholes[0].members, frozenset())
        page = wecom.skip(state, NOT_IN_RANGE)
        self.assertFalse(page.wholes, "nobody says that it is empty")
        self.assertEqual(page.state["at"], 1)
        page = wecom.skip(wecom.subject_state("contact:w1"), NO_RELATION)
        self.assertEqual(page.wholes, [("contact", "external_id", "w1", frozenset())])
        self.assertIsNone(wecom.skip(wecom.subject_state("contact:w1"), NOT_IN_RANGE))

    def test_halving_finds_who_is_to_blame(self):
        state = {
            "step": "contacts",
            "full": True,
            "groups": False,
            "batches": [["m1", "m2", "m3", "m4", "m5"]],
            "cursor": "",
        }
        fetched = []
        for _call in range(20):
            members = state["batches"][0]
            if "m4" in members:
                page = wecom.skip(state, NOT_IN_RANGE)
            else:
                fetched += members
                page = wecom.read_answer(state, {}, {})
            state = page.state
            if not state:
                break
        self.assertIsNone(state)
        self.assertEqual(fetched, ["m1", "m2", "m3", "m5"])

    def test_groups(self):
        state = wecom.start("full", {"groups": True})
        chats = {"group_chat_list": [{"chat_id": "c1"}, {"chat_id": "c2"}]}
        _documents, state = self.chain(
            state, {}, {"follow_user": []}, {**chats, "next_cursor": "C"}
        )
        self.assertEqual(wecom.request(state).body["chat_id"], "c1")
        members = [
            {"userid": "m1", "type": 1},
            {"userid": "w1", "type": 2, "name": "王", "unionid": "u1"},
        ]
        group = {"group_chat": {"chat_id": "c1", "name": "G", "member_list": members}}
        page = wecom.read_answer(state, group, {})
        [document] = page.documents
        self.assertEqual(document[:3], ("group", "w1", "c1"))
        self.assertEqual(page.wholes, [("group", "part", "c1", {"w1"})])
        dismissed = Failure(PARK, "group_dismissed", {"number": 49008})
        found = wecom.skip(page.state, dismissed)
        self.assertEqual(found.wholes, [("group", "part", "c2", frozenset())])
        found = wecom.skip(page.state, NOT_IN_RANGE)
        self.assertFalse(found.wholes)
        state = found.state
        self.assertEqual(state, {"step": "groups", "cursor": "C"})
        self.assertIsNone(wecom.read_answer(state, {"group_chat_list": []}, {}).state)

    def test_subjects(self):
        self.assertIsNone(wecom.subject_state("other:text"))
        self.assertIsNone(wecom.subject_state("tags"))
        self.assertTrue(wecom.asks_for_all("tags"))
        self.assertFalse(wecom.asks_for_all("contact:tags"))
        request = wecom.request(wecom.subject_state("group:c:1"))
        self.assertEqual(request.body["chat_id"], "c:1")
