"""The tracking script in Chromium, on a page of another origin than Odoo's."""

import gzip
import json
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from scripts import node_env, sdk
from scripts.layout import preparing
from tests.landed import events_of, make_source
from tests.relay import Relay

MOST_BYTES = 12 * 1024
FEWEST_DIMENSIONS = 100
PHONE = "13812345678"
IDENTITY = "11010519491231002X"
CARD = "6222020000000000000"
WECHAT = (
    "Mozilla/5.0 (Linux; Android 14; 24031PN0DC) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.50"
)
CAMPAIGN = (
    "utm_source=wechat&utm_medium=article&utm_campaign=spring&utm_term=espresso"
    "&utm_content=banner&utm_id=c-17&bd_vid=click-1&q=coffee&token=very-secret"
)
PAGE = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>Shop</title>
{head}
</head><body style="margin:0">
<h1>Coffee</h1>
<p>A paragraph that is large enough to be the largest contentful paint of all.</p>
<a id="guide" class="btn" role="button" name="guide" href="/guide.pdf"
   onclick="event.preventDefault(); this.dataset.done = 1">Guide, call {phone}</a>
<button id="dead" type="button">Nothing happens</button>
<button id="error" type="button"
    onclick="this.dataset.n = 1; setTimeout(() => missingFunction())">Break</button>
<button id="promise" type="button"
    onclick="this.dataset.n = 1; Promise.reject(new TypeError('no'))">Promise</button>
<form id="contact" name="contact" method="post" action="/contact?token=1"
    onsubmit="event.preventDefault(); this.dataset.sent = 1">
  <input name="name"><input name="email" type="email"><input name="phone">
  <textarea name="message"></textarea><input type="password" name="password">
  <button type="submit">Send</button>
</form>
<form id="left"><input name="voucher"></form>
<img src="/missing.png" width="10" height="10">
<div style="height:3000px"></div>
</body></html>"""


class Site(ThreadingHTTPServer):
    """A website of somebody else."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SitePage)
        self.head = ""
        self.thread = threading.Thread(target=self.serve_forever)

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.server_port}{path}"


class SitePage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/from":
            body = f'<a id="go" href="{self.server.url("/shop?" + CAMPAIGN)}">go</a>'
        elif self.path.startswith("/missing"):
            self.send_error(404)
            return
        else:
            body = PAGE.format(head=self.server.head, phone=PHONE)
        content = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Nothing to the terminal."""


@pytest.fixture(scope="module")
def site():
    site = Site()
    site.thread.start()
    yield site
    site.shutdown()
    site.thread.join()
    site.server_close()


class Visit:
    """A visitor's browser, and what of it has landed."""

    def __init__(self, context, site, database, source_id):
        self.context = context
        self.site = site
        self.database = database
        self.source_id = source_id
        self.requests = []
        context.on("request", self._note)

    def _note(self, request):
        if "/v1/" in request.url:
            self.requests.append(request)

    def open(self, path="/shop", agree=True):
        page = self.context.new_page()
        page.goto(self.site.url(path))
        page.wait_for_function("window.behavior && window.behavior.version")
        if agree:
            page.evaluate("behavior.consent(true)")
        return page

    def events(self):
        return events_of(self.database, self.source_id)

    def wait_for(self, question, seconds=20):
        """Ask what has landed until the answer is true; return it."""
        until = time.monotonic() + seconds
        while not (answer := question(self.events())):
            names = [event["event"] or event["type"] for event in self.events()]
            assert time.monotonic() < until, f"waited in vain: {names}"
            time.sleep(0.2)
        return answer

    def wait_for_event(self, name):
        return self.wait_for(
            lambda events: next((e for e in events if e["event"] == name), None)
        )


@contextmanager
def visiting(browser, site, server, database):
    """Factory of visits to the site, with a source of their own."""
    source_id, key = make_source(database, "web", site.url("").rstrip("/"))
    site.head = (
        f'<script defer src="{server.url}/behavior/sdk.js" data-key="{key}"></script>'
    )
    contexts = []

    def make(**options):
        context = browser.new_context(locale="zh-CN", **options)
        contexts.append(context)
        return Visit(context, site, database, source_id)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def visit(browser, site, odoo_server, odoo_database):
    with visiting(browser, site, odoo_server, odoo_database) as make:
        yield make


# --- CONSENT ---


def stored(page):
    return page.evaluate("Object.keys(localStorage).length + document.cookie.length")


