import json

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from odoo.addons.crm_omnichannel.tools.platform import STOP, Failure, Page, Whole
from odoo.addons.crm_omnichannel.tools.wecom import WeComAdapter

SECRET = "never-shown-again-7c1f"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


@tagged("post_install", "-at_install")
class TestPlatformChannel(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = new_test_user(
            cls.env, "omni_boss", "crm_omnichannel.group_omnichannel_manager"
        )
        cls.user = new_test_user(
            cls.env, "omni_user", "crm_omnichannel.group_omnichannel_user"
        )
        cls.channel = (
            cls.env["omni.channel"]
            .with_user(cls.manager)
            .create(
                {
                    "name": "WeCom",
                    "code": "test-wecom",
                    "type": "wecom",
                    "platform_app_id": "ww1",
                    "platform_secret": SECRET,
                    "callback_token": "token-of-the-callback",
                    "callback_aes_key": AES_KEY,
                }
            )
        )

    def fetched(self, name="王伟", external="wm1", **follow):
        state = WeComAdapter.subject_state(f"contact:{external}")
        answer = {
            "external_contact": {
                "external_userid": external,
                "name": name,
                "gender": 1,
                "unionid": f"union-{external}",
                "corp_name": "星河",
            },
            "follow_user": [
                {
                    "userid": "m1",
                    "remark": "王总",
                    "remark_mobiles": ["13912345678"],
                    "tags": [
                        {"tag_id": "t1", "tag_name": "重要", "group_name": "级别"}
                    ],
                    **follow,
                }
            ],
        }
        return WeComAdapter.read_answer(state, answer, {})

    def records(self):
        return self.env["omni.record"].search(
            [("channel_id", "=", self.channel.id)], order="id"
        )

    # --- SECRETS ---

    def test_platform_brings_its_settings(self):
        self.assertTrue(self.channel.syncs)
        self.assertEqual(self.channel.platform_url, "https://qyapi.weixin.qq.com")
        mapping = self.env.ref("crm_omnichannel.omni_mapping_wecom")
        self.assertEqual(self.channel.mapping_id, mapping)
        self.assertEqual(self.channel.user_id, self.manager)
        with Form(self.env["omni.channel"]) as form:
            form.name, form.code = "Another", "another"
            form.type = "wecom"
            form.platform_app_id = "ww2"
            self.assertEqual(form.mapping_id, mapping)

    def test_secrets_are_never_shown_again(self):
        self.env.invalidate_all()
        self.assertTrue(self.channel.has_platform_secret)
        self.assertTrue(self.channel.has_callback_keys)
        names = [
            name
            for name, field in self.channel._fields.items()
            if self.channel._has_field_access(field, "read")
        ]
        shown = json.dumps(self.channel.read(names), default=str)
        for text in (SECRET, "token-of-the-callback", AES_KEY):
            self.assertNotIn(text, shown)
        self.env.cr.execute(
            "SELECT row_to_json(c)::text FROM omni_channel c WHERE id = %s",
            [self.channel.id],
        )
        self.assertNotIn(SECRET, self.env.cr.fetchone()[0])
        app, failure = self.channel._platform_app()
        self.assertEqual((app.secret, failure), (SECRET, None))
        with self.assertRaises(AccessError):
            self.channel.with_user(self.manager).read(["platform_secret_id"])
        with self.assertRaises(AccessError):
            self.channel.with_user(self.manager).platform_secret_id = False

    def test_empty_keeps_and_new_replaces(self):
        self.channel.write({"name": "Renamed", "platform_secret": False})
        self.assertEqual(self.channel._platform_app()[0].secret, SECRET)
        sealed = self.channel.sudo().platform_secret_id
        self.channel.platform_secret = "  next one "
        self.assertEqual(self.channel._platform_app()[0].secret, "next one")
        self.assertEqual(self.channel.sudo().platform_secret_id, sealed)

    def test_a_secret_does_not_follow_to_another_address(self):
        self.channel.platform_url = "https://elsewhere.example.com"
        app, failure = self.channel._platform_app()
        self.assertIsNone(app)
        self.assertEqual((failure.kind, failure.code), (STOP, "no_secret"))
        self.channel.write(
            {"platform_url": "https://proxy.example.com", "platform_secret": SECRET}
        )
        self.assertEqual(self.channel._platform_app()[0].secret, SECRET)

    def test_addresses_and_keys_are_checked(self):
        for url in (
            "qyapi.weixin.qq.com",
            "ftp://x.example.com",
            "https://",
            "https://user:pw@x.example.com",
            "https://x.example.com/?a=1",
        ):
            with self.assertRaises(ValidationError), self.cr.savepoint():
                self.channel.platform_url = url
        with self.assertRaises(ValidationError):
            self.channel.callback_aes_key = "too short"

    def test_copy_takes_no_secret(self):
        twin = self.channel.copy({"code": "twin"})
        self.assertFalse(twin.has_platform_secret or twin.platform_app_id)

    def test_deleted_with_its_secrets(self):
        names = ("platform_secret_id", "callback_token_id", "callback_aes_key_id")
        secrets = self.env["governance.secret"].union(
            *(self.channel.sudo()[name] for name in names)
        )
        self.assertEqual(len(secrets), 3)
        self.channel.unlink()
        self.assertFalse(secrets.exists())

    # --- RIGHTS ---

    def test_user_looks_and_does_not_touch(self):
        channel = self.channel.with_user(self.user)
        self.assertEqual(channel.sync_status, "Not connected yet")
        for action in ("action_connect", "action_sync", "action_full_sync"):
            with self.assertRaises(AccessError):
                getattr(channel, action)()
        with self.assertRaises(AccessError):
            self.env["omni.token"].with_user(self.user).create(
                {"channel_id": self.channel.id}
            )
        with self.assertRaises(UserError):
            self.channel.action_sync()

    # --- LANDING ---

    def test_fetched_customer(self):
        self.channel._land_fetched(self.fetched())
        self.env["omni.record"]._process_batch(self.records().ids)
        self.assertEqual(self.records().mapped("state"), ["done"])
        partner = self.records().partner_id
        self.assertEqual(partner.name, "王伟")
        self.assertEqual(partner.phone.replace(" ", ""), "+8613912345678")
        self.assertEqual(partner.company_name, "星河")
        self.assertEqual(partner.omni_gender, "male")
        self.assertEqual(partner.category_id.mapped("name"), ["重要"])
        kinds = set(partner.omni_identity_ids.mapped("kind"))
        self.assertEqual(kinds, {"external_id", "external_userid", "unionid", "phone"})

    def test_placeholder_name_gives_way_to_the_remark(self):
        self.channel._land_fetched(self.fetched(name="微信用户"))
        self.env["omni.record"]._process_batch(self.records().ids)
        self.assertEqual(self.records().partner_id.name, "王总")

    def test_versions(self):
        for remark, count in (("a", 1), ("a", 1), ("b", 2), ("a", 3), ("a", 3)):
            self.channel._land_fetched(self.fetched(remark=remark))
            self.assertEqual(len(self.records()), count)

    def test_end_of_a_relation(self):
        self.channel._land_fetched(self.fetched())
        over = Page([], None, [Whole("contact", "external_id", "wm1", frozenset())])
        for _again in range(2):
            self.channel._land_fetched(over)
            self.assertEqual(len(self.records()), 2)
        # whoever was never there has nothing that could end
        nobody = Page([], None, [Whole("contact", "external_id", "wm2", frozenset())])
        self.channel._land_fetched(nobody)
        self.assertEqual(len(self.records()), 2)
        self.env["omni.record"]._process_batch(self.records().ids)
        self.assertEqual(set(self.records().mapped("state")), {"done"})
        self.assertEqual(self.records().partner_id.name, "王伟")
        # and back again
        self.channel._land_fetched(self.fetched())
        self.assertEqual(len(self.records()), 3)

    # --- TROUBLE ---

    def test_stop_raises_one_activity_in_the_language_of_the_responsible(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        self.manager.lang = "zh_CN"
        self.channel.connected_at = "2026-01-01"
        failure = Failure(STOP, "bad_secret", {"number": 40001})
        with self.enter_registry_test_mode():
            self.channel._stop(failure)
            self.channel._stop(failure)
        self.assertEqual(self.channel.state, "paused")
        [activity] = self.channel.activity_ids
        self.assertEqual(activity.user_id, self.manager)
        self.assertIn("密钥", activity.note)

    def test_health_in_plain_words(self):
        self.env["omni.sync"].create(
            {
                "channel_id": self.channel.id,
                "mode": "full",
                "status": "failed",
                "state": {},
                "finished_at": "2026-05-04 08:00:00",
                "error_code": "address_not_allowed",
                "error_params": {"number": 60020, "address": "203.0.113.9"},
                "problems": [["not_in_range", {"number": 60011}]],
            }
        )
        self.assertIn("203.0.113.9", self.channel.recent_problems)
        self.assertIn("60011", self.channel.recent_problems)

    # --- OTHERS' HOOKS ---

    def test_erasure(self):
        self.channel._land_fetched(self.fetched())
        self.channel._land_fetched(self.fetched(external="wm2", name="李娜"))
        self.env["omni.record"]._process_batch(self.records().ids)
        for external in ("wm1", "wm2"):
            self.env["omni.callback"].create(
                {
                    "channel_id": self.channel.id,
                    "key": external,
                    "subject": f"contact:{external}",
                    "received_at": "2026-05-04 08:00:00",
                }
            )
        partner = self.records()[0].partner_id
        evidence = self.env["governance.erasure"]._erase_person(partner, [])
        models = {line["model"]: line["count"] for line in evidence}
        self.assertEqual(models["omni.sync.item"], 1)
        self.assertEqual(models["omni.callback"], 1)
        items = self.env["omni.sync.item"].search(
            [("channel_id", "=", self.channel.id)]
        )
        self.assertEqual(items.mapped("external_id"), ["wm2"])

    def test_metrics(self):
        self.env["omni.callback"].create(
            {
                "channel_id": self.channel.id,
                "key": "k",
                "subject": "contact:wm1",
                "received_at": "2026-05-04 08:00:00",
            }
        )
        samples = {
            (sample.name, sample.labels.get("channel"), sample.labels.get("state")): (
                sample.value
            )
            for family in self.env["governance.metrics"]._metric_families()
            for sample in family.samples
        }
        code = self.channel.code
        self.assertEqual(samples["crm_omnichannel_callbacks", code, "waiting"], 1)
        self.assertGreater(
            samples["crm_omnichannel_callback_lag_seconds", code, None], 0
        )

    def test_neutralised_copy_calls_nobody(self):
        from odoo.tools.misc import file_open

        with file_open("crm_omnichannel/data/neutralize.sql") as file:
            self.channel.connected_at = "2026-01-01"
            self.env.flush_all()
            self.env.cr.execute(file.read())
        self.env.invalidate_all()
        self.assertEqual(self.channel.state, "paused")
        self.assertFalse(self.channel.connected_at)
