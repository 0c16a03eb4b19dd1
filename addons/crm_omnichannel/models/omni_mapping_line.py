from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..tools.mapping import TARGETS, Line, compile_path
from ..tools.normalisers import NORMALISERS, BadValue


class OmniMappingLine(models.Model):
    _name = "omni.mapping.line"
    _description = "Mapping Line"
    _order = "mapping_id, sequence, id"
    _rec_name = "source"

    mapping_id = fields.Many2one(
        "omni.mapping", required=True, ondelete="cascade", index=True
    )
    sequence = fields.Integer(default=10)
    source = fields.Char(
        required=True,
        help="JMESPath expression on the record: phone, contact.phone,"
        " mobile || phone, or 'CN' for a fixed value.",
    )
    target = fields.Selection("_selection_target", required=True)
    normaliser = fields.Selection(
        "_selection_normaliser",
        compute="_compute_normaliser",
        store=True,
        readonly=False,
        required=True,
        precompute=True,
    )
    argument = fields.Char(
        help="Phone: the country of national numbers (CN). Date: ymd, dmy or mdy for"
        " 02/01/90. Amount: , for a decimal comma. Currency: JP where ¥ is the yen."
        " Name: title for title case. Text: the greatest length."
    )
    required = fields.Boolean(help="A record without this value is parked.")
    on_error = fields.Selection(
        [("park", "Park the record"), ("skip", "Leave it empty")],
        "If Unreadable",
        required=True,
        default="park",
    )

    @api.model
    def _selection_target(self):
        labels = {
            "name": self.env._("Full name"),
            "given_name": self.env._("Given name"),
            "surname": self.env._("Surname"),
            "company_name": self.env._("Company name"),
            "email": self.env._("E-mail"),
            "phone": self.env._("Phone"),
            "street": self.env._("Street"),
            "street2": self.env._("Street 2"),
            "city": self.env._("City"),
            "zip": self.env._("Postcode"),
            "state": self.env._("State"),
            "country": self.env._("Country"),
            "birthdate": self.env._("Birthday"),
            "gender": self.env._("Gender"),
            "function": self.env._("Job position"),
            "website": self.env._("Website"),
            "lang": self.env._("Language"),
            "ref": self.env._("Reference"),
            "tags": self.env._("Tags"),
        }
        kinds = dict(self.env["omni.identity"]._selection_kind())
        return [
            (target, labels.get(target) or kinds[target.removeprefix("id:")])
            for target in TARGETS
        ]

    @api.model
    def _selection_normaliser(self):
        labels = {
            "text": self.env._("Text"),
            "line": self.env._("Text on one line"),
            "halfwidth": self.env._("Text with half-width signs"),
            "simplified": self.env._("Simplified Chinese"),
            "traditional": self.env._("Traditional Chinese"),
            "name": self.env._("Full name"),
            "person": self.env._("Person without titles"),
            "company": self.env._("Company without its legal form"),
            "phone": self.env._("Phone (E.164)"),
            "email": self.env._("E-mail"),
            "date": self.env._("Date"),
            "gender": self.env._("Gender"),
            "amount": self.env._("Amount"),
            "currency": self.env._("Currency (ISO code)"),
            "country": self.env._("Country"),
            "province": self.env._("Province, out of an address"),
            "city": self.env._("City, out of an address"),
            "district": self.env._("District, out of an address"),
            "street": self.env._("Street, out of an address"),
            "language": self.env._("Language"),
            "tags": self.env._("Tags"),
            "postcode": self.env._("Postcode"),
            "website": self.env._("Website"),
            "identifier": self.env._("Identifier, as it is"),
        }
        return [(code, labels[code]) for code in NORMALISERS]

    @api.depends("target")
    def _compute_normaliser(self):
        for line in self:
            line.normaliser = TARGETS.get(line.target, "line")

    @api.constrains("source")
    def _check_source(self):
        for line in self:
            try:
                compile_path(line.source)
            except BadValue as error:
                raise ValidationError(
                    self.env._(
                        "“%(path)s” is not a JMESPath expression.",
                        path=line.source,
                    )
                ) from error

    def _as_line(self):
        """Return the pure :class:`Line`."""
        self.ensure_one()
        return Line(
            self.source or "",
            self.target,
            self.normaliser or TARGETS[self.target],
            self.argument or "",
            self.required,
            self.on_error or "park",
        )
