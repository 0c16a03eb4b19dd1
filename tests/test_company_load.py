"""The known-truth company in Odoo: as if the ORM had written each row."""

import csv
from collections import Counter

import pytest

from scripts import company_load, databases, odoo_command
from tests.conftest import run_shell

MINUTES = 2
# A stored, computed field that nobody may type is computed anew by the ORM on a sample
# of each model; what it held is compared with what comes out.
RECOMPUTE = """
import random
company = env.ref("crm_omnichannel.company_shanghai_demo")
here = env(context={"allowed_company_ids": company.ids, "lang": "zh_CN"})
draw = random.Random(7)
# Odoo itself leaves these alone when a lead is closed or its scores are renewed
LEFT_ALONE = {"crm.lead": {"automated_probability", "probability", "prorated_revenue"}}

def differences(model, domain, size=150):
    found = here[model].with_context(active_test=False).search(domain)
    records = here[model].browse(draw.sample(found.ids, min(size, len(found))))
    names = [
        name for name, field in records._fields.items()
        if field.store and field.compute and field.readonly and field.column_type
        and name not in LEFT_ALONE.get(model, ())
    ]
    before = {name: [record[name] for record in records] for name in names}
    wrong = []
    with here.cr.savepoint() as savepoint:
        for name in names:
            here.add_to_compute(records._fields[name], records)
        for name in names:
            for record, held in zip(records, before[name], strict=True):
                value = record[name]
                if isinstance(held, float):
                    same = abs(held - (value or 0)) < 1e-6
                else:
                    same = held == value
                if not same:
                    wrong.append(f"{model} {record.id} {name}: {held} != {value}")
        savepoint.rollback()
    here.invalidate_all(flush=False)
    return len(records), len(names), wrong

own = [("company_id", "=", company.id)]
answer({
    model: differences(model, domain)
    for model, domain in {
        "res.partner": own,
        "sale.order": own,
        "sale.order.line": own,
        "stock.picking": own,
        "stock.move": own,
        "stock.move.line": own,
        "account.move": own,
        "account.move.line": own,
        "account.partial.reconcile": own,
        "crm.lead": own,
        "helpdesk.ticket": own,
        "rating.rating": [("res_model", "=", "helpdesk.ticket")],
        "mailing.trace": [],
    }.items()
})
"""
COUNTS = """
company = env.ref("crm_omnichannel.company_shanghai_demo")
here = env(context={"allowed_company_ids": company.ids, "active_test": False})
data = here["ir.model.data"].search([("module", "=", "__company__")])
orders = here["sale.order"].browse(
    data.filtered(lambda one: one.model == "sale.order").mapped("res_id"))
moves = here["account.move"].search([
    ("company_id", "=", company.id), ("move_type", "=", "out_invoice")])
leads = here["crm.lead"].browse(
    data.filtered(lambda one: one.model == "crm.lead").mapped("res_id"))
env.cr.execute(
    "SELECT count(*) FROM (SELECT move_id FROM account_move_line"
    " GROUP BY move_id HAVING abs(sum(balance)) > 0.001) AS unbalanced")
[[unbalanced]] = env.cr.fetchall()
env.cr.execute(
    "SELECT count(*) FROM account_move WHERE company_id = %s"
    " GROUP BY name HAVING count(*) > 1", [company.id])
doubled = env.cr.rowcount
answer({
    "external": dict(here["ir.model.data"]._read_group(
        [("module", "=", "__company__")], ["model"], ["__count"])),
    "currency": orders.currency_id.mapped("name"),
    "lines": len(orders.order_line),
    "amount": sum(orders.mapped("amount_total")),
    "delivered": dict(here["sale.order"]._read_group(
        [("id", "in", orders.ids)], ["delivery_status"], ["__count"])),
    "invoices": len(moves),
    "paid": dict(here["account.move"]._read_group(
        [("id", "in", moves.ids)], ["payment_state"], ["__count"])),
    "linked": len(orders.invoice_ids), "shipped": len(orders.picking_ids),
    "won": dict(here["crm.lead"]._read_group(
        [("id", "in", leads.ids)], ["won_status"], ["__count"])),
    "tracked": here["mail.tracking.value"].search_count([
        ("field_id.model", "=", "crm.lead"), ("field_id.name", "=", "stage_id"),
        ("mail_message_id.res_id", "in", leads.ids)]),
    "traces": here["mailing.trace"].search_count([
        ("mass_mailing_id.state", "=", "done"),
        ("mass_mailing_id.campaign_id.company_id", "=", company.id)]),
    "records": here["omni.record"].search_count([("company_id", "=", company.id)]),
    "processed": here["omni.record"].search_count([
        ("company_id", "=", company.id), ("state", "=", "done")]),
    "unbalanced": unbalanced, "doubled": doubled,
})
"""
# What the web client asks for when a menu is opened: views, rows, groups, a form.
OPEN = """
company = env.ref("crm_omnichannel.company_shanghai_demo")
ACTIONS = [
    ("lin", "crm.crm_lead_action_pipeline", "stage_id"),
    ("lin", "sale.action_orders", "user_id"),
    ("lin", "sale.action_order_report_all", "product_id"),
    ("lin", "stock.action_picking_tree_all", "state"),
    ("lin", "account.action_move_out_invoice_type", "payment_state"),
    ("lin", "base.action_partner_form", "user_id"),
    ("chen", "crm.crm_lead_action_pipeline", "stage_id"),
    ("admin", "helpdesk_mgmt.helpdesk_ticket_action", "category_id"),
    ("admin", "mass_mailing.mailing_trace_action", "trace_status"),
    ("wu", "crm_omnichannel.omni_record_action", "state"),
]
opened = {}
for login, xml_id, group in ACTIONS:
    user = env["res.users"].search([("login", "=", login)])
    action = env.ref(xml_id)
    model = env[action.res_model].with_user(user).with_context(
        allowed_company_ids=company.ids, lang=user.lang)
    views = model.get_views([(False, "list"), (False, "form"), (False, "pivot"),
                             (False, "search")])["views"]
    domain = [("company_id", "=", company.id)] if "company_id" in model._fields else []
    shown = [name for name in model.fields_get()
             if f'name="{name}"' in views["list"]["arch"]]
    found = model.web_search_read(domain, {name: {} for name in shown}, limit=80)
    groups = model.formatted_read_group(domain, [group], ["__count"])
    if model._auto:
        names = [name for name in model.fields_get()
                 if f'name="{name}"' in views["form"]["arch"]]
        record = model.browse(found["records"][0]["id"])
        [values] = record.web_read({name: {} for name in names})
    opened[f"{login} {xml_id}"] = [found["length"], len(groups)]
answer(opened)
"""


