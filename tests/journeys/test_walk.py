"""One customer walks through all six addons, in both languages.

A record arrives on a channel; the person visits the website and orders; the visit and
the order become events, the events features, the features a score with its reasons; an
opportunity runs through a process to a quotation; the website shows the content of the
customer's segment; a ticket finds its agent; a policy masks the telephone number for a
salesperson who goes on working; the lineage tells where the score came from, and the
figures of all of it stand in ``/metrics``.
"""

import re
import time
import urllib.request

import pytest

from .pages import look_at, open_action, rpc, settle, shoot, signed_in, visitor
from .test_first_customers import post

# What a person reads on the way, in both languages.
WORDS = {
    "en_US": {
        "name": "Ada Brook",
        "phone": "+86 138 1234 7788",
        "email": "ada.brook@example.com",
        "first_stage": "Requirements analysis",
        "second_stage": "Offer confirmation",
        "confirmed": "Confirmed",
        "default": "Welcome! Find what you need in our shop.",
        "vip": "Your VIP week",
        "team": "Customer Service",
        "category": "Payments",
        "masked": re.compile(r"138\*{4}7788"),
        "score": "Churn",
    },
    "zh_CN": {
        "name": "周小雨",
        "phone": "139 1234 6699",
        "email": "zhou.xiaoyu@example.com",
        "first_stage": "需求分析",
        "second_stage": "报价确认",
        "confirmed": "客户已确认",
        "default": "欢迎",
        "vip": "VIP",
        "team": "客户服务",
        "category": "付款",
        "masked": re.compile(r"139\*{4}6699"),
        "score": "流失",
    },
}
ADMINISTRATORS = {"en_US": "admin", "zh_CN": "zhang"}
SALESPEOPLE = {"en_US": "sophie", "zh_CN": "chen"}
SLOT = "[data-personalization-slot='home-banner']"
# The channels, the origin of the website, the reader of the figures, and the churn
# model of the demonstration company.
SET_UP = """
import time

company = env.ref("crm_omnichannel.company_shanghai_demo")
channels = {{}}
for language in ("en_US", "zh_CN"):
    channel = env["omni.channel"].create({{
        "name": "Walk " + language,
        "code": "walk-" + language.lower(),
        "type": "http",
        "mapping_id": env.ref("crm_omnichannel.omni_mapping_people").id,
        # The person is a customer of the whole house.
        "company_id": False,
    }})
    channels[language] = [channel.id, channel.code, channel.issue_key()]
source = env.ref("crm_behavior_analytics.behavior_source_shop_demo")
source.origins = source.origins + "\\n" + {url!r}
reader = env["governance.credential"].create({{"name": "Figures", "scopes": "metrics"}})
metrics_key = reader.issue_key()
prediction = env.ref("crm_behavior_analytics.behavior_prediction_churn_shanghai_demo")
prediction.action_train()
env.cr.commit()
until = time.monotonic() + 120
while prediction.job_id.state not in ("done", "failed") and time.monotonic() < until:
    time.sleep(0.5)
    env["omni.job"]._cron_tick()
    env.cr.commit()
    env.invalidate_all()
policy = env.ref("crm_data_governance.governance_field_policy_phone_demo")
policy.group_ids = env.ref("sales_team.group_sale_salesman")
env.cr.commit()
answer({{
    "company": company.id,
    "channels": channels,
    "metrics_key": metrics_key,
    "prediction": prediction.id,
    "trained": prediction.state,
    "machine": env.ref("crm_omnichannel.product_espresso_machine_demo").id,
    "portal": env.ref("base.group_portal").id,
    "policy": policy.id,
}})
"""


