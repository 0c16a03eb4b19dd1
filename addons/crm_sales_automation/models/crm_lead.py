import hashlib
import json

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command

from odoo.addons.crm_data_governance.db import collide

from ..errors import ProcessError
from ..messages import INCIDENTS, render


class CrmLead(models.Model):
    _name = "crm.lead"
    _inherit = ["crm.lead", "bpmn.subject"]

    bpmn_instance_ids = fields.One2many(
        "bpmn.instance",
        "lead_id",
        string="Processes",
        groups="sales_team.group_sale_salesman",
    )
    bpmn_instance_count = fields.Integer(
        string="Number of Processes",
        compute="_compute_bpmn_instances",
        groups="sales_team.group_sale_salesman",
    )
    bpmn_state = fields.Selection(
        selection=lambda self: self._selection_bpmn_state(),
        string="State of the Processes",
        compute="_compute_bpmn_instances",
        groups="sales_team.group_sale_salesman",
        help="The one of the processes that needs most attention.",
    )
    bpmn_step_ids = fields.One2many(
        "bpmn.instance.step",
        "lead_id",
        string="Tasks of Processes",
        domain=[("state", "=", "waiting")],
        groups="sales_team.group_sale_salesman",
    )
    bpmn_incident_ids = fields.One2many(
        "bpmn.incident",
        "lead_id",
        string="Incidents of Processes",
        domain=[("state", "=", "open")],
        groups="sales_team.group_sale_salesman",
    )
    quotation_template_id = fields.Many2one(
        "sale.order.template",
        ondelete="set null",
        index="btree_not_null",
        check_company=True,
        help="Template of the quotation that is generated from this opportunity. Empty:"
        " the one of the process, else the default of the company.",
    )

    # --- COMPUTE ---

    @api.model
    def _selection_bpmn_state(self):
        return (
            self.env["bpmn.instance"]._fields["state"]._description_selection(self.env)
        )

    def _compute_bpmn_instances(self):
        groups = self.env["bpmn.instance"]._read_group(
            [("lead_id", "in", self.ids)], ["lead_id", "state"], ["__count"]
        )
        found = {}
        for lead, state, count in groups:
            found.setdefault(lead.id, {})[state] = count
        ranked = ("incident", "waiting", "running", "done", "cancelled")
        for lead in self:
            counts = found.get(lead.id, {})
            lead.bpmn_instance_count = sum(counts.values())
            lead.bpmn_state = next((s for s in ranked if s in counts), False)

    # --- EVENTS ---

    @api.model_create_multi
    def create(self, vals_list):
        leads = super().create(vals_list)
        processes = self.env["bpmn.process"]
        processes._start_for(leads, "created")
        processes._start_for(leads, "stage")
        return leads

    def write(self, vals):
        if "stage_id" not in vals:
            return super().write(vals)
        moving = self.filtered(lambda lead: lead.stage_id.id != vals["stage_id"])
        result = super().write(vals)
        self.env["bpmn.process"]._start_for(moving, "stage")
        return result

    # --- SUBJECT OF PROCESSES ---

    @api.model
    def _bpmn_fields(self):
        return [
            *super()._bpmn_fields(),
            "active",
            "campaign_id",
            "country_id",
            "create_date",
            "date_deadline",
            "expected_revenue",
            "name",
            "priority",
            "probability",
            "quotation_count",
            "recurring_revenue",
            "sale_amount_total",
            "sale_order_count",
            "source_id",
            "stage_id",
            "tag_ids",
            "team_id",
            "type",
            "user_id",
            "won_status",
        ]

    def action_start_process(self):
        """Choose a process that is in use, and start it here."""
        self.ensure_one()
        self.check_access("write")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Start a Process"),
            "res_model": "bpmn.process.start",
            "view_mode": "form",
            "target": "new",
            "context": {"default_lead_id": self.id},
        }

    def action_view_processes(self):
        """Open the processes that run and ran here."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_sales_automation.bpmn_instance_action"
        )
        action["domain"] = [("lead_id", "=", self.id)]
        action["context"] = {"create": False}
        return action

    # --- QUOTATION BY RULE ---

    def action_generate_quotation(self):
        """Make the quotation of this opportunity, or open the one made before."""
        self.ensure_one()
        self.check_access("write")
        try:
            order, is_new = self._generate_quotation()
        except ProcessError as error:
            raise UserError(
                render(self.env, INCIDENTS, error.code, error.params)
            ) from error
        action = {
            "type": "ir.actions.act_window",
            "res_model": order._name,
            "res_id": order.id,
            "view_mode": "form",
        }
        if is_new or order.generation_key == self._quotation_key(
            order.generation_template_id
        ):
            return action
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning",
                "sticky": True,
                "message": self.env._(
                    "The opportunity or the template has changed since %(order)s was"
                    " made. It is left as it is: cancel it and generate again for a"
                    " new one.",
                    order=order.name,
                ),
                "next": action,
            },
        }

    def _generate_quotation(self, template=None, fallback=None):
        """The quotation of the opportunity: one, whatever is tried how often.

        :param template: that the step of a process names
        :param fallback: that the process names
        :return: ``(sale.order, whether it is new)``
        :raise ProcessError: ``no_customer``, ``no_template``, ``not_an_opportunity``
        """
        self.ensure_one()
        if self.type != "opportunity":
            raise ProcessError("not_an_opportunity")
        collide(self)
        orders = self.env["sale.order"]
        former = orders.search(
            [
                ("opportunity_id", "=", self.id),
                ("generation_key", "!=", False),
                ("state", "!=", "cancel"),
            ],
            limit=1,
        )
        if former:
            return former, False
        if not self.partner_id:
            raise ProcessError("no_customer")
        company = self._bpmn_company()
        template, source = self._quotation_template(company, template, fallback)
        return orders.with_company(company).create(
            self._prepare_quotation_values(company, template, source)
        ), True

    def _quotation_template(self, company, named, fallback):
        """The template to use, and a code for who has named it."""
        for template, source in (
            (named, "step"),
            (self.quotation_template_id, "opportunity"),
            (fallback, "process"),
            (company.sale_order_template_id, "company"),
        ):
            if template:
                return template, source
        raise ProcessError("no_template")

    def _prepare_quotation_values(self, company, template, source):
        context = self._prepare_opportunity_quotation_context()
        return {
            **{key.removeprefix("default_"): value for key, value in context.items()},
            "company_id": company.id,
            "sale_order_template_id": template.id,
            "generation_key": self._quotation_key(template),
            "generation_template_id": template.id,
            "order_line": [
                Command.create(
                    {
                        **line._prepare_order_line_values(),
                        "rule_code": f"template_{source}",
                        "rule_params": {"template": template.name},
                    }
                )
                for line in self._quotation_template_lines(template)
            ],
        }

    def _quotation_template_lines(self, template):
        return template.with_context(
            lang=self.partner_id.lang
        ).sale_order_template_line_ids

    def _quotation_key(self, template):
        """What the quotation was made of, in short: it changes when that does."""
        lines = [
            line._prepare_order_line_values()
            for line in self._quotation_template_lines(template)
        ]
        text = json.dumps([self.partner_id.id, template.id, lines], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