@pytest.fixture(scope="module")
def folder():
    return company_load.prepare("S", 1, databases.COMPANY_AS_OF)


@pytest.fixture(scope="module")
def loaded(odoo_database, folder):
    """The report of a load into a copy of the template, and how long it took."""
    import time

    started = time.monotonic()
    report = company_load.load_into(odoo_database, folder)
    return report, time.monotonic() - started


def rows(folder, name):
    with (folder / f"tables/{name}.csv").open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def test_it_loads_in_time_and_in_silence(loaded):
    report, seconds = loaded
    assert seconds < 60 * MINUTES
    assert "WARNING" not in report and "ERROR" not in report, report
    assert "left out" not in report or "visits are left out" in report


def test_all_of_it_is_there_and_agrees(loaded, odoo_database, folder):
    state = run_shell(odoo_database, COUNTS)
    orders, invoices = rows(folder, "orders"), rows(folder, "invoices")
    opportunities = rows(folder, "opportunities")
    assert state["external"] == {
        "res.partner": len(rows(folder, "customers")),
        "sale.order": len(orders),
        "crm.lead": len(opportunities),
        "helpdesk.ticket": len(rows(folder, "tickets")),
        "mailing.mailing": len(rows(folder, "campaigns")),
    }
    assert state["currency"] == ["CNY"]
    assert state["lines"] == len(rows(folder, "order_lines"))
    assert state["invoices"] == state["linked"] == state["shipped"] == len(orders)
    total = sum(float(row["amount"]) for row in invoices)
    assert abs(state["amount"] - total) < 0.01
    arrived = sum(bool(row["delivered_at"]) for row in orders)
    assert state["delivered"] == {"full": arrived, "pending": len(orders) - arrived}
    paid = sum(bool(row["paid_on"]) for row in invoices)
    blocked = sum(bool(row["disputed_on"] and not row["paid_on"]) for row in invoices)
    assert state["paid"] == {
        "paid": paid,
        "blocked": blocked,
        "not_paid": len(orders) - paid - blocked,
    }
    won = Counter(row["state"] for row in opportunities)
    assert state["won"] == {
        "won": won["won"],
        "lost": won["lost"],
        "pending": won["open"],
    }
    assert state["tracked"] == len(rows(folder, "stage_moves"))
    assert state["traces"] == len(rows(folder, "mailings"))
    assert state["records"] == len(rows(folder, "documents"))
    # the dirtiest wait for a person, each with its reason
    assert state["records"] * 0.95 < state["processed"] < state["records"]
    assert state["unbalanced"] == state["doubled"] == 0


