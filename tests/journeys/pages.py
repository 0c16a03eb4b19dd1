"""The Odoo web client as a person uses it, for the journeys."""

import os
import re
from contextlib import contextmanager
from pathlib import Path

WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}


def shots_folder():
    folder = Path(os.environ.get("CRM_SCREENSHOTS") or "/tmp/crm-screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def visitor(browser, server, language):
    """A page of somebody unknown; errors of the page's scripts fail the test."""
    context = browser.new_context(
        viewport=WIDE,
        locale="zh-CN" if language == "zh_CN" else "en-US",
        timezone_id="Asia/Shanghai",
    )
    frontend_lang = {"name": "frontend_lang", "value": language, "url": server.url}
    context.add_cookies([frontend_lang])
    page = context.new_page()
    page.set_default_timeout(30_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    assert not errors, errors
    # It stays open on a failure: its screenshot is taken afterwards.
    context.close()


@contextmanager
def signed_in(browser, server, login, language, password=None, companies=()):
    """A page of a signed-in user, who looks at some of his companies."""
    with visitor(browser, server, language) as page:
        if companies:
            look_at(page, server, companies)
        _sign_in(page, server, login, password or login)
        yield page


def look_at(page, server, companies):
    """From the next page on the first of the companies is the user's own."""
    cids = "-".join(map(str, companies))
    page.context.add_cookies([{"name": "cids", "value": cids, "url": server.url}])


def _sign_in(page, server, login, password):
    page.goto(f"{server.url}/web/login")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", password)
    page.click(".oe_login_form button[type=submit]")
    page.wait_for_url(re.compile(r"/odoo"))
    page.wait_for_selector(".o_main_navbar")


CALL = """
async ([model, method, args, kwargs]) => {
    const answer = await fetch(`/web/dataset/call_kw/${model}/${method}`, {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({
            jsonrpc: "2.0", method: "call", params: {model, method, args, kwargs},
        }),
    });
    const {error, result} = await answer.json();
    if (error) throw new Error(error.data.message);
    return result;
}
"""


def rpc(page, model, method, *args, **kwargs):
    """Call a method as the page's user, in the page's session."""
    return page.evaluate(CALL, [model, method, list(args), kwargs])


def open_action(page, server, xmlid, record=None, view=None):
    """Open a window action, or one record of it."""
    path = f"/odoo/action-{xmlid}" + (f"/{record}" if record else "")
    page.goto(server.url + path)
    page.wait_for_selector(view or (".o_form_view" if record else ".o_view_controller"))
    settle(page)


def settle(page):
    """Wait until the client shows no loading and nothing moves.

    The live connection is never idle, so the network cannot tell.
    """
    page.wait_for_timeout(300)
    page.wait_for_selector(".o_loading_indicator", state="detached")
    page.wait_for_timeout(400)


def shoot(page, name, phone=True):
    """A picture wide and at 360 px, without sideways scrolling on the phone."""
    folder = shots_folder()
    page.screenshot(path=folder / f"{name}-wide.png")
    if phone:
        page.set_viewport_size(PHONE)
        page.wait_for_timeout(300)
        page.screenshot(path=folder / f"{name}-phone.png")
        width = page.evaluate("document.documentElement.scrollWidth")
        page.set_viewport_size(WIDE)
        page.wait_for_timeout(200)
        assert width <= PHONE["width"], f"{name}: {width} px wide on a phone"
