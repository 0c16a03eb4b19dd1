"""What the six addons make of the company in its first night, for the served database.

The same scheduled work as ever, only now: so that a newcomer finds duplicates to
review, running processes, what was shown to whom, churn scores with reasons and the
lineage.
"""

import time

from .load import CAST

PROCESS = "crm_sales_automation.bpmn_process_quotation_shanghai_demo"
PREDICTION = "crm_behavior_analytics.behavior_prediction_churn_shanghai_demo"
SLOT = "crm_personalization.personalization_slot_banner_demo"
OPPORTUNITIES = 12
PATIENCE_SECONDS = 300
UNFINISHED = "Not done, see Omnichannel → Configuration → Background Jobs: {name}"


def work(env):
    """Do the night's work; commits after each part.

    :return: what was left to the server's own nights, a line each
    """
    company = env.ref(f"{CAST}.company_shanghai_demo")
    env = env(context={"allowed_company_ids": company.ids, "lang": "zh_CN"})
    _start_processes(env, company)
    _show_contents(env)
    env.cr.commit()
    left = []
    run = env["omni.match.run"]._start("full")
    env.cr.commit()
    if not _carried_out(env, run.job_id):
        left.append(UNFINISHED.format(name=run.job_id.name))
    prediction = env.ref(PREDICTION)
    for begin in (prediction.action_train, prediction.action_score):
        begin()
        env.cr.commit()
        if not _carried_out(env, prediction.job_id):
            left.append(UNFINISHED.format(name=prediction.job_id.name))
            break
    env["governance.lineage.edge"]._refresh_lineage()
    env.cr.commit()
    return left


def _start_processes(env, company):
    leads = env["crm.lead"].search(
        [
            ("company_id", "=", company.id),
            ("type", "=", "opportunity"),
            ("partner_id", "!=", False),
            ("stage_id", "=", env.ref("crm.stage_lead1").id),
        ],
        order="create_date DESC, id",
        limit=OPPORTUNITIES,
    )
    env["bpmn.instance"].sudo()._start(env.ref(PROCESS), leads)


def _show_contents(env):
    """The home page, as those of the cast see it who let it be made for them."""
    slot = env.ref(SLOT)
    slot = slot.with_company(slot.company_id)
    consents = slot.env["omni.consent"].search([("purpose", "=", "personalization")])
    exposures = slot.env["personalization.exposure"]
    exposures._record(
        [
            exposures._prepare_row(
                slot._note(slot._show(partner)), "load", slot.website_id, partner
            )
            for partner in consents.partner_id
            if consents.check(partner, "personalization", "web")
        ]
    )


def _carried_out(env, job):
    """Let the runner work until a job has ended; return whether it is done."""
    until = time.monotonic() + PATIENCE_SECONDS
    while job.state not in ("done", "failed", "cancelled"):
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
        env["omni.job"]._cron_tick()
        env.cr.commit()
        env.invalidate_all()
    return job.state == "done"
