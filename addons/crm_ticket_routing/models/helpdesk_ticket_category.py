from odoo import fields, models


class HelpdeskTicketCategory(models.Model):
    _inherit = "helpdesk.ticket.category"

    routing_requirement_ids = fields.One2many(
        "routing.skill.requirement",
        "category_id",
        string="Skills Asked for",
        help="Who takes a ticket of this category, or of one below it, should have"
        " these skills.",
    )

    def _routing_line(self):
        """Ids of the category and of all above it, from the parent path."""
        return [int(part) for part in (self.parent_path or "").split("/") if part]

    def _routing_lines(self):
        """The same for several: ``{category id: ids of its line}``"""
        return {category.id: category._routing_line() for category in self}