class Walk:
    """What the steps of one walk share."""

    def __init__(self, page, browser, server, facts, language):
        self.page = page
        self.browser = browser
        self.server = server
        self.facts = facts
        self.language = language
        self.words = WORDS[language]
        self.partner = None

    def rpc(self, model, method, *args, **kwargs):
        """Call the server as the signed-in administrator of the two companies."""
        context = {
            "lang": self.language,
            "allowed_company_ids": [self.facts["company"], 1],
            **kwargs.pop("context", {}),
        }
        return rpc(self.page, model, method, *args, context=context, **kwargs)

    def open(self, xmlid, record=None, view=None):
        open_action(self.page, self.server, xmlid, record, view)

    def open_partner(self, tab):
        self.open("contacts.action_contacts", self.partner)
        self.page.click(f".o_notebook a[name={tab}]")

    def shoot(self, name):
        shoot(self.page, f"walk-{name}-{self.language}")

    def choose(self, field, text):
        """Choose a record in a many2one of the open form."""
        self.page.click(f".o_field_widget[name={field}] input")
        self.page.fill(f".o_field_widget[name={field}] input", text)
        self.page.click(f".o-autocomplete--dropdown-item:has-text({text!r}) >> nth=0")

    def wait_for(self, question, seconds=20):
        """Ask until the answer is true; return it."""
        until = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < until, "waited in vain"
            time.sleep(0.3)
        return answer

    def save(self):
        self.page.click(".o_form_button_save")
        self.page.wait_for_selector(".o_form_button_save", state="hidden")
        settle(self.page)

    # --- THE STEPS ---

    def a_record_arrives(self):
        channel, code, key = self.facts["channels"][self.language]
        record = {
            "id": f"walk-{self.language}",
            "name": self.words["name"],
            "phone": self.words["phone"],
            "email": self.words["email"].upper(),
            "tags": "VIP",
        }
        assert post(self.server, code, key, [record])["accepted"] == 1
        self.rpc("omni.channel", "action_process", [channel])
        [landed] = self.rpc(
            "omni.record",
            "search_read",
            [["channel_id", "=", channel]],
            ["state", "partner_id"],
        )
        assert landed["state"] == "done"
        self.partner = landed["partner_id"][0]
        [partner] = self.rpc("res.partner", "read", [self.partner], ["email", "phone"])
        assert partner["email"] == self.words["email"]
        assert partner["phone"].startswith("+86")
        # Whoever looks after the customer knows better than the turnover of a year.
        self.rpc(
            "res.partner",
            "write",
            [self.partner],
            {"customer_tier_manual": "vip", "customer_tier_note": "Opens four shops"},
            context={"allowed_company_ids": [1]},
        )

    def a_visit_and_an_order_become_events(self):
        password = "walks-through-six"
        self.rpc(
            "res.users",
            "create",
            {
                "partner_id": self.partner,
                "login": self.words["email"],
                "password": password,
                "group_ids": [[6, 0, [self.facts["portal"]]]],
                "company_id": 1,
                "company_ids": [[6, 0, [1, self.facts["company"]]]],
            },
            context={"no_reset_password": True},
        )
        with visitor(self.browser, self.server, self.language) as page:
            page.goto(self.server.url)
            assert self.words["default"] in page.inner_text(SLOT)
            page.goto(f"{self.server.url}/web/login")
            page.fill("input[name=login]", self.words["email"])
            page.fill("input[name=password]", password)
            page.click(".oe_login_form button[type=submit]")
            page.wait_for_url(re.compile("/my"))
            # Nothing of a person is kept before that person has said yes.
            assert not self.events()
            page.goto(self.server.url)
            page.click("#cookies-consent-all")
            page.goto(self.server.url)
            self.wait_for(lambda: "page" in self.events())
            # The content of the segment, first rendered, then out of the page cache.
            for _ in range(2):
                page.goto(self.server.url)
                page.wait_for_selector(f"{SLOT}:has-text({self.words['vip']!r})")
            shoot(page, f"walk-slot-{self.language}")
        with visitor(self.browser, self.server, self.language) as page:
            page.goto(self.server.url)
            assert self.words["default"] in page.inner_text(SLOT)
        order = self.rpc(
            "sale.order",
            "create",
            {
                "partner_id": self.partner,
                "company_id": self.facts["company"],
                "order_line": [[0, 0, {"product_id": self.facts["machine"]}]],
            },
        )
        self.rpc("sale.order", "action_confirm", [order])
        self.wait_for(lambda: "Order Completed" in self.events())

    def events(self):
        """Types and names of the customer's events."""
        rows = self.rpc(
            "behavior.event",
            "search_read",
            [["partner_id", "=", self.partner]],
            ["type", "event"],
        )
        return {row["event"] or row["type"] for row in rows} | {
            row["type"] for row in rows
        }

    def the_profile_shows_it(self):
        self.open_partner("omni_profile")
        for kind in ("record", "order"):
            self.page.wait_for_selector(f".o_omni_timeline_entry[data-kind={kind}]")
        settle(self.page)
        self.shoot("profile")

    def a_score_with_its_reasons(self):
        assert self.facts["trained"] == "active"
        prediction = self.facts["prediction"]
        self.rpc("behavior.prediction", "action_score", [prediction])
        [found] = self.rpc("behavior.prediction", "read", [prediction], ["job_id"])

        def is_done():
            self.rpc("omni.job", "action_refresh", [found["job_id"][0]])
            [job] = self.rpc("omni.job", "read", [found["job_id"][0]], ["state"])
            assert job["state"] != "failed"
            return job["state"] == "done"

        self.wait_for(is_done, 60)
        self.open_partner("behavior")
        self.page.wait_for_selector(".o_behavior_reasons li")
        self.shoot("churn")

    def a_process_makes_the_quotation(self):
        page, words = self.page, self.words
        # Each company sells by a process in its own language.
        look_at(page, self.server, self.companies())
        page.goto(f"{self.server.url}/odoo/action-crm.crm_lead_opportunities/new")
        page.wait_for_selector(".o_form_view")
        page.fill(
            ".o_field_widget[name=name] input, [name=name] textarea", "Coffee bar"
        )
        self.choose("partner_id", words["name"])
        self.save()
        page.click("button[name=action_start_process]")
        page.click(".modal button[name=action_start]")
        page.wait_for_selector(".o_bpmn_tasks")
        assert words["first_stage"] in self.stage()
        page.locator(".o-mail-Activity-markDone").first.click()
        page.click(".o-mail-ActivityMarkAsDone button.btn-primary.mx-2")
        page.wait_for_selector(".o_bpmn_tasks button[name=action_do]")
        assert words["second_stage"] in self.stage()
        page.locator(".o_bpmn_tasks").scroll_into_view_if_needed()
        self.shoot("process")
        page.click(".o_bpmn_tasks button[name=action_do]")
        page.locator(
            ".modal .o_field_widget[name=option_id] label", has_text=words["confirmed"]
        ).click()
        page.click(".modal button[name=action_done]")
        page.wait_for_selector("button[name=action_view_sale_quotation]")
        page.click("button[name=action_view_sale_quotation]")
        page.wait_for_selector(".o_field_widget[name=order_line] .o_data_row")
        look_at(page, self.server, [self.facts["company"], 1])

    def companies(self):
        own = {"en_US": 1, "zh_CN": self.facts["company"]}[self.language]
        return sorted([1, self.facts["company"]], key=lambda company: company != own)

    def stage(self):
        settle(self.page)
        return self.page.inner_text(".o_statusbar_status .o_arrow_button_current")

    def a_ticket_finds_its_agent(self):
        page = self.page
        page.goto(
            f"{self.server.url}/odoo/action-helpdesk_mgmt.helpdesk_ticket_action/new"
        )
        page.wait_for_selector(".o_form_view")
        page.fill(".o_field_widget[name=name] input", "Coffee bar: the card is refused")
        self.choose("team_id", self.words["team"])
        self.choose("partner_id", self.words["name"])
        self.choose("category_id", self.words["category"])
        page.click(".o_notebook a[name=description]")
        page.click(".o_field_widget[name=description] .odoo-editor-editable")
        page.keyboard.type("Since this morning.")
        self.save()
        page.click(".o_notebook a[name=routing]")
        page.wait_for_selector(".o_routing_candidates tr.table-success")
        assert page.inner_text(".o_field_widget[name=routing_reason]").strip()
        assert page.inner_text(".o_field_widget[name=routing_next_deadline]").strip()
        self.shoot("ticket")

    def a_masked_number_and_work_goes_on(self):
        policy = self.facts["policy"]
        self.open("crm_data_governance.governance_field_policy_action", policy)
        self.page.click("button[name=action_activate]")
        self.page.click(".modal .btn-primary")
        self.page.wait_for_selector("button[name=action_deactivate]")
        login = SALESPEOPLE[self.language]
        with signed_in(self.browser, self.server, login, self.language) as page:
            open_action(page, self.server, "contacts.action_contacts", self.partner)
            shown = (
                page.input_value(".o_field_widget[name=phone] input")
                if page.locator(".o_field_widget[name=phone] input").count()
                else page.inner_text(".o_field_widget[name=phone]")
            )
            assert self.words["masked"].search(shown.replace(" ", ""))
            clear = self.words["phone"].replace(" ", "")[-11:]
            assert clear not in page.content().replace(" ", "")
            shoot(page, f"walk-policy-{self.language}")
            salesperson = Walk(
                page, self.browser, self.server, self.facts, self.language
            )
            page.goto(f"{self.server.url}/odoo/action-crm.crm_lead_opportunities/new")
            page.wait_for_selector(".o_form_view")
            page.fill("[name=name] textarea, [name=name] input", "Second machine")
            salesperson.choose("partner_id", self.words["name"])
            salesperson.save()
        self.open("crm_data_governance.governance_field_policy_action", policy)
        self.page.click("button[name=action_deactivate]")
        self.page.click(".modal .btn-primary")
        self.page.wait_for_selector("button[name=action_activate]")

    def the_lineage_of_the_score(self):
        page = self.page
        self.rpc("governance.lineage.edge", "action_refresh")
        self.open("crm_data_governance.governance_lineage_node_action")
        page.fill(".o_searchview_input", "res.partner.behavior_churn_score")
        page.keyboard.press("Enter")
        settle(page)
        page.locator(".o_data_row").first.click()
        page.wait_for_selector("[name=upstream] .o_governance_lineage_step")
        settle(page)
        self.shoot("lineage")

    def figures(self):
        request = urllib.request.Request(
            f"{self.server.url}/metrics",
            headers={"Authorization": f"Bearer {self.facts['metrics_key']}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read().decode()
        for family in (
            "crm_governance_field_policies",
            "crm_governance_lineage_edges",
            "crm_omnichannel_records",
            "crm_omnichannel_segment_members",
            "crm_behavior_events",
            "crm_behavior_scores",
            "crm_sales_process_instances",
            "crm_personalization_kept_exposures",
            "crm_ticket_routing_kept_decisions",
        ):
            assert re.search(f"^# TYPE {family}", text, re.M), family
        [routed] = re.findall(
            r'^crm_ticket_routing_kept_decisions{[^}]*outcome="assigned"[^}]*} (\S+)',
            text,
            re.M,
        )[:1]
        assert float(routed) >= 1


@pytest.fixture(scope="module")
def walk_server(company_database, tmp_path_factory):
    from tests.conftest import OdooServer

    log = tmp_path_factory.mktemp("walk") / "odoo.log"
    server = OdooServer(company_database, log)
    server.facts = server.shell(SET_UP.format(url=server.url))
    yield server.start()
    server.stop()


@pytest.mark.parametrize("language", ["en_US", "zh_CN"])
def test_walk(browser, walk_server, language):
    facts = walk_server.facts
    companies = [facts["company"], 1]
    login = ADMINISTRATORS[language]
    with signed_in(browser, walk_server, login, language, companies=companies) as page:
        walk = Walk(page, browser, walk_server, facts, language)
        walk.a_record_arrives()
        walk.a_visit_and_an_order_become_events()
        walk.the_profile_shows_it()
        walk.a_score_with_its_reasons()
        walk.a_process_makes_the_quotation()
        walk.a_ticket_finds_its_agent()
        walk.a_masked_number_and_work_goes_on()
        walk.the_lineage_of_the_score()
        walk.figures()
