"""A salesperson whose fields are hidden or masked does a day's work, by the calls of
the web client, without one error, and no answer holds a value that is closed."""

import json

from lxml import etree

from odoo.exceptions import AccessError
from odoo.tests import Form, HttpCase, new_test_user, tagged

from .common_policy import PolicyMixin

SALESMAN = "sales_team.group_sale_salesman"
PHONE, EMAIL = "+86 138 1234 1234", "wang.wei@secret.example"
SECRETS = ("1234 1234", "81234123", "wang.wei", "987654", "98765")
CLOSED = {
    "res.partner": ("phone", "email"),
    "crm.lead": ("phone", "email_from", "expected_revenue"),
}
MASKS = {"phone": "phone", "email": "email", "email_from": "email"}


@tagged("post_install", "-at_install")
class TestWorkGoesOn(PolicyMixin, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.secrets = ()
        cls.user = new_test_user(
            cls.env,
            "masked_seller",
            f"{SALESMAN},base.group_allow_export,base.group_partner_manager",
            name="Seller",
        )
        cls.partner = cls.env["res.partner"].create(
            {"name": "Wang Wei", "phone": PHONE, "email": EMAIL, "is_company": True}
        )
        cls.contact = cls.env["res.partner"].create(
            {"name": "Li", "parent_id": cls.partner.id, "phone": PHONE, "email": EMAIL}
        )
        cls.lead = cls.env["crm.lead"].create(
            {
                "name": "Machines",
                "type": "opportunity",
                "partner_id": cls.partner.id,
                "phone": PHONE,
                "email_from": EMAIL,
                "expected_revenue": 987654,
                "user_id": cls.user.id,
            }
        )
        cls.product = cls.env["product.product"].create(
            {"name": "Drill", "list_price": 11, "sale_ok": True}
        )
        cls.order = cls.env["sale.order"].create(
            {
                "partner_id": cls.partner.id,
                "user_id": cls.user.id,
                "order_line": [(0, 0, {"product_id": cls.product.id})],
            }
        )
        cls.message = cls.lead.message_post(
            body="They wrote", author_id=cls.partner.id, message_type="comment"
        )
        cls.lead.message_subscribe(cls.partner.ids)
        cls.env.flush_all()

    def _close(self, access):
        for model, names in CLOSED.items():
            for name in names:
                mask = access == "masked" and MASKS.get(name, "band")
                self.make_policy(model, [name], access, mask, SALESMAN)
        self.secrets = SECRETS

    # --- THE WEB CLIENT'S CALLS ---

    def _open_views(self, model, *types):
        views = [[False, kind] for kind in types]
        answer = self.rpc(
            self.user,
            model,
            "get_views",
            views,
            {"toolbar": True, "load_filters": True},
        )
        fields = {
            name: description["fields"]
            for name, description in answer["models"].items()
        }
        for view in answer["views"].values():
            self._check_names(etree.fromstring(view["arch"]), model, fields)
        return answer

    def _check_names(self, node, model, fields):
        """Each field of the view is described, or the client breaks."""
        for child in node:
            inside = model
            if child.tag == "field":
                self.assertIn(child.get("name"), fields[model], model)
                inside = fields[model][child.get("name")].get("relation") or model
                if inside not in fields:
                    inside = model
            if child.tag in ("filter", "searchpanel", "t"):
                continue
            self._check_names(child, inside if len(child) else model, fields)

    def _specification(self, arch, model, fields):
        """What the client asks of a view, down to the lines' lists."""
        result = {}
        for node in arch.iter("field"):
            owner = next(
                (up for up in node.iterancestors("field") if up.get("name")), None
            )
            if owner is not None:
                continue
            name = node.get("name")
            description = fields[model][name]
            spec = {}
            if description["type"] in ("many2one", "reference"):
                spec = {"fields": {"display_name": {}}}
            elif description["type"] in ("one2many", "many2many"):
                lines = next((one for one in node if one.tag == "list"), None)
                spec = {"fields": {}}
                if lines is not None and description["relation"] in fields:
                    spec = {
                        "fields": self._specification(
                            lines, description["relation"], fields
                        ),
                        "limit": 40,
                    }
            result[name] = spec
        return result

    def _browse(self, model, record, kinds=("list", "kanban", "form", "search")):
        """Open the views of a model as the client does."""
        answer = self._open_views(model, *kinds)
        fields = {
            name: description["fields"]
            for name, description in answer["models"].items()
        }
        for kind in kinds:
            if kind == "search":
                continue
            arch = etree.fromstring(answer["views"][kind]["arch"])
            spec = self._specification(arch, model, fields)
            if kind == "form":
                self.rpc(self.user, model, "web_read", record.ids, spec)
                continue
            order = arch.get("default_order")
            order = {"order": order} if order else {}
            self.rpc(self.user, model, "web_search_read", [], spec, limit=80, **order)
            aggregates = [
                f"{name}:{description['aggregator']}"
                for name, description in fields[model].items()
                if name in spec
                and description.get("aggregator")
                and description["type"] in ("integer", "float", "monetary")
                and description.get("store")
            ]
            bar = next(arch.iter("progressbar"), None)
            if bar is not None:
                aggregates += [
                    f"{value}:sum"
                    for attribute, value in bar.items()
                    if attribute.endswith("sum_field")
                ]
                self.rpc(
                    self.user,
                    model,
                    "read_progress_bar",
                    [],
                    "create_uid",
                    {
                        "field": bar.get("field"),
                        "colors": json.loads(bar.get("colors")),
                    },
                )
            self.rpc(
                self.user,
                model,
                "web_read_group",
                [],
                ["create_uid"],
                sorted(set(aggregates)),
                auto_unfold=True,
                unfold_read_specification=spec,
            )
        return answer

    def _check_search_box(self, model, answer, text):
        """Type ``text`` and press Enter: each box of the search view."""
        arch = etree.fromstring(answer["views"]["search"]["arch"])
        fields = answer["models"][model]["fields"]
        for node in arch.iter("field"):
            domain = node.get("filter_domain")
            if next(node.iterancestors("searchpanel"), None) is not None:
                continue
            if node.get("invisible") in ("1", "True"):
                continue
            if node.get("name") in CLOSED.get(model, ()):
                self.assertTrue(domain, "a box that can only be refused")
            if not fields[node.get("name")].get("searchable"):
                continue
            if domain:
                terms = eval(domain, {"self": text, "uid": self.user.id})  # noqa: S307
            elif fields[node.get("name")]["type"] in ("char", "text", "many2one"):
                terms = [(node.get("name"), "ilike", text)]
            else:
                continue
            self.rpc(self.user, model, "search_read", terms, ["display_name"])

    # --- A DAY'S WORK ---

    def _work(self):
        self._pick_customers()
        for model, record in (
            ("res.partner", self.partner),
            ("crm.lead", self.lead),
            ("sale.order", self.order),
        ):
            answer = self._browse(model, record)
            self._check_search_box(model, answer, "wang")
        self._browse("crm.lead", self.lead, ("pivot", "graph", "calendar", "activity"))
        self._make_documents()
        self._talk()
        self._export()

    def _pick_customers(self):
        for name in ("Wang", "", "Li"):
            found = self.rpc(self.user, "res.partner", "name_search", name)
            self.assertTrue(found)
        for context in ({"show_email": 1}, {"show_email": 1, "show_address": 1}):
            found = self.rpc(
                self.user,
                "res.partner",
                "web_name_search",
                "Wang",
                {"display_name": {}},
                context={**context, "formatted_display_name": True},
            )
            self.assertIn(self.partner.id, [one["id"] for one in found])
            self.rpc(self.user, "res.partner", "name_search", "Wang", context=context)
        # The address finds nobody: it would tell whose it is.
        self.assertFalse(self.rpc(self.user, "res.partner", "name_search", EMAIL))

    def _make_documents(self):
        self.env.invalidate_all()
        leads = self.env["crm.lead"].with_user(self.user)
        form = Form(leads.with_context(default_type="opportunity"))
        form.name = "Presses"
        form.partner_id = self.partner.with_user(self.user)
        lead = form.save()
        sudo = lead.sudo()
        self.assertEqual(sudo.phone, PHONE, "the synchronised value is the true one")
        self.assertEqual(sudo.email_from, EMAIL)
        with Form(lead) as form:
            form.name = "Presses and drills"
        self.assertEqual(sudo.phone, PHONE)
        self.assertEqual(self.partner.phone, PHONE)
        with Form(self.partner.with_user(self.user)) as form:
            form.name = "Wang Wei Ltd"
        self.assertEqual((self.partner.phone, self.partner.email), (PHONE, EMAIL))
        self.partner.name = "Wang Wei"
        with Form(self.env["sale.order"].with_user(self.user)) as form:
            form.partner_id = self.partner.with_user(self.user)
            with form.order_line.new() as line:
                line.product_id = self.product.with_user(self.user)
        order = form.record.sudo()
        self.assertEqual(order.order_line.product_id, self.product)
        self.assertGreater(order.amount_untaxed, 0)
        # Moved along the pipeline, won.
        stages = self.env["crm.stage"].search([], limit=2)
        self.rpc(self.user, "crm.lead", "write", lead.ids, {"stage_id": stages[-1].id})
        self.rpc(self.user, "crm.lead", "action_set_won", lead.ids)

    def _talk(self):
        self.rpc(
            self.user,
            "crm.lead",
            "message_post",
            self.lead.ids,
            body="I call them",
            message_type="comment",
            partner_ids=self.partner.ids,
        )
        suggestions = self.rpc(
            self.user, "res.partner", "get_mention_suggestions", "Wang"
        )
        self.assertTrue(suggestions["res.partner"])
        self.authenticate("masked_seller", "masked_seller")
        for route, params in (
            (
                "/mail/data",
                {
                    "fetch_params": [
                        [
                            "mail.thread",
                            {
                                "thread_model": "crm.lead",
                                "thread_id": self.lead.id,
                                "request_list": [
                                    "activities",
                                    "attachments",
                                    "followers",
                                    "suggestedRecipients",
                                ],
                            },
                        ]
                    ]
                },
            ),
            (
                "/mail/thread/messages",
                {"thread_model": "crm.lead", "thread_id": self.lead.id},
            ),
            (
                "/mail/thread/recipients",
                {"thread_model": "crm.lead", "thread_id": self.lead.id},
            ),
            (
                "/mail/message/post",
                {
                    "thread_model": "crm.lead",
                    "thread_id": self.lead.id,
                    "post_data": {
                        "body": "And again",
                        "message_type": "comment",
                        "subtype_xmlid": "mail.mt_comment",
                    },
                },
            ),
        ):
            answer = self.make_jsonrpc_request(route, params)
            self.assertClosed(json.dumps(answer, ensure_ascii=False), route)

    def _export(self):
        names = ["name", "partner_id", "partner_id/name", "stage_id/name"]
        data = self.rpc(self.user, "crm.lead", "export_data", self.lead.ids, names)
        self.assertEqual(data["datas"][0][1], "Wang Wei")
        described = self.rpc(self.user, "res.partner", "fields_get")
        offered = [name for name in ("name", "phone", "email") if name in described]
        data = self.rpc(
            self.user, "res.partner", "export_data", self.partner.ids, offered
        )
        self.assertEqual(data["datas"][0][0], "Wang Wei")
        return data

    # --- TESTS ---

    def test_without_policies(self):
        """The test's own calls are right: they find the values."""
        data = self._export()
        self.assertEqual(data["datas"][0][1:], [PHONE, EMAIL])
        self.secrets = SECRETS
        for model, record in (("res.partner", self.partner), ("crm.lead", self.lead)):
            with self.assertRaises(AssertionError):
                self._browse(model, record)

    def test_hidden(self):
        self._close("hidden")
        self._work()
        self.assertNotIn("phone", self.rpc(self.user, "res.partner", "fields_get"))

    def test_masked(self):
        self._close("masked")
        self._work()
        row = self.rpc(
            self.user,
            "crm.lead",
            "web_read",
            self.lead.ids,
            {
                "phone": {},
                "email_from": {},
                "expected_revenue": {},
                "phone_sanitized": {},
                "partner_id": {"fields": {"phone": {}, "email": {}}},
            },
        )[0]
        self.assertEqual(row["phone"], "+86 138****1234")
        self.assertEqual(row["phone_sanitized"], "+86 138****1234")
        self.assertEqual(row["email_from"], "w***@secret.example")
        self.assertEqual(row["expected_revenue"], 500000)
        self.assertEqual(row["partner_id"]["phone"], "+86 138****1234")

    def test_asking_says_why(self):
        self._close("masked")
        for domain in (
            [("phone", "ilike", "138")],
            [("partner_id.email", "!=", False)],
        ):
            with self.assertRaisesRegex(AccessError, "is protected by a field policy"):
                self.rpc(self.user, "crm.lead", "search_read", domain, ["name"])

    def test_tracking_is_closed(self):
        self.lead.write({"expected_revenue": 98765})
        self.env.flush_all()
        self.env.cr.precommit.run()
        self._close("masked")
        self.authenticate("masked_seller", "masked_seller")
        answer = self.make_jsonrpc_request(
            "/mail/thread/messages",
            {"thread_model": "crm.lead", "thread_id": self.lead.id},
        )
        self.assertClosed(json.dumps(answer), "tracking")
