from odoo import api, fields, models


class TestGovernancePerson(models.Model):
    """A field of each kind, and copies of it."""

    _name = "test_governance.person"
    _description = "Person for Tests"

    name = fields.Char(required=True)
    phone = fields.Char()
    salary = fields.Monetary()
    born = fields.Date()
    tag_ids = fields.Many2many("test_governance.tag")
    photo = fields.Binary(attachment=False)
    currency_id = fields.Many2one(
        "res.currency", default=lambda self: self.env.company.currency_id
    )
    card_ids = fields.One2many("test_governance.card", "person_id")
    # What is made of it here.
    shout = fields.Char(compute="_compute_shout", search="_search_shout")
    doubled = fields.Monetary(compute="_compute_doubled", store=True)

    @api.depends("phone")
    def _compute_shout(self):
        for person in self:
            person.shout = f"{person.phone}!" if person.phone else False

    @api.model
    def _search_shout(self, operator, value):
        if operator != "in":
            return NotImplemented
        return [("phone", "in", [text and text.rstrip("!") for text in value])]

    @api.depends("salary")
    def _compute_doubled(self):
        for person in self:
            person.doubled = 2 * person.salary


class TestGovernanceTag(models.Model):
    _name = "test_governance.tag"
    _description = "Tag for Tests"

    name = fields.Char(required=True)


class TestGovernanceCard(models.Model):
    """Copies by relation."""

    _name = "test_governance.card"
    _description = "Card for Tests"

    name = fields.Char(required=True)
    person_id = fields.Many2one("test_governance.person")
    sudo_phone = fields.Char(related="person_id.phone", string="Phone of the Person")
    own_phone = fields.Char(
        related="person_id.phone", related_sudo=False, string="Phone as Reader"
    )
    kept_phone = fields.Char(
        related="person_id.phone", store=True, string="Kept Phone", readonly=True
    )


class TestGovernanceMember(models.Model):
    """The copies of ``_inherits``."""

    _name = "test_governance.member"
    _description = "Member for Tests"
    _inherits = {"test_governance.person": "person_id"}

    person_id = fields.Many2one(
        "test_governance.person", required=True, ondelete="cascade"
    )
    number = fields.Integer()
