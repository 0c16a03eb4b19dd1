"""What a reader may see, in statements and values that several models share."""

from odoo.tools import SQL


def readable(model, name, alias=None):
    """Return a stored field as SQL; NULL if it is closed to the reader.

    A mask is put on values, not on SQL: a masked field is NULL here as a hidden one is.

    :param model: recordset whose environment tells the reader and their language
    :param str name: stored field
    :param str alias: of the table; None: the model's own table
    """
    field = model._fields[name]
    if name in model._closed_fields() or not model._has_field_access(field, "read"):
        # with its type: sums and unions ask for it
        column_type = "text" if field.translate else field._column_type[1]
        return SQL("NULL::%s", SQL(column_type))
    return model._field_to_sql(alias or model._table, name)


def asked(model, domain):
    """Return the query of the records that meet a domain, by the reader's rights.

    A term on a field that is closed to the reader finds nothing: they must not learn
    its value by what is found.

    :param model: recordset whose environment tells the reader
    :param domain: ``Domain`` of positive terms
    """
    return model._search(model._open_domain(domain))


def shown(model, name, value):
    """Return a value of a field as the reader sees it, masked or not at all.

    :param model: recordset whose environment tells the reader
    :param str name: field
    :param value: as ``read`` gives it
    :return: None for a hidden field
    """
    if not model._has_field_access(model._fields[name], "read"):
        return None
    rule = model._closed_fields().get(name)
    return model._mask_field(name, rule, value) if rule else value