def test_nothing_before_consent(visit):
    """Nothing is sent or stored before consent; what was done then comes after it,
    and a withdrawal takes all away."""
    visitor = visit()
    page = visitor.open(agree=False)
    page.evaluate("behavior.track('Product Viewed', {sku: 'C-ESP'})")
    page.click("#guide")
    page.wait_for_timeout(2500)
    assert not visitor.requests
    assert not stored(page)
    assert page.evaluate("behavior.anonymousId()") is None
    page.evaluate("behavior.consent(true)")
    visitor.wait_for_event("Product Viewed")
    visitor.wait_for_event("Element Clicked")
    assert stored(page)
    sent = len(visitor.requests)
    page.evaluate("behavior.consent(false)")
    assert not stored(page)
    page.evaluate("behavior.track('Product Viewed')")
    page.wait_for_timeout(2000)
    page.goto("about:blank")
    page.wait_for_timeout(300)
    assert len(visitor.requests) == sent


def test_the_choice_of_the_cookies_bar(visit):
    """It counts from the first moment, and costs nothing while the page loads."""
    visitor = visit()
    chosen = quote(json.dumps({"required": True, "optional": True}))
    visitor.context.add_cookies(
        [
            {
                "name": "website_cookies_bar",
                "value": chosen,
                "url": visitor.site.url(),
            }
        ]
    )
    visitor.context.add_init_script(
        """
        window.reads = 0;
        const cookie = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
        Object.defineProperty(Document.prototype, "cookie", {
            ...cookie,
            get() {
                window.reads += 1;
                return cookie.get.call(this);
            },
        });
        // Right behind the deferred scripts, before the page is idle.
        addEventListener("DOMContentLoaded", () => {
            window.readsAtLoad = window.reads;
            window.early = behavior.anonymousId();
        });
        """
    )
    page = visitor.open(agree=False)
    assert page.evaluate("window.readsAtLoad") == 0
    [viewed] = visitor.wait_for(
        lambda events: [event for event in events if event["type"] == "page"]
    )
    assert viewed["anonymous_id"] == page.evaluate("window.early")
    assert page.evaluate("window.reads") == 1


@pytest.mark.parametrize("signal", ["globalPrivacyControl", "doNotTrack"])
def test_a_no_of_the_browser(visit, signal):
    """Do-Not-Track and Global Privacy Control weigh more than a yes on the page."""
    visitor = visit()
    value = "true" if signal == "globalPrivacyControl" else "'1'"
    visitor.context.add_init_script(
        f"Object.defineProperty(navigator, '{signal}', {{value: {value}}})"
    )
    page = visitor.open()
    page.evaluate("behavior.track('Product Viewed')")
    page.wait_for_timeout(2500)
    page.goto("about:blank")
    assert not visitor.requests


# --- WHAT IS COLLECTED ---


def use(page):
    """Do all that the script looks at."""
    page.mouse.move(40, 40)
    page.click("#guide")
    page.click("#error")
    page.click("#promise")
    page.click("#contact [name=name]")
    page.keyboard.type("Wang Wei")
    page.fill("#contact [name=email]", "wang@example.com")
    page.fill("#contact [name=phone]", PHONE)
    page.fill("#contact [name=message]", f"{IDENTITY} {CARD}")
    page.fill("#contact [name=password]", "open-sesame")
    page.click("#contact button")
    page.click("#left [name=voucher]")
    page.keyboard.type("SPRING")
    page.click("#dead", click_count=3, delay=20)
    page.wait_for_timeout(3000)
    page.evaluate("scrollTo(0, 1500)")
    page.wait_for_timeout(1200)


def arrive(visitor):
    """Come by a link of another site, so that there is a referrer."""
    page = visitor.context.new_page()
    page.goto(visitor.site.url("/from", "localhost"))
    page.click("#go")
    page.wait_for_function("window.behavior && window.behavior.version")
    page.evaluate("behavior.consent(true)")
    return page


@pytest.fixture(scope="module")
def visits(browser, site, odoo_server, odoo_database):
    """Two visits, days apart, in WeChat's browser; what has landed of them."""
    with visiting(browser, site, odoo_server, odoo_database) as make:
        visitor = make(user_agent=WECHAT, viewport={"width": 390, "height": 700})
        visit_twice(visitor)
        yield visitor


def visit_twice(visitor):
    page = arrive(visitor)
    use(page)
    page.evaluate("history.pushState({}, '', '/shop/espresso')")
    page.wait_for_timeout(500)
    page.goto("about:blank")
    page.goto(visitor.site.url("/shop"))
    page.evaluate(
        """() => {
            const state = JSON.parse(localStorage.crm_behavior);
            state.session.last -= 2 * 24 * 60 * 60 * 1000;
            localStorage.crm_behavior = JSON.stringify(state);
        }"""
    )
    arrive(visitor)
    visitor.wait_for(
        lambda events: any(
            e["type"] == "page" and e["context"]["session"]["number"] == 2
            for e in events
        )
    )
    visitor.wait_for_event("Page Left")
    visitor.wait_for_event("Web Vitals")
    visitor.wait_for_event("Form Abandoned")


