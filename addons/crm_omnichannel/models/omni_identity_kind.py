from odoo import api, fields, models, tools

from ..tools.linking import KINDS, Kind


class OmniIdentityKind(models.Model):
    """How far the identifiers of a kind are trusted when customers are recognised."""

    _name = "omni.identity.kind"
    _description = "Kind of Identifier"
    _order = "sequence, id"
    _rec_name = "code"

    sequence = fields.Integer(
        "Priority",
        required=True,
        default=100,
        help="Where a record's identifiers name two customers, the upper kind wins.",
    )
    code = fields.Selection("_selection_code", "Kind", required=True, readonly=True)
    strength = fields.Selection(
        [
            ("strong", "Names One Person"),
            ("shared", "May Be Shared"),
            ("weak", "Names a Device or a Visit"),
        ],
        required=True,
        help="Two customers whom one record names by kinds that name one person are"
        " merged at once. A kind that may be shared leads to a customer, but merges"
        " nobody. A device leads to nobody.",
    )
    value_limit = fields.Integer(
        "Values a Customer",
        help="Two customers are not merged at once if together they had more different"
        " values of this kind in one channel or company. 0: any number.",
    )
    person_limit = fields.Integer(
        "Customers a Value",
        help="A value that more customers were seen with is quarantined: it names"
        " nobody any more, as the tablet of a shop does. 0: never.",
    )

    _code_uniq = models.Constraint("UNIQUE(code)", "This kind stands in the list.")
    _check_limits = models.Constraint(
        "CHECK(value_limit >= 0 AND person_limit >= 0)", "A limit is not negative."
    )

    @api.model
    def _selection_code(self):
        return self.env["omni.identity"]._selection_kind()

    @api.model_create_multi
    def create(self, vals_list):
        self.env.registry.clear_cache()
        return super().create(vals_list)

    def write(self, vals):
        self.env.registry.clear_cache()
        return super().write(vals)

    def unlink(self):
        self.env.registry.clear_cache()
        return super().unlink()

    @api.model
    @tools.ormcache()
    def _get_kinds(self):
        """Return ``{kind: Kind}`` (``tools/linking.py``), as they are set up."""
        kinds = dict(KINDS)
        # sudo: rules that hold for everybody
        for rank, kind in enumerate(self.sudo().search([("code", "!=", False)])):
            kinds[kind.code] = Kind(rank, kind.strength, kind.value_limit)
        return kinds
