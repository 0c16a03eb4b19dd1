from odoo import fields, models


class TestGovernanceQueue(models.Model):
    _name = "test_governance.queue"
    _description = "Queue for Tests"

    name = fields.Char(required=True)
    done = fields.Boolean()
    counter = fields.Integer()
    worker = fields.Integer()
