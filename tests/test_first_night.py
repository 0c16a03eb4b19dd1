"""With the demonstration company each menu shows something after the first night."""

import pytest

from scripts.layout import ROOT, SUITE
from tests.conftest import run_shell

WORK = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from scripts.loading import first_night
answer(first_night.work(env))
"""
# What each screen shows at first: its action's domain, without the filters that a
# reader may take away.
LOOK = """
from odoo.tools.safe_eval import safe_eval, time

found = {{}}
companies = env["res.company"].search([]).ids
here = env(user=env.ref("base.user_admin").id,
           context={{"allowed_company_ids": companies}})
menus = here["ir.model.data"].sudo().search(
    [("model", "=", "ir.ui.menu"), ("module", "in", {suite!r})]
)
for name, menu in zip(
    menus.mapped("complete_name"), here["ir.ui.menu"].browse(menus.mapped("res_id"))
):
    action = menu.action
    if not action or action._name != "ir.actions.act_window" or action.target == "new":
        continue
    names = {{"uid": here.uid, "allowed_company_ids": companies, "time": time}}
    context = {{
        key: value for key, value in safe_eval(action.context or "{{}}", names).items()
        if not key.startswith("search_default_")
    }}
    model = here[action.res_model].with_context(**context)
    if not model._transient:
        found[name] = model.search_count(safe_eval(action.domain or "[]", names))
answer(found)
"""
# What only comes from outside, with time or with trouble.
MAY_BE_EMPTY = {
    "crm_behavior_analytics.behavior_lake_menu",
    "crm_omnichannel.omni_callback_menu",
    "crm_omnichannel.omni_sync_menu",
    "crm_sales_automation.bpmn_incident_menu",
}


@pytest.fixture(scope="module")
def after_the_night(company_database):
    left = run_shell(company_database, WORK)
    assert left == []
    return company_database


def test_no_menu_is_empty(after_the_night):
    found = run_shell(after_the_night, LOOK.format(suite=list(SUITE)))
    assert len(found) > 40
    empty = {name for name, count in found.items() if not count}
    assert empty == MAY_BE_EMPTY, found
