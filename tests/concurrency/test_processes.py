"""Running processes in the hands of eight workers, and of one that is killed."""

import os
import random
import signal
import time
from collections import Counter
from unittest.mock import patch

import pytest
from forked import ChildError, forked, loud_lines

from odoo import SUPERUSER_ID, Command, api
from odoo.modules.registry import Registry
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS
from odoo.addons.crm_sales_automation.models.bpmn_instance import (
    SERVICES_IN_REQUEST,
    BpmnInstance,
)

PROCESSES = 8
# Ten are a batch of the scheduled action.
INSTANCES = 80
CONTENDED = 24
# In one batch; the worker dies at the third.
IN_THE_BATCH = 5
DIES_AT = 3

DIAGRAM = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:crm="urn:crm-suite:bpmn:1" id="file" targetNamespace="urn:eight">
  <bpmn:process id="eight" name="Eight" isExecutable="true">
    <bpmn:startEvent id="start"/>
    <bpmn:serviceTask id="move" name="Move">
      <bpmn:extensionElements>
        <crm:action name="set_stage" stage="Offered by eight"/>
      </bpmn:extensionElements>
    </bpmn:serviceTask>
    <bpmn:serviceTask id="remind" name="Remind">
      <bpmn:extensionElements>
        <crm:action name="create_activity" summary="Call"/>
      </bpmn:extensionElements>
    </bpmn:serviceTask>
    <bpmn:serviceTask id="quote" name="Quote">
      <bpmn:extensionElements>
        <crm:action name="create_quotation"/>
      </bpmn:extensionElements>
    </bpmn:serviceTask>
    <bpmn:endEvent id="end"/>
    <bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="move"/>
    <bpmn:sequenceFlow id="f2" sourceRef="move" targetRef="remind"/>
    <bpmn:sequenceFlow id="f3" sourceRef="remind" targetRef="quote"/>
    <bpmn:sequenceFlow id="f4" sourceRef="quote" targetRef="end"/>
  </bpmn:process>
</bpmn:definitions>
"""
ELEMENTS = ["start", "move", "remind", "quote", "end"]


def run(dbname, function):
    """Call ``function(env)`` in a transaction of its own and commit."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


@pytest.fixture(scope="module")
def process_id(odoo_database):
    """A deployed process: stage, activity, quotation, end."""

    def create(env):
        env["crm.stage"].create({"name": "Offered by eight", "sequence": 90})
        product = env["product.product"].create(
            {"name": "Day", "list_price": 900, "type": "service"}
        )
        template = env["sale.order.template"].create(
            {
                "name": "Eight",
                "sale_order_template_line_ids": [
                    Command.create({"product_id": product.id, "product_uom_qty": 3})
                ],
            }
        )
        process = env["bpmn.process"].create(
            {
                "name": "Eight",
                "xml": DIAGRAM,
                "company_id": env.company.id,
                "quotation_template_id": template.id,
            }
        )
        process.action_deploy()
        # What the demo has left running is not for the workers of these tests.
        env["bpmn.instance"].search([("state", "=", "running")])._end("cancelled")
        return process.id

    return run(odoo_database, create)


def queued(dbname, process_id, count):
    """Instances as a request leaves them to the scheduled action; all of one customer.

    :return: their ids
    """

    def create(env):
        partner = env["res.partner"].create({"name": "华东机械"})
        leads = env["crm.lead"].create(
            [
                {"name": f"Eight {n}", "type": "opportunity", "partner_id": partner.id}
                for n in range(count)
            ]
        )
        instances = env["bpmn.instance"].create(
            [
                {
                    "process_id": process_id,
                    "res_model": lead._name,
                    "res_id": lead.id,
                    "started_by_id": env.uid,
                }
                for lead in leads
            ]
        )
        assert set(instances.mapped("state")) == {"running"}
        return instances.ids

    return run(dbname, create)


def go_on(dbname):
    """Work as the scheduled action does.

    :return: ids of the instances taken, and what was logged
    """
    with (
        loud_lines() as lines,
        patch.object(
            BpmnInstance, "_go_on", autospec=True, side_effect=BpmnInstance._go_on
        ) as taken,
    ):
        run(dbname, lambda env: env["bpmn.instance"]._cron_go_on())
    return [n for call in taken.call_args_list for n in call.args[0].ids], lines


