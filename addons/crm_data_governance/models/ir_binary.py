from odoo import models


class IrBinary(models.AbstractModel):
    _inherit = "ir.binary"

    def _record_to_stream(self, record, field_name):
        # It is the person who asks for the file, no code that works with it.
        if field_name in record._closed_fields():
            record._raise_closed(record._fields[field_name])
        return super()._record_to_stream(record, field_name)
