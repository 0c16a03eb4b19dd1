from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..tools.skills import Requirement


class RoutingSkillRequirement(models.Model):
    _name = "routing.skill.requirement"
    _description = "Skill Asked for by Tickets"
    _order = "category_id, necessity desc, id"
    _rec_name = "skill_id"

    category_id = fields.Many2one(
        "helpdesk.ticket.category",
        index=True,
        ondelete="cascade",
        help="Tickets of this category, and of those below it, ask for the skill.",
    )
    lang = fields.Selection(
        selection="_selection_lang",
        string="Customer's Language",
        help="Tickets of customers who have this language ask for the skill.",
    )
    company_id = fields.Many2one(related="category_id.company_id")
    skill_id = fields.Many2one(
        "hr.skill", required=True, index=True, ondelete="cascade"
    )
    skill_type_id = fields.Many2one(related="skill_id.skill_type_id")
    level_id = fields.Many2one(
        "hr.skill.level",
        string="Minimum Level",
        required=True,
        ondelete="restrict",
        domain="[('skill_type_id', '=', skill_type_id)]",
    )
    necessity = fields.Selection(
        [("required", "Required"), ("optional", "Optional")],
        required=True,
        default="required",
    )

    _skill_uniq = models.Constraint(
        "UNIQUE(category_id, skill_id)", "The category asks for this skill already."
    )
    _lang_uniq = models.UniqueIndex(
        "(lang, skill_id) WHERE category_id IS NULL",
        "The language asks for this skill already.",
    )
    _check_source = models.Constraint(
        "CHECK (num_nonnulls(category_id, lang) = 1)",
        "A skill is asked for by a category or by a language: choose one of them.",
    )

    @api.model
    def _selection_lang(self):
        return self.env["res.lang"].get_installed()

    @api.constrains("skill_id", "level_id")
    def _check_level(self):
        for requirement in self:
            if requirement.level_id.skill_type_id != requirement.skill_type_id:
                raise ValidationError(
                    self.env._(
                        "“%(level)s” is no level of “%(skill)s”.",
                        level=requirement.level_id.name,
                        skill=requirement.skill_id.name,
                    )
                )

    def _prepare_requirements(self):
        """These as the ranking sees them: ``list[tools.skills.Requirement]``"""
        return [
            Requirement(
                skill=line.skill_id.id,
                level=line.level_id.level_progress,
                required=line.necessity == "required",
                language=not line.category_id,
            )
            for line in self
        ]
