"""What the overrides of the field policies cost: the same work with and without them,
in one process, for nobody bound, a bound person and the superuser."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from figures import figure

from scripts import databases
from tests.conftest import run_shell

ROUNDS = int(os.environ.get("BENCH_ROUNDS", 15))
# The baseline is the same registry with the methods of our class taken out of the way:
# each falls back to the next class of the model, as if the addon were not there.
WORK = """
import statistics, time
from odoo.addons.crm_data_governance.models.base import Base as Ours
from odoo.addons.crm_data_governance.field_rules import forget

partners = env["res.partner"].create(
    [{"name": f"P{n}", "phone": f"138{n:08d}", "email": f"p{n}@example.com"}
     for n in range(1000)]
)
user = env["res.users"].create({
    "name": "Bench", "login": "bench_governance",
    "group_ids": [(6, 0, [env.ref("base.group_user").id])],
})
env.flush_all()
names = [
    name for name, field in partners._fields.items()
    if field.store and field.column_type and not field.groups and field.prefetch
][:28] + ["phone", "email"]
names = list(dict.fromkeys(names))[-30:]
ours = {
    name: method for name, method in vars(Ours).items()
    if callable(method) and not name.startswith("__")
    and any(name in vars(cls) for cls in type(partners).__mro__ if cls is not Ours)
}

def switch(on):
    for name, method in ours.items():
        if on:
            setattr(Ours, name, method)
        elif name in vars(Ours):
            delattr(Ours, name)

def once(work):
    env.invalidate_all()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

def compare(work):
    times = {True: [], False: []}
    for on in (True, False):
        switch(on)
        work()
    for _ in range(%(rounds)d):
        for on in (True, False):
            switch(on)
            times[on].append(once(work))
    switch(True)
    return [min(times[True]), min(times[False])]

def works(records):
    view = env.ref("base.view_partner_form").id
    def attributes():
        for record in records:
            for _ in range(30):
                record.city
    return {
        "read of 1,000 records x 30 fields": lambda: records.read(names),
        "30,000 attribute reads": attributes,
        "search with two terms": lambda: [
            records.search([("name", "ilike", "P1"), ("active", "=", True)], limit=80)
            for _ in range(20)
        ],
        "a form's view and record": lambda: [
            (records.get_views([[view, "form"]]), records[:1].read(names))
            for _ in range(5)
        ],
    }

def run(title, records):
    return [
        [f"{name}, {title}", *compare(work)] for name, work in works(records).items()
    ]

as_user = partners.with_user(user)
answers = run("no policy", as_user) + run("superuser", partners.sudo())
env["governance.field.policy"].create({
    "name": "Bench", "access": "masked", "mask": "phone", "active": True,
    "model_id": env["ir.model"]._get_id("res.partner"),
    "field_ids": [(4, env.ref("base.field_res_partner__phone").id)],
})
env.flush_all()
answers += run("bound by a policy", as_user)

lineage = env["governance.lineage.edge"]
started = time.perf_counter()
lineage._refresh_lineage()
built = time.perf_counter() - started
env.flush_all()
node = env["governance.lineage.node"].search([("name", "=", "res.partner.email")])
env.invalidate_all()
started = time.perf_counter()
node.upstream, node.downstream
answers.append(["lineage around a node", time.perf_counter() - started, built])
env.cr.rollback()
env.registry.clear_all_caches()
forget(env)
answer(answers)
"""


def main():
    template = os.environ["CRM_TEST_TEMPLATE"]
    database = databases.copy(template, "crm_test_bench_governance")
    try:
        for name, value, baseline in run_shell(database, WORK % {"rounds": ROUNDS}):
            label = "build of the lineage" if "lineage" in name else "without the addon"
            figure(name, value, "s", label, baseline)
    finally:
        databases.drop(database)


if __name__ == "__main__":
    main()
