from odoo import api, fields, models


class BpmnSubject(models.AbstractModel):
    """What a process can run on: a record with a chatter and activities.

    A model becomes a subject by inheriting this, by an entry in
    ``bpmn.process.res_model`` and by its own start events.
    """

    _name = "bpmn.subject"
    _description = "Subject of a Process"

    @api.model
    def _bpmn_fields(self):
        """The fields that a condition may read, as ``record.<name>``."""
        return []

    @api.model
    def _bpmn_readable(self):
        """Names that a condition may read of a record of this model."""
        return {"id", *self._bpmn_fields()}

    def _bpmn_snapshot(self):
        """Plain values of the record: all that a condition ever sees of it.

        :return: ``{name: number, text, date, yes/no, None or a list of texts}``; a
            reference is the name of the record it points to, a moment is its day in
            the company's time zone
        """
        self.ensure_one()
        values = {"id": self.id}
        for name in self._bpmn_fields():
            values[name] = self._bpmn_plain(self._fields[name], self[name])
        return values

    def _bpmn_plain(self, field, value):
        if field.type == "boolean":
            return value
        if field.type in ("many2many", "one2many"):
            return value.mapped("display_name")
        if field.type == "many2one":
            return value.display_name or None
        if field.type == "datetime" and value:
            zone = self._bpmn_company().partner_id.tz or "UTC"
            return fields.Datetime.context_timestamp(
                self.with_context(tz=zone), value
            ).date()
        if field.type in ("integer", "float", "monetary"):
            return value
        return value or None

    def _bpmn_company(self):
        """The company whose processes run on the record."""
        self.ensure_one()
        return self.company_id or self.env.company

    def _bpmn_responsible(self):
        """Who does a task of the record when the diagram names nobody."""
        self.ensure_one()
        return self.user_id
