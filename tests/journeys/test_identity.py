"""Two records of one customer are found, merged and taken apart again, as an
administrator sees it in the browser, in both languages.

One comes from WeCom, the other from a shop; they share no identifier: a digit of the
telephone number differs. Their genders contradict each other, so a person decides.
"""

import time

import pytest

from tests.servers import wecom

from .pages import open_action, rpc, settle, shoot, signed_in
from .test_first_customers import post
from .test_wecom import LOGINS, notification, type_secret

# The person, and what a reader must find on the way.
WORDS = {
    "en_US": {
        "number": 7,
        "name": "Nora Whitfield",
        "wecom": "WeCom London",
        "shop": "Shop London",
        "city": "London",
        "phones": ["13800017622", "13800018622"],
        "lead": "Coffee for the office",
        "phone": "Telephone numbers that differ by one digit",
        "weight": "speaks strongly for one customer",
        "undone": "Undone",
    },
    "zh_CN": {
        "number": 8,
        "name": "陆小曼",
        "wecom": "企业微信上海",
        "shop": "上海门店",
        "city": "上海",
        "phones": ["13911234622", "13911235622"],
        "lead": "办公室咖啡",
        "phone": "电话号码仅差一位数字",
        "weight": "有力地表明是同一客户",
        "undone": "已撤销",
    },
}
SET_UP = """
wecom = env["omni.channel"].create({{
    "name": {wecom!r}, "code": "identity-wecom-{number}", "type": "wecom",
    "platform_url": {url!r}, "company_id": False,
}})
shop = env["omni.channel"].create({{
    "name": {shop!r}, "code": "identity-shop-{number}", "type": "http",
    "mapping_id": env.ref("crm_omnichannel.omni_mapping_people").id,
    "company_id": False,
}})
key = shop.issue_key()
# The nightly jobs of a new database do not hold up the search.
env["ir.config_parameter"].set_param("crm_omnichannel.jobs_per_host", "4")
env.cr.commit()
answer([wecom.id, shop.id, shop.code, key])
"""
# The rows of the two and what refers to them, as the database holds them.
ROWS = """
tables = {{
    "res_partner": "id", "omni_identity": "partner_id", "omni_record": "partner_id",
    "crm_lead": "partner_id",
}}
found = {{}}
for table, column in tables.items():
    env.cr.execute(
        f"SELECT to_jsonb(row) - 'write_date' - 'write_uid' FROM {{table}} AS row"
        f" WHERE {{column}} = ANY(%s) ORDER BY id", [{partners}]
    )
    found[table] = [row for [row] in env.cr.fetchall()]
answer(found)
"""


def wait_for(question, seconds=120):
    """Ask until the answer is true; return it."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, "the background does not come to it"
        time.sleep(0.5)
    return answer


def people(page, name):
    """Return the ids of the customers of a name, the oldest first."""
    found = rpc(
        page, "res.partner", "search_read", [["name", "=", name]], ["id"], order="id"
    )
    return [row["id"] for row in found]


def open_profile(page, server, partner):
    open_action(page, server, "contacts.action_contacts", partner)
    page.click(".o_notebook a[name=omni_profile]")
    settle(page)


def connect(page, server, channel):
    open_action(page, server, "crm_omnichannel.omni_channel_action", channel)
    type_secret(page, wecom.SECRET)
    for action in ("action_connect", "action_full_sync"):
        page.click(f"button[name={action}]")
        notification(page)


def search_for_duplicates(page, server, language):
    open_action(page, server, "crm_omnichannel.omni_match_run_action")
    page.click("button[name=action_start_full]")
    page.wait_for_selector(".o_form_view")
    settle(page)
    shoot(page, f"identity-job-{language}")

    def refreshed():
        page.click("button[name=action_refresh]")
        settle(page)
        return not page.locator("button[name=action_refresh]").is_visible()

    # Who does not want to wait for the next look presses Refresh.
    wait_for(refreshed)
    shoot(page, f"identity-done-{language}")
    open_action(page, server, "crm_omnichannel.omni_match_run_action")
    shoot(page, f"identity-runs-{language}")


@pytest.mark.parametrize("language", ["en_US", "zh_CN"])
def test_found_merged_and_taken_apart(browser, odoo_server, language):
    words, server, name = WORDS[language], odoo_server, WORDS[language]["name"]
    with (
        wecom.WeCom(customers=3, groups=1) as platform,
        signed_in(browser, server, LOGINS[language], language) as page,
    ):
        external = platform.add_customer(words["number"])
        platform.contacts[external].update(name=name, gender=2)
        for (_owner, followed), follow in platform.follows.items():
            if followed == external:
                follow.update(remark=name, remark_mobiles=[words["phones"][0]])
        channel, shop, code, key = server.shell(
            SET_UP.format(url=platform.url, **words)
        )

        # The customers of WeCom come in.
        connect(page, server, channel)
        [first] = wait_for(lambda: people(page, name))

        # The shop knows the person too, and sold something.
        bought = {
            "id": "1",
            "name": name,
            "phone": words["phones"][1],
            "email": f"customer{words['number']}@mail.example",
            "city": words["city"],
            "gender": "male",
        }
        assert post(server, code, key, [bought])["accepted"] == 1
        rpc(page, "omni.channel", "action_process", [shop])
        wait_for(lambda: len(people(page, name)) == 2)
        _first, second = people(page, name)
        rpc(page, "crm.lead", "create", {"name": words["lead"], "partner_id": second})
        before = server.shell(ROWS.format(partners=[first, second]))
        assert [row["active"] for row in before["res_partner"]] == [True, True]
        owners = [row["partner_id"] for row in before["omni_identity"]]
        assert {first, second} == set(owners)

        # The search proposes the pair and leaves it to a person.
        search_for_duplicates(page, server, language)
        open_action(page, server, "crm_omnichannel.omni_match_action")
        shoot(page, f"identity-proposals-{language}")
        page.click(f".o_data_row:has-text({name!r})")
        page.wait_for_selector(".o_omni_match")
        settle(page)
        comparison = page.inner_text(".o_omni_match")
        assert words["phone"] in comparison
        assert words["weight"] in comparison
        shoot(page, f"identity-review-{language}")
        page.click("button[name=action_merge_left]")
        wait_for(lambda: people(page, name) == [first])
        settle(page)

        # The one who stays tells what came from both.
        open_profile(page, server, first)
        profile = page.inner_text(".o_form_view")
        for told in ("wecom", "shop", "lead"):
            assert words[told] in profile
        shoot(page, f"identity-profile-{language}")

        # The journal, and back.
        open_action(page, server, "crm_omnichannel.omni_merge_action")
        shoot(page, f"identity-merges-{language}")
        page.click(f".o_data_row:has-text({name!r})")
        page.wait_for_selector(".o_omni_merge")
        settle(page)
        shoot(page, f"identity-merge-{language}")
        page.click("button[name=action_undo]")
        page.click(".modal .btn-primary")
        wait_for(lambda: people(page, name) == [first, second])
        settle(page)
        status = page.inner_text(".o_field_statusbar .o_arrow_button_current")
        assert words["undone"] in status
        assert server.shell(ROWS.format(partners=[first, second])) == before
        open_profile(page, server, second)
        shoot(page, f"identity-again-{language}")
