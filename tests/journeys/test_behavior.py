"""A visitor nobody knows becomes a customer, in both languages.

Pages of the shop, the contact form and an account on the Odoo website; the live stream
shows what arrives while it happens; once the visitor has an account, all of it stands
on the customer's timeline within five seconds. The funnel and the retention of the
demonstration show figures, and a click shows the customers behind them.
"""

import re
import time

import pytest

from .pages import open_action, rpc, settle, shoot, signed_in, visitor

ADMINISTRATORS = {"en_US": "admin", "zh_CN": "zhang"}
WORDS = {
    "en_US": {
        "name": "Nora Field",
        "email": "nora.field@example.com",
        "empty": "Nothing has arrived within a day",
        "accepted": "Accepted",
        "refused": "Refused",
        "reason": "The type of the message is unknown.",
        "saw": "Saw /shop on Web shop",
        "summary": "got from “Visit” to “Order”",
        "average": "Weighted average",
    },
    "zh_CN": {
        "name": "林晓",
        "email": "lin.xiao@example.com",
        "empty": "一天之内没有收到任何消息",
        "accepted": "已接受",
        "refused": "拒收",
        "reason": "消息类型未知。",
        "saw": "/zh_CN/shop",
        "summary": "从“访问”走到“下单”",
        "average": "加权平均",
    },
}
# An account and a cookies bar for everybody, and the origin of the website among
# those of its source.
SET_UP = """
website = env.ref("website.default_website")
website.auth_signup_uninvited = "b2c"
website.cookies_bar = True
shop = env.ref("crm_behavior_analytics.behavior_source_shop_demo")
shop.origins = shop.origins + "\\n" + {url!r}
empty = {{}}
for language in ("en_US", "zh_CN"):
    source = env["behavior.source"].create({{
        "name": "Empty " + language, "code": "empty-" + language.lower(),
        "origins": {url!r},
    }})
    empty[language] = [source.id, source.issue_key()]
env.cr.commit()
mall = env.ref("crm_omnichannel.company_shanghai_demo")
answer({{"shop": shop.id, "empty": empty, "company": mall.id, "readings": {{
    kind: env.ref(f"crm_behavior_analytics.behavior_{{kind}}_shanghai_demo").id
    for kind in ("funnel", "retention")
}}}})
"""
TIMELINE_SECONDS = 5


@pytest.fixture(scope="module")
def shop(odoo_server):
    return odoo_server.shell(SET_UP.format(url=odoo_server.url))


def wait_for(question, seconds=20):
    until = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.2)
    return answer


def events_of(page, partner):
    return rpc(
        page,
        "behavior.event",
        "search_read",
        [["partner_id", "=", partner]],
        ["type", "event", "page", "properties"],
    )


def look_around(page, server, words):
    """Agree, look at the shop and send the contact form, as nobody known."""
    page.goto(f"{server.url}/shop")
    assert page.evaluate("localStorage.crm_behavior") is None
    page.click("#cookies-consent-all")
    page.wait_for_function("localStorage.crm_behavior !== undefined")
    page.locator(".oe_product a").first.click()
    page.wait_for_load_state()
    page.goto(f"{server.url}/contactus")
    texts = {"email": words["email"], "tel": "138 1234 5678"}
    for field in page.locator(
        ".s_website_form input[required]:visible, .s_website_form input[type=tel],"
        " .s_website_form textarea"
    ).all():
        kind = field.get_attribute("type")
        field.fill(texts.get(kind, words["name"]))
    page.click(".s_website_form_send")
    page.wait_for_url(re.compile("thank"))


def sign_up(page, server, words):
    page.goto(f"{server.url}/web/signup")
    page.fill("input[name=login]", words["email"])
    page.fill("input[name=name]", words["name"])
    page.fill("input[name=password]", "coffee-for-all-1")
    page.fill("input[name=confirm_password]", "coffee-for-all-1")
    page.click(".oe_signup_form button[type=submit]")
    page.wait_for_url(lambda address: "/web/signup" not in address)


def open_live_stream(page, server, source):
    open_action(
        page,
        server,
        "crm_behavior_analytics.behavior_live_action",
        view=".o_behavior_live",
    )
    page.select_option(".o_behavior_live_source", str(source))


def watch_first_event(page, server, facts, language):
    """A source without events says how to send one; what comes shows by itself."""
    words = WORDS[language]
    source, key = facts["empty"][language]
    open_live_stream(page, server, source)
    page.wait_for_selector(f".o_behavior_live_empty:has-text({words['empty']!r})")
    assert key in page.inner_text(".o_behavior_live_empty")
    settle(page)
    shoot(page, f"live-empty-{language}")
    answer = page.request.post(
        f"{server.url}/v1/batch",
        headers={"Authorization": f"Bearer {key}", "Origin": server.url},
        data={
            "batch": [
                {"type": "track", "event": "First Event", "anonymousId": "a-1"},
                {"type": "trak", "event": "Misspelt", "anonymousId": "a-1"},
            ]
        },
    )
    assert answer.ok
    arrived = page.locator(".o_behavior_live_rows li")
    arrived.filter(has_text="First Event").wait_for(timeout=5000)
    assert words["accepted"] in arrived.filter(has_text="First Event").inner_text()
    refused = arrived.filter(has_text=words["reason"])
    assert words["refused"] in refused.inner_text()
    refused.locator(".o_behavior_live_row").click()
    page.wait_for_selector(".o_behavior_live_json pre:has-text('Misspelt')")
    settle(page)
    shoot(page, f"live-rows-{language}")
    page.click("[data-outcome=accepted].btn")
    refused.wait_for(state="detached")
    page.fill(".o_behavior_live_words", "nothing like it")
    arrived.first.wait_for(state="detached")