#: names with the words of another one
SAME_WORDS = {
    "Rage Click": "Element Clicked",
    "Dead Click": "Element Clicked",
    "Form Started": "Form Submitted",
    "Form Abandoned": "Form Submitted",
}
TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "list": list,
    "time": str,
}


def leaves(value, path):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif value is not None:
        yield path, value


def collected(events):
    """``{(collected with, dimension): values}`` of what has landed."""
    found = {}
    for event in events:
        name = "page view" if event["type"] == "page" else event["event"]
        for path, value in leaves(event["context"], "context"):
            found.setdefault((name, path), []).append(value)
        if event["type"] == "track":
            for path, value in leaves(event["properties"], "properties"):
                found.setdefault((name, path), []).append(value)
    return found


def test_dimensions(visits):
    """Each dimension of the dictionary is filled, with the type that it says; nothing
    is sent that the dictionary does not have."""
    dimensions = json.loads(sdk.DIMENSIONS.read_text())
    names = [(d["collected"], d["name"]) for d in dimensions]
    assert len(set(names)) == len(names)
    found = collected(visits.events())
    filled = set()
    for dimension in dimensions:
        place = dimension["collected"], dimension["name"]
        if dimension["collected"] == "every message":
            place = "page view", dimension["name"]
        for value in found.get(place, []):
            good = isinstance(value, TYPES[dimension["type"]])
            if dimension["type"] in ("integer", "number"):
                good = good and not isinstance(value, bool)
            if dimension["type"] == "time":
                good = good and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:", value)
            assert good, (place, value)
            filled.add((dimension["collected"], dimension["name"]))
    assert set(names) - filled == set()
    assert len(filled) >= FEWEST_DIMENSIONS
    everywhere = {name for kind, name in names if kind == "every message"}
    unknown = {
        (kind, name)
        for kind, name in found
        if name not in everywhere
        and (kind, name) not in names
        and (SAME_WORDS.get(kind), name) not in names
    }
    assert unknown == set()


def test_values(visits):
    """Some values that the test knows by itself."""
    events = visits.events()
    first = next(e for e in events if e["type"] == "page")
    context = first["context"]
    assert context["campaign"]["name"] == "spring"
    assert context["click"]["network"] == "baidu"
    assert context["browser"]["in_app"] == "wechat"
    assert context["os"] == {"name": "Android", "version": "14"}
    assert context["device"]["type"] == "mobile"
    assert context["screen"]["viewport_width"] == 390
    assert context["first_touch"]["channel"] == "paid"
    assert context["page"]["referring_domain"] == "localhost"
    assert "very-secret" not in json.dumps(context)
    pages = [e["page"] for e in events if e["type"] == "page"]
    assert pages[:2] == ["/shop", "/shop/espresso"]
    left = next(e for e in events if e["event"] == "Page Left")["properties"]
    assert left["path"] == "/shop"
    assert 40 <= left["scroll_percent"] <= 100
    assert 2000 <= left["active_ms"] <= left["visible_ms"] <= left["duration_ms"]
    assert left["keys"] >= len("Wang WeiSPRING")
    form = next(e for e in events if e["event"] == "Form Submitted")["properties"]
    assert (form["field_count"], form["filled_count"]) == (5, 5)
    assert form["form_action"].endswith("/contact")
    given_up = next(e for e in events if e["event"] == "Form Abandoned")["properties"]
    assert given_up["form_id"] == "left"
    names = [e["event"] for e in events]
    assert names.count("Rage Click") == 1
    dead = [e["properties"] for e in events if e["event"] == "Dead Click"]
    assert {one["element_id"] for one in dead} == {"dead"}
    kinds = {e["properties"]["kind"] for e in events if e["event"] == "Error Caught"}
    assert kinds == {"script", "promise", "resource"}
    again = [e for e in events if e["type"] == "page"][-1]["context"]
    assert again["visitor"]["days_since_last"] == 2
    assert again["visitor"]["is_new"] is False


def test_nothing_typed_is_sent(visits):
    """What somebody types, and numbers that name a person, stay in the browser."""
    sent = " ".join(request.post_data or "" for request in visits.requests)
    assert "Guide, call ***" in sent
    for secret in ("Wang Wei", "wang@example.com", "open-sesame", PHONE, "very-secret"):
        assert secret not in sent
    assert "voucher" in sent and "SPRING" not in sent