def check_done_once(dbname, instance_ids):
    """Each instance has ended, and each of its effects is there exactly once."""

    def look(env):
        instances = env["bpmn.instance"].browse(instance_ids)
        assert set(instances.mapped("state")) == {"done"}
        assert not instances.incident_ids
        leads = instances.lead_id
        assert len(leads) == len(instances)
        assert set(leads.stage_id.mapped("name")) == {"Offered by eight"}
        orders = env["sale.order"].search([("opportunity_id", "in", leads.ids)])
        assert Counter(orders.opportunity_id.ids) == Counter(leads.ids)
        assert len(orders) == len(leads)
        assert len(orders.order_line) == len(orders)
        activities = env["mail.activity"].search(
            [("res_model", "=", "crm.lead"), ("res_id", "in", leads.ids)]
        )
        assert Counter(activities.mapped("res_id")) == Counter(leads.ids)
        for instance in instances:
            steps = instance.step_ids
            assert steps.mapped("element_id") == ELEMENTS
            assert set(steps.mapped("state")) == {"done"}
            made = steps.filtered(lambda s: s.element_id == "quote")
            assert made.note_code == "quotation_made"
            assert made.result_id == instance.lead_id.order_ids.id

    run(dbname, look)


def test_one_queue_of_eight_workers(odoo_database, process_id):
    """Each instance is taken by one worker, once; none is forgotten or complains."""
    instance_ids = queued(odoo_database, process_id, INSTANCES)

    def work(index, dbname):
        return go_on(dbname)

    results = forked(PROCESSES, work, odoo_database)
    assert [lines for _taken, lines in results if lines] == []
    taken = Counter(n for ids, _lines in results for n in ids)
    assert taken == Counter(instance_ids)
    # Else the test has not tried what it is about.
    assert len([ids for ids, _lines in results if ids]) > 1
    check_done_once(odoo_database, instance_ids)


def test_requests_and_scheduled_action_at_once(odoo_database, process_id):
    """Some go on in a request, others in the scheduled action: the first one does."""
    instance_ids = queued(odoo_database, process_id, CONTENDED)

    def work(index, dbname):
        if index % 2:
            return go_on(dbname)[1]
        mine = instance_ids[index:] + instance_ids[:index]
        with loud_lines() as lines:
            for n in range(0, CONTENDED, 4):
                press(dbname, mine[n : n + 4])
        return lines

    def press(dbname, ids):
        # As Odoo repeats a request.
        for _ in range(50):
            try:
                return run(
                    dbname,
                    lambda env: (
                        env["bpmn.instance"].browse(ids)._go_on(SERVICES_IN_REQUEST)
                    ),
                )
            except CONCURRENCY_ERRORS:
                time.sleep(random.uniform(0, 0.02))
        raise AssertionError("never came through")

    assert forked(PROCESSES, work, odoo_database) == [[]] * PROCESSES
    check_done_once(odoo_database, instance_ids)


def test_worker_killed_in_a_service_task(odoo_database, process_id, tmp_path):
    """After the effect, before the commit: nothing of it stays, another makes it."""
    instance_ids = queued(odoo_database, process_id, IN_THE_BATCH)
    seen = tmp_path / "seen"

    def die(index, dbname):
        make = BpmnInstance._do_create_quotation
        made = []

        def make_and_die(instance, record, parameters):
            values = make(instance, record, parameters)
            made.append(values["result_id"])
            if len(made) == DIES_AT:
                instance.env.flush_all()
                seen.write_text(str(count_effects(instance.env, instance_ids)))
                os.kill(os.getpid(), signal.SIGKILL)
            return values

        with patch.object(BpmnInstance, "_do_create_quotation", make_and_die):
            go_on(dbname)

    with pytest.raises(ChildError, match="no result: EOFError"):
        forked(1, die, odoo_database)
    # In its transaction: two instances whole, and the third up to the quotation.
    assert seen.read_text() == str((DIES_AT, DIES_AT, DIES_AT))

    def look(env):
        # This waits until PostgreSQL has noticed that the worker is gone.
        env.cr.execute(
            SQL(
                "SELECT id FROM bpmn_instance WHERE id IN %s FOR UPDATE",
                tuple(instance_ids),
            )
        )
        assert count_effects(env, instance_ids) == (0, 0, 0)
        instances = env["bpmn.instance"].browse(instance_ids)
        assert set(instances.mapped("state")) == {"running"}
        assert not any(instances.mapped("execution"))
        assert not instances.step_ids

    run(odoo_database, look)

    results = forked(2, lambda index, dbname: go_on(dbname), odoo_database)
    assert [lines for _taken, lines in results if lines] == []
    taken = Counter(n for ids, _lines in results for n in ids)
    assert taken == Counter(instance_ids)
    check_done_once(odoo_database, instance_ids)


def count_effects(env, instance_ids):
    """How many opportunities are moved, activities and quotations made."""
    leads = env["bpmn.instance"].browse(instance_ids).lead_id
    return (
        len(leads.filtered(lambda lead: lead.stage_id.name == "Offered by eight")),
        env["mail.activity"].search_count(
            [("res_model", "=", "crm.lead"), ("res_id", "in", leads.ids)]
        ),
        env["sale.order"].search_count([("opportunity_id", "in", leads.ids)]),
    )
