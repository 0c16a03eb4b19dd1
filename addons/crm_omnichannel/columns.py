"""Columns for statements that several models share."""

from odoo.tools import SQL


def readable(model, name, alias=None):
    """Return a stored field as SQL; NULL if it is closed to the reader.

    :param model: recordset whose environment tells the reader and their language
    :param str name: stored field
    :param str alias: of the table; None: the model's own table
    """
    if not model._has_field_access(model._fields[name], "read"):
        return SQL("NULL")
    return model._field_to_sql(alias or model._table, name)
