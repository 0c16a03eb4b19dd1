from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.crm_omnichannel.columns import readable

from .behavior_reading import EVENT_TYPES, event_condition

OPERATORS = [
    ("set", "is set"),
    ("=", "is"),
    ("!=", "is not"),
    ("ilike", "contains"),
    (">", "is greater than"),
    ("<", "is less than"),
]


class BehaviorFunnelStep(models.Model):
    """What somebody has to do to get on in a funnel."""

    _name = "behavior.funnel.step"
    _description = "Step of a Funnel"
    _order = "sequence, id"
    _rec_name = "name"

    funnel_id = fields.Many2one(
        "behavior.funnel", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="funnel_id.company_id")
    sequence = fields.Integer(default=10)
    name = fields.Char(
        translate=True, help="What the step is called; empty: the event's name."
    )
    type = fields.Selection(EVENT_TYPES, help="Empty: events of any kind.")
    event = fields.Char(help="The exact name of the event; empty: any.")
    page = fields.Char("Page Contains", help="Part of the page's path; empty: any.")
    property_name = fields.Char(
        "Property",
        help="A property of the event, such as category or, deeper, products.0.sku.",
    )
    property_operator = fields.Selection(OPERATORS, "Comparison", default="set")
    property_value = fields.Char("Value")
    domain = fields.Char(
        "More Conditions", default="[]", help="Any other condition on the event."
    )

    @api.depends("name", "event", "page", "type")
    @api.depends_context("lang")
    def _compute_display_name(self):
        types = dict(self._fields["type"]._description_selection(self.env))
        for step in self:
            step.display_name = (
                step.name
                or step.event
                or step.page
                or types.get(step.type)
                or self.env._("Any event")
            )

    @api.constrains("property_name", "property_operator", "property_value")
    def _check_property(self):
        for step in self.filtered("property_name"):
            if step.property_operator in (">", "<"):
                try:
                    float(step.property_value)
                except (TypeError, ValueError) as error:
                    raise ValidationError(
                        self.env._(
                            "Step %(step)s compares with a number: “%(value)s” is"
                            " none.",
                            step=step.display_name,
                            value=step.property_value or "",
                        )
                    ) from error

    @api.constrains("type", "event", "page", "domain", "property_name")
    def _check_condition(self):
        for step in self:
            step.funnel_id._check_usable(
                self.env["behavior.event"], lambda _funnel, one=step: one._condition()
            )

    def _condition(self):
        """:return: ``Domain`` of the events that make this step"""
        self.ensure_one()
        condition = event_condition(self.type, self.event, self.page, self.domain)
        if self.property_name:
            condition &= property_condition(
                self.property_name.strip().split("."),
                self.property_operator,
                self.property_value or "",
            )
        return condition


def property_condition(path, operator, value):
    """A condition on a property, wherever it lies in the event.

    :param list path: keys, and numbers of list elements
    :param str operator: of ``OPERATORS``; greater and less hold for numbers only
    :param str value: compared as text, or as a number by greater and less
    :return: ``Domain`` of ``behavior.event``
    """

    def to_sql(model, alias, _query):
        properties = readable(model, "properties", alias)
        found = SQL("(%s #>> %s)", properties, path)
        if operator == "set":
            return SQL("%s IS NOT NULL", found)
        if operator == "=":
            return SQL("%s = %s", found, value)
        if operator == "!=":
            return SQL("%s IS DISTINCT FROM %s", found, value)
        if operator == "ilike":
            return SQL("strpos(lower(%s), lower(%s)) > 0", found, value)
        return SQL(
            "CASE WHEN jsonb_typeof(%s #> %s) = 'number' THEN %s::numeric END %s %s",
            properties,
            path,
            found,
            SQL(">") if operator == ">" else SQL("<"),
            float(value),
        )

    return Domain.custom(to_sql=to_sql)