def test_numbers_that_name_a_person(visit):
    """Telephone, identity and card numbers are masked, also in a page's own events;
    other numbers are not."""
    visitor = visit()
    page = visitor.open()
    page.evaluate(
        "words => behavior.track('Note', words)",
        {
            "phone": f"call +86 138-1234-5678 or {PHONE}",
            "identity": IDENTITY,
            "card": "6222 0200 0000 0000 000",
            "order": "20260504123456789",
            "amount": 13812345678,
        },
    )
    properties = visitor.wait_for_event("Note")["properties"]
    assert properties["phone"] == "call *** or ***"
    assert properties["identity"] == "***"
    assert properties["card"] == "***"
    assert properties["order"] == "20260504123456789"
    assert properties["amount"] == 13812345678


# --- NOTHING IS LOST ---


def test_the_queue_survives(visit):
    """Without a connection messages wait, also for the next page; each lands once."""
    visitor = visit()
    page = visitor.open()
    visitor.wait_for(lambda events: len(events) >= 1)
    visitor.context.set_offline(True)
    for number in range(30):
        page.evaluate(f"behavior.track('Offline', {{number: {number}}})")
    page.wait_for_timeout(1500)
    page.close()
    visitor.context.set_offline(False)
    page = visitor.open("/shop/again")
    visitor.wait_for(
        lambda events: len([e for e in events if e["event"] == "Offline"]) >= 30
    )
    numbers = [
        e["properties"]["number"] for e in visitor.events() if e["event"] == "Offline"
    ]
    assert sorted(numbers) == list(range(30))
    assert (
        page.evaluate("JSON.parse(localStorage.crm_behavior_queue || '[]').length") < 3
    )


def test_leaving_sends_the_rest(visit):
    """What was done right before leaving goes out with the page."""
    visitor = visit()
    page = visitor.open()
    page.evaluate("behavior.track('Last Words')")
    page.goto("about:blank")
    visitor.wait_for_event("Last Words")
    visitor.wait_for_event("Page Left")
    # By a beacon: the timer of the usual way had not run yet.
    assert not [
        request
        for request in visitor.requests
        if request.resource_type == "fetch" and "Last Words" in request.post_data
    ]


def test_faults_on_the_way(visit, site, odoo_server):
    """After 429, 503, a lost answer and a broken connection the same messages come
    again, later, and land once."""
    visitor = visit()
    with Relay(odoo_server.port).running() as relay:
        site.head = site.head.replace(odoo_server.url, relay.url)
        page = visitor.open()
        page.evaluate("behavior.track('Patience')")
        visitor.wait_for_event("Patience")
        # Until the answer comes through, it is sent again and again.
        page.wait_for_function(
            "(localStorage.crm_behavior_queue || '[]') === '[]'", timeout=60_000
        )
        assert not relay.faults
    names = [e["event"] for e in visitor.events()]
    assert names.count("Patience") == 1


def test_known_by_name(visit):
    """identify is remembered, group is told, reset forgets."""
    visitor = visit()
    page = visitor.open()
    anonymous = page.evaluate("behavior.anonymousId()")
    page.evaluate("behavior.identify('u-1', {plan: 'pro'})")
    page.evaluate("behavior.group('g-1', {size: 3})")
    page.evaluate("behavior.track('Known')")
    known = visitor.wait_for_event("Known")
    assert (known["user_id"], known["anonymous_id"]) == ("u-1", anonymous)
    kinds = {e["type"]: e for e in visitor.events()}
    assert kinds["identify"]["properties"] == {"plan": "pro"}
    assert kinds["group"]["properties"] == {"groupId": "g-1", "size": 3}
    page.evaluate("behavior.reset()")
    page.evaluate("behavior.track('Unknown')")
    unknown = visitor.wait_for_event("Unknown")
    assert not unknown["user_id"]
    assert unknown["anonymous_id"] != anonymous


# --- THE FILES ---


def test_the_documentation_is_the_dictionary():
    assert sdk.DIMENSIONS_PAGE.read_text() == sdk.page_text()
    assert len(json.loads(sdk.DIMENSIONS.read_text())) >= FEWEST_DIMENSIONS


def test_the_script_is_small():
    assert len(gzip.compress(sdk.BUILT.read_bytes())) <= MOST_BYTES


def test_the_script_is_built_of_its_source(tmp_path):
    reason = node_env.missing()
    if reason:
        pytest.skip(reason)
    with preparing():
        sdk.build(tmp_path / "sdk.js")
    assert (tmp_path / "sdk.js").read_text() == sdk.BUILT.read_text()
