"""The first customers flow in: channel, key, records, mapping, customer, in both
languages, as an administrator sees it in the browser."""

import json
import urllib.request

import pytest

from scripts.layout import SUITE

from .pages import open_action, settle, shoot, signed_in

# Words that each screen must show in its language.
WORDS = {
    "en_US": {
        "channels": "Channels",
        "key": "New Key",
        "parked": "Parked",
        "name": "Full name",
        "sources": "Sources",
    },
    "zh_CN": {
        "channels": "渠道",
        "key": "新密钥",
        "parked": "搁置",
        "name": "姓名",
        "sources": "来源",
    },
}
# The demo's two administrators, one for each language.
LOGINS = {"en_US": "admin", "zh_CN": "zhang"}
SET_UP = """
mapping = env.ref("crm_omnichannel.omni_mapping_people").copy({{
    "name": "Journey " + {language!r},
}})
channel = env["omni.channel"].create({{
    "name": "Journey " + {language!r},
    "code": "journey-" + {language!r}.lower(),
    "type": "http",
    "mapping_id": mapping.id,
}})
env.cr.commit()
answer([channel.id, mapping.id, channel.code])
"""
PEOPLE = [
    {"id": "1", "name": "王伟", "phone": "138 1234 5678", "email": "WANG@Example.com"},
    {"id": "2", "name": "Li Na", "phone": "13900001111", "city": "上海"},
    {"id": "3", "phone": "13900002222"},
]
CHANGED = [{"id": "1", "name": "王伟", "phone": "139 8765 4321"}]


def post(server, code, key, records):
    request = urllib.request.Request(
        f"{server.url}/omni/v1/records/{code}",
        json.dumps(records).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def process(server, channel):
    server.shell(
        f"env['omni.channel'].browse({channel}).action_process()\nenv.cr.commit()\n"
    )


@pytest.mark.parametrize("language", ["en_US", "zh_CN"])
def test_first_customers(browser, odoo_server, language):
    words, server = WORDS[language], odoo_server
    channel, mapping, code = server.shell(SET_UP.format(language=language))
    with signed_in(browser, server, LOGINS[language], language) as page:
        # The six stand in Apps, installed.
        page.goto(f"{server.url}/odoo/action-base.open_module_tree")
        page.wait_for_selector(".o_kanban_view")
        page.fill(".o_searchview_input", "crm_")
        page.keyboard.press("Enter")
        settle(page)
        for name in SUITE:
            page.wait_for_selector(f".o_kanban_record img[src*='{name}']")
        shoot(page, f"apps-{language}", phone=False)

        # The channel: a key, shown once.
        open_action(page, server, "crm_omnichannel.omni_channel_action")
        assert words["channels"] in page.inner_text(".o_control_panel, .o_main_navbar")
        shoot(page, f"channels-{language}")
        open_action(page, server, "crm_omnichannel.omni_channel_action", channel)
        page.click("button[name=action_issue_key]")
        page.click(".modal:not(:has(.o_form_view)) .btn-primary")
        page.wait_for_selector(".modal .o_form_view")
        assert words["key"] in page.inner_text(".modal")
        key = page.evaluate(
            "[...document.querySelectorAll('.modal input, .modal .o_field_widget')]"
            ".map(node => (node.value || node.textContent || '').trim())"
            ".find(text => /^[A-Za-z0-9_-]{32,}$/.test(text))"
        )
        assert key, "the key is shown"
        page.keyboard.press("Escape")

        # Records arrive; one of them has no name and is parked with its reason.
        assert post(server, code, key, PEOPLE) == {
            "accepted": 3,
            "duplicates": 0,
            "refused": [],
        }
        assert post(server, code, key, PEOPLE)["duplicates"] == 3
        process(server, channel)
        open_action(page, server, "crm_omnichannel.omni_channel_action", channel)
        assert words["parked"] in page.inner_text(".o_form_view")
        shoot(page, f"channel-{language}")
        open_action(page, server, "crm_omnichannel.omni_record_action")
        shoot(page, f"records-{language}")

        # The mapping, mended: the sample above the lines follows each change …
        open_action(page, server, "crm_omnichannel.omni_mapping_action", mapping)
        sample = page.locator("[name=sample_html]")
        assert "王伟" in sample.inner_text()
        assert sample.locator(".text-danger").count() == 1
        shoot(page, f"mapping-{language}")
        line = page.locator("[name=line_ids] .o_data_row", has_text=words["name"]).first
        line.locator("[name=source]").click()
        cell = page.locator("[name=line_ids] .o_selected_row [name=source] input")
        cell.fill("name || phone")
        page.keyboard.press("Tab")
        sample.locator(".text-danger").wait_for(state="detached")
        page.click(".o_form_button_save")
        page.wait_for_selector(".o_form_button_save", state="hidden")

        # … and the parked record is worked on again.
        open_action(page, server, "crm_omnichannel.omni_record_action")
        parked = page.locator(".o_data_row", has_text=f"Journey {language}").filter(
            has=page.locator("button[name=action_replay]")
        )
        parked.locator("button[name=action_replay]").click()
        parked.wait_for(state="detached")

        # The customer with the sources of each value, and the history of the phone.
        post(server, code, key, CHANGED)
        process(server, channel)
        parked, partner = server.shell(
            "records = env['omni.record'].search("
            f"[('channel_id', '=', {channel})], order='id desc')\n"
            "answer([len(records.filtered(lambda r: r.state == 'parked')),"
            " records[0].partner_id.id])\n"
        )
        assert parked == 0
        open_action(page, server, "contacts.action_contacts", partner)
        page.click(f".o_notebook_headers >> text={words['sources']}")
        settle(page)
        text = page.inner_text(".o_notebook_content")
        assert "139" in text
        assert "138" in text, "the earlier phone stands in the history"
        page.locator(".o_notebook").scroll_into_view_if_needed()
        shoot(page, f"partner-sources-{language}")
