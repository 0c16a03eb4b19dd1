"""Which values the survivor of a merge has: channel priority and recency, then gaps."""

from .processing import PARTNER_FIELDS, TAGS_FIELD, to_history
from .tools.survivorship import unite

#: an address is one value: parts of two make none
ADDRESS = ("street", "street2", "city", "zip", "state_id", "country_id")
#: what nobody fills in, and what is about the record itself
NEVER = frozenset(
    {
        "active",
        "commercial_partner_id",
        "company_id",
        "complete_name",
        "is_company",
        "merged_into_id",
        "parent_id",
        "type",
    }
)
SUMMED_TYPES = ("integer",)
FILLED_TYPES = frozenset(
    {"char", "text", "html", "date", "datetime", "selection", "many2one", "float"}
)


def surviving_values(target, source, log_in, summed):
    """Return ``(values to write on the survivor, provenance)``.

    :param target: ``res.partner``, who stays
    :param source: ``res.partner``, who goes
    :param log_in: what hangs on the survivor: ``internal`` (their values stay as they
        are), ``portal`` (all but the e-mail may come from the other), None
    :param summed: names of the fields whose numbers add up
    """
    united, history = _united(target, source)
    values = {name: value for name, value in united.items() if name not in NEVER}
    gaps = _gaps(target, source, summed)
    for name in united:
        gaps.pop(name, None)
    values |= gaps
    if log_in == "internal":
        values = {}
    elif log_in == "portal":
        # who may post records must not be able to move a log-in's e-mail
        values.pop("email", None)
    return {
        name: value
        for name, value in values.items()
        if value != target._fields[name].convert_to_write(target[name], target)
    }, history


def _gaps(target, source, summed):
    values = {}
    has_address = any(target[name] for name in ADDRESS)
    closed = target._commercial_fields() if target.parent_id else ()
    for name, field in target._fields.items():
        if (
            not field.store
            or not field.column_type
            or field.company_dependent
            or field.related
            or (field.compute and field.readonly)
            or name in NEVER
            or name in closed
            or name in ("create_uid", "create_date", "write_uid", "write_date")
        ):
            continue
        if name in summed and field.type in SUMMED_TYPES:
            values[name] = target[name] + source[name]
        elif name in ADDRESS and has_address:
            continue
        elif field.type in FILLED_TYPES and source[name] and not target[name]:
            values[name] = field.convert_to_write(source[name], source)
    return values


def _united(target, source):
    sides = [(side, side.omni_provenance or {}) for side in (target, source)]
    priorities = target.env["omni.channel"]._priorities()
    history, values = {}, {}
    for name in {key for _side, told in sides for key in told}:
        if name == TAGS_FIELD or name not in PARTNER_FIELDS.values():
            history[name] = [
                entry for _side, told in sides for entry in told.get(name, ())
            ]
            continue
        value, history[name] = unite(
            *(
                (
                    told.get(name, ()),
                    to_history(side, name),
                    side.write_date.isoformat(" ", "milliseconds"),
                )
                for side, told in sides
            ),
            priorities,
        )
        values[name] = to_column(target.env, name, value)
    return values, history


def to_column(env, name, value):
    """Return what the ORM writes for a value of the history."""
    if not value:
        return False
    if name == "country_id":
        return env["res.country"].search([("code", "=", value)], limit=1).id
    if name == "state_id":
        country, _dash, code = value.partition("-")
        return (
            env["res.country.state"]
            .search([("country_id.code", "=", country), ("code", "=", code)], limit=1)
            .id
        )
    return env["res.partner"]._fields[name].convert_to_write(value, env["res.partner"])
