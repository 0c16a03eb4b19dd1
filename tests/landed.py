"""What has landed in a test's database."""

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry


def in_odoo(dbname, function):
    """Call ``function(env)`` in a transaction of its own, commit, return its result."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


def make_source(dbname, kind="server", origins=False):
    """A source of a test's own: ``(id, key)``."""

    def create(env):
        sources = env["behavior.source"]
        code = f"test-{sources.search_count([])}"
        source = sources.create(
            {"name": code, "code": code, "type": kind, "origins": origins}
        )
        return source.id, source.issue_key()

    return in_odoo(dbname, create)


def events_of(dbname, source_id):
    """All fields of the source's events, in the order in which they landed."""

    def read(env):
        return env["behavior.event"].search_read(
            [("source_id", "=", source_id)], order="id"
        )

    return in_odoo(dbname, read)