@pytest.mark.parametrize("language", ["en_US", "zh_CN"])
def test_from_nobody_to_a_customer(browser, odoo_server, shop, language):
    server, words = odoo_server, WORDS[language]
    login = ADMINISTRATORS[language]
    with signed_in(browser, server, login, language) as page:
        watch_first_event(page, server, shop, language)
        open_live_stream(page, server, shop["shop"])
        with visitor(browser, server, language) as customer:
            look_around(customer, server, words)
            page.wait_for_selector(
                ".o_behavior_live_rows li:has-text('Form Submitted')", timeout=10_000
            )
            settle(page)
            shoot(page, f"live-shop-{language}")
            sign_up(customer, server, words)
            customer.goto(server.url)
            known_at = time.monotonic()
            [partner] = rpc(
                page, "res.partner", "search", [["email", "=", words["email"]]], limit=1
            )

            def timeline():
                found = rpc(
                    page,
                    "res.partner",
                    "customer_360",
                    [partner],
                    sections=["timeline"],
                    kinds=["event"],
                    context={"lang": language},
                )
                return [entry["text"] for entry in found["timeline"]]

            wait_for(lambda: any(words["saw"] in text for text in timeline()))
            assert time.monotonic() - known_at < TIMELINE_SECONDS
        events = events_of(page, partner)
        pages = {event["page"].removeprefix(f"/{language}") for event in events}
        assert {"/shop", "/contactus"} <= pages
        form = next(e for e in events if e["event"] == "Form Submitted")["properties"]
        assert form["filled_count"] >= 3
        typed = str([event["properties"] for event in events])
        assert words["email"] not in typed
        assert "13812345678" not in typed.replace(" ", "")
        # How a page was used is no news of a customer.
        assert not any("Web Vitals" in text for text in timeline())
        open_action(page, server, "contacts.action_contacts", partner)
        page.click(".o_notebook a[name=omni_profile]")
        page.wait_for_selector(".o_omni_timeline_entry[data-kind=event]")
        page.click(".o_omni_timeline_filters [data-kind=event]")
        settle(page)
        shoot(page, f"behavior-timeline-{language}")
        open_action(
            page, server, "crm_behavior_analytics.behavior_source_action", shop["shop"]
        )
        page.wait_for_selector(".o_field_widget[name=snippet]")
        settle(page)
        shoot(page, f"behavior-source-{language}")
        if rpc(page, "behavior.score", "search_count", []):
            open_action(page, server, "crm_behavior_analytics.behavior_score_action")
            shoot(page, f"behavior-scores-{language}")


def read_figures(page, server, facts, kind, language):
    """Open a funnel or a retention; wait for its figures and take their picture."""
    open_action(
        page,
        server,
        f"crm_behavior_analytics.behavior_{kind}_action",
        facts["readings"][kind],
    )
    page.wait_for_selector(f".o_behavior_{kind}_summary")
    settle(page)
    shoot(page, f"{kind}-{language}")


def count_customers(page):
    """How many customers the list that a click has opened shows in all."""
    page.wait_for_selector(".o_list_view .o_data_row")
    settle(page)
    return int(re.sub(r"\D", "", page.inner_text(".o_pager_limit")))


@pytest.mark.parametrize("language", ["en_US", "zh_CN"])
def test_funnel_and_retention(browser, odoo_server, shop, language):
    server, words = odoo_server, WORDS[language]
    login = ADMINISTRATORS[language]
    with signed_in(
        browser, server, login, language, companies=[shop["company"]]
    ) as page:
        read_figures(page, server, shop, "funnel", language)
        assert words["summary"] in page.inner_text(".o_behavior_funnel_summary")
        figures = rpc(
            page, "behavior.funnel", "read_result", [shop["readings"]["funnel"]]
        )
        steps = page.locator(".o_behavior_funnel_step")
        assert steps.count() == len(figures["steps"]) == 4
        for place, step in enumerate(figures["steps"]):
            shown = steps.nth(place).locator(".o_behavior_funnel_count").inner_text()
            assert int(shown.replace(",", "")) == step["count"] > 0
        # by the keyboard, as everything here
        page.locator("[data-step='2'] .o_behavior_funnel_bar").focus()
        page.keyboard.press("Enter")
        assert count_customers(page) == figures["steps"][1]["known"]
        page.go_back()
        number, lost = next(
            (place, step["lost_known"])
            for place, step in enumerate(figures["steps"], 1)
            if step["lost_known"]
        )
        page.click(f"[data-step='{number}'] .o_behavior_funnel_lost")
        assert count_customers(page) == lost

        read_figures(page, server, shop, "retention", language)
        average = page.inner_text(".o_behavior_retention_average")
        assert words["average"] in average
        assert "%" in average
        table = rpc(
            page, "behavior.retention", "read_result", [shop["readings"]["retention"]]
        )
        start, number, known = next(
            (cohort["start"], number, cell["known"])
            for cohort in table["cohorts"]
            for number, cell in enumerate(cohort["cells"])
            if cell["known"]
        )
        page.click(f"[data-start='{start}'] [data-number='{number}'] button")
        assert count_customers(page) == known
