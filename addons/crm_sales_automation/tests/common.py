from odoo.fields import Command
from odoo.tests import TransactionCase, new_test_user

from .diagrams import END, START, flow, line, node, process

CRM = 'xmlns:crm="urn:crm-suite:bpmn:1"'


def extended(tag, key, inside, **attributes):
    """A node with something in the suite's namespace."""
    return node(
        tag,
        key,
        f"<bpmn:extensionElements {CRM}>{inside}</bpmn:extensionElements>",
        **attributes,
    )


OUTCOMES = (
    '<crm:outcomes variable="answer"><crm:outcome value="yes" name="Yes please"/>'
    '<crm:outcome value="no" name="No thanks"/></crm:outcomes>'
)


class ProcessCase(TransactionCase):
    """A pipeline, a template, people, and a process of every service."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "no_reset_password": True})
        cls.salesman = new_test_user(
            cls.env, "process_salesman", "sales_team.group_sale_salesman"
        )
        cls.other = new_test_user(
            cls.env, "process_other", "sales_team.group_sale_salesman"
        )
        cls.company = cls.env.company
        cls.first, cls.middle, cls.last = cls.env["crm.stage"].create(
            [
                {"name": "Fresh", "sequence": 1},
                {"name": "In talks", "sequence": 2},
                {"name": "Offered", "sequence": 3},
            ]
        )
        cls.product = cls.env["product.product"].create(
            {"name": "Consulting day", "list_price": 900, "type": "service"}
        )
        cls.template = cls.env["sale.order.template"].create(
            {
                "name": "Consulting",
                "note": "<p>Payable in 30 days</p>",
                "number_of_days": 30,
                "company_id": cls.company.id,
                "sale_order_template_line_ids": [
                    Command.create({"name": "Work", "display_type": "line_section"}),
                    Command.create(
                        {"product_id": cls.product.id, "product_uom_qty": 3}
                    ),
                ],
            }
        )
        cls.company.sale_order_template_id = False
        cls.pricelist = cls.env["product.pricelist"].create({"name": "Plain"})
        cls.partner = cls.env["res.partner"].create(
            {"name": "华东机械", "property_product_pricelist": cls.pricelist.id}
        )

    @classmethod
    def lead(cls, user=None, **values):
        return cls.env["crm.lead"].create(
            {
                "name": "New line",
                "type": "opportunity",
                "user_id": (user or cls.salesman).id,
                "partner_id": cls.partner.id,
                "stage_id": cls.first.id,
                **values,
            }
        )

    @classmethod
    def deployed(cls, *parts, key="selling", **values):
        process_record = cls.env["bpmn.process"].create(
            {
                "name": "Selling",
                "xml": process(*parts, key=key),
                "company_id": cls.company.id,
                **values,
            }
        )
        process_record.action_deploy()
        return process_record

    @classmethod
    def selling(cls, **values):
        """Set stage → ask → yes: set stage, quotation; no: end."""
        return cls.deployed(
            START,
            extended(
                "serviceTask", "move", '<crm:action name="set_stage" stage="In talks"/>'
            ),
            extended(
                "userTask",
                "ask",
                OUTCOMES + '<crm:activity days="3"/>',
                name="Ask the customer",
            ),
            node("exclusiveGateway", "answered", default_="refused"),
            extended(
                "serviceTask", "offer", '<crm:action name="set_stage" stage="Offered"/>'
            ),
            extended("serviceTask", "quote", '<crm:action name="create_quotation"/>'),
            END,
            node("endEvent", "lost"),
            line("start", "move", "ask", "answered"),
            flow("answered", "offer", "answer == 'yes'"),
            flow("answered", "lost", key="refused"),
            line("offer", "quote", "end"),
            **{"quotation_template_id": cls.template.id, **values},
        )

    def start(self, process_record, lead, user=None):
        """Start by hand, as the dialog on the opportunity does."""
        wizard = (
            self.env["bpmn.process.start"]
            .with_user(user or self.salesman)
            .create({"lead_id": lead.id, "process_id": process_record.id})
        )
        wizard.action_start()
        return self.env["bpmn.instance"].search(
            [("lead_id", "=", lead.id), ("process_id", "=", process_record.id)], limit=1
        )

    def waiting(self, instance):
        return instance.step_ids.filtered(lambda step: step.state == "waiting")

    def answer(self, step, name=None, user=None):
        """Do a task by the dialog."""
        action = step.with_user(user or self.salesman).action_do()
        wizard = (
            self.env[action["res_model"]]
            .with_user(user or self.salesman)
            .browse(action["res_id"])
        )
        wizard.option_id = wizard.option_ids.filtered(lambda o: o.name == name)
        wizard.action_done()