def test_the_orm_would_have_written_the_same(loaded, odoo_database):
    for model, (records, fields, wrong) in run_shell(odoo_database, RECOMPUTE).items():
        assert records >= 50, model
        assert fields, model
        assert not wrong, "\n".join(wrong[:10])


def test_its_lists_pivots_and_forms_open(loaded, odoo_database):
    for name, (length, groups) in run_shell(odoo_database, OPEN).items():
        assert length, f"{name} shows nothing"
        assert groups > 1, f"{name} has nothing to group"


def test_the_next_order_goes_on_where_the_company_stands(loaded, odoo_database):
    """Sequences, stock and accounts continue through the ORM."""
    state = run_shell(
        odoo_database,
        """
company = env.ref("crm_omnichannel.company_shanghai_demo")
user = env["res.users"].search([("login", "=", "lin")])
here = env(user=user, context={"allowed_company_ids": company.ids})
last = here["account.move"].search([
    ("move_type", "=", "out_invoice"), ("company_id", "=", company.id)],
    order="sequence_prefix desc, sequence_number desc", limit=1)
product = env.ref("crm_omnichannel.product_kettle_demo")
before = product.with_company(company).qty_available
order = here["sale.order"].create({
    "partner_id": env.ref("crm_omnichannel.partner_liu_yang_demo").id,
    "order_line": [(0, 0, {"product_id": product.id, "product_uom_qty": 1})]})
order.action_confirm()
order.picking_ids.move_ids.picked = True
order.picking_ids.button_validate()
invoice = order._create_invoices()
invoice.invoice_date = last.invoice_date
invoice.action_post()
answer({
    "before": before, "after": product.with_company(company).qty_available,
    "last": last.sequence_number, "next": invoice.sequence_number,
    "name": order.name, "known": env["sale.order"].search_count([
        ("name", "=", order.name)]),
    "delivery": order.delivery_status,
})
""",
    )
    assert state["after"] == state["before"] - 1
    assert state["next"] == state["last"] + 1
    assert state["known"] == 1
    assert state["delivery"] == "full"


def test_the_template_with_the_company_is_made_once(loaded, monkeypatch):
    """A second call finds the template that the first one made."""
    built = []
    monkeypatch.setattr(databases, "exists", lambda name: name in built)
    monkeypatch.setattr(databases, "suite", lambda demo=True: "crm_test_suite_x")
    monkeypatch.setattr(databases, "is_done", lambda name, mark: mark in built)
    monkeypatch.setattr(databases, "set_done", lambda name, mark: built.append(mark))
    monkeypatch.setattr(databases, "copy", lambda source, target: target)
    monkeypatch.setattr(databases, "drop", lambda name: None)
    monkeypatch.setattr(databases, "names", lambda prefix: [])
    monkeypatch.setattr(company_load, "prepare", lambda *arguments: "folder")
    loads = []
    monkeypatch.setattr(
        company_load, "load_into", lambda name, folder: loads.append(name)
    )
    first = databases.company()
    assert databases.company() == first
    assert databases.company(seed=2) != first
    assert len(loads) == 2


def test_a_failed_load_is_one_sentence(monkeypatch, tmp_path):
    from scripts.console import Failure

    with pytest.raises(Failure, match="The demonstration company could not be loaded"):
        company_load.load_into(
            odoo_command.os.environ["CRM_TEST_TEMPLATE"], tmp_path / "nothing"
        )
