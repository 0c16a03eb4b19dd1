"""Two transactions that each start a process, or make a quotation, on one lead."""

import pytest

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

DIAGRAM = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    id="file" targetNamespace="urn:two">
  <bpmn:process id="two" name="Two" isExecutable="true">
    <bpmn:startEvent id="start"/>
    <bpmn:userTask id="call" name="Call"/>
    <bpmn:endEvent id="end"/>
    <bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="call"/>
    <bpmn:sequenceFlow id="f2" sourceRef="call" targetRef="end"/>
  </bpmn:process>
</bpmn:definitions>
"""


def environment(cr):
    return api.Environment(cr, SUPERUSER_ID, {})


@pytest.fixture
def lead_id(odoo_database):
    with Registry(odoo_database).cursor() as cr:
        env = environment(cr)
        template = env["sale.order.template"].create({"name": "Two"})
        partner = env["res.partner"].create({"name": "华东机械"})
        lead = env["crm.lead"].create(
            {
                "name": "Two",
                "type": "opportunity",
                "partner_id": partner.id,
                "quotation_template_id": template.id,
            }
        )
        return lead.id


@pytest.fixture
def versions(odoo_database):
    """Two versions of one process; both are taken for the deployed one."""
    with Registry(odoo_database).cursor() as cr:
        processes = environment(cr)["bpmn.process"]
        values = {"name": "Two", "xml": DIAGRAM}
        return [processes.create(values).id for _number in range(2)]


def twice(dbname, lead_id, work):
    """Do it in two transactions, the second one begun before the first one's end.

    :param callable work: ``work(lead, number)``
    """
    registry = Registry(dbname)
    with registry.cursor() as second:
        # Its snapshot is taken here.
        lead = environment(second)["crm.lead"].browse(lead_id)
        assert lead.exists()
        with registry.cursor() as first:
            work(environment(first)["crm.lead"].browse(lead_id), 0)
        with pytest.raises(CONCURRENCY_ERRORS):
            work(lead, 1)
        second.rollback()
        # As Odoo repeats a request.
        work(environment(second)["crm.lead"].browse(lead_id), 1)


def test_one_quotation(odoo_database, lead_id):
    made = []
    twice(
        odoo_database,
        lead_id,
        lambda lead, _number: made.append(lead._generate_quotation()),
    )
    (first, first_is_new), (second, second_is_new) = [
        (order.id, is_new) for order, is_new in made
    ]
    assert first == second
    assert (first_is_new, second_is_new) == (True, False)


def test_one_instance_of_two_versions(odoo_database, lead_id, versions):
    started = []

    def start(lead, number):
        process = lead.env["bpmn.process"].browse(versions[number])
        instances = lead.env["bpmn.instance"]._start(process, lead)
        started.append((instances.ids, instances.mapped("state")))

    twice(odoo_database, lead_id, start)
    assert [states for _ids, states in started] == [["waiting"], []]
