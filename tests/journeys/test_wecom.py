"""A WeCom channel is set up, connected and fetched, as an administrator sees it in the
browser, in both languages; the platform is the one of ``tests/servers``."""

import time

import pytest

from tests.servers import wecom

from .pages import open_action, settle, shoot, signed_in

WORDS = {
    "en_US": {"wrong": "The secret is wrong", "good": "Connected", "now": "Up to date"},
    "zh_CN": {"wrong": "密钥错误", "good": "已连接", "now": "已是最新"},
}
# The demo's two administrators, one for each language.
LOGINS = {"en_US": "admin", "zh_CN": "zhang"}
SET_UP = """
channel = env["omni.channel"].create({{
    "name": "WeCom " + {language!r}, "code": "wecom-" + {language!r}.lower(),
    "type": "wecom", "platform_url": {url!r},
}})
env.cr.commit()
answer(channel.id)
"""


def notification(page):
    """Return the text of the next notification, and close it."""
    found = page.locator(".o_notification")
    found.first.wait_for()
    text = found.first.inner_text()
    found.first.locator(".o_notification_close").click()
    found.first.wait_for(state="detached")
    return text


def type_secret(page, secret):
    page.fill("[name=platform_app_id] input", wecom.CORP)
    page.fill("[name=platform_secret] input", secret)
    page.click(".o_form_button_save")
    page.wait_for_selector(".o_form_button_save", state="hidden")
    assert page.input_value("[name=platform_secret] input") == ""


@pytest.mark.parametrize("language", ["en_US", "zh_CN"])
def test_connect_and_fetch(browser, odoo_server, language):
    words, server = WORDS[language], odoo_server
    with wecom.WeCom(customers=30) as platform:
        channel = server.shell(SET_UP.format(language=language, url=platform.url))
        with signed_in(browser, server, LOGINS[language], language) as page:
            open_action(page, server, "crm_omnichannel.omni_channel_action", channel)
            shoot(page, f"wecom-new-{language}")

            # A wrong secret is told in words, and is tried once.
            type_secret(page, "wrong")
            page.click("button[name=action_connect]")
            assert words["wrong"] in notification(page)
            assert platform.requests["gettoken"] == 1

            type_secret(page, wecom.SECRET)
            page.click("button[name=action_connect]")
            assert words["good"] in notification(page)
            settle(page)

            page.click("button[name=action_full_sync]")
            notification(page)
            end = time.monotonic() + 120
            while words["now"] not in page.inner_text("[name=sync_status]"):
                assert time.monotonic() < end, "the background does not come to it"
                page.wait_for_timeout(1000)
                page.reload()
                page.wait_for_selector("[name=sync_status]")
            settle(page)
            shoot(page, f"wecom-synced-{language}")

            open_action(page, server, "crm_omnichannel.omni_sync_action")
            shoot(page, f"wecom-syncs-{language}")
            open_action(page, server, "crm_omnichannel.omni_callback_action")
            shoot(page, f"wecom-callbacks-{language}")
        count = server.shell(
            f"answer(env['omni.channel'].browse({channel}).accepted_count)"
        )
        assert count == len(platform.follows) + 9
