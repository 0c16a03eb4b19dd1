"""The rules of the field policies for the person of an environment, at the price of
two dictionary look-ups.

``Field.__get__`` asks on every attribute that ordinary code reads, so nothing here may
cost: what holds for a person is loaded once in a transaction, from an ``ormcache`` that
every worker drops when a policy changes, and without any policy the answer is one
shared empty mapping.
"""

from odoo import SUPERUSER_ID
from odoo.tools import frozendict

from .during import during, told

NOTHING = frozendict()
RULES = "crm_data_governance.rules"
_TRUSTED = "crm_data_governance.trusted"


def rules_of(env):
    """:return: ``{model: {field: Rule}}`` for the person of ``env``, also in sudo"""
    try:
        return env.cr.cache[RULES][env.uid]
    except KeyError:
        return _load(env)


def _load(env):
    if not env.registry.ready or env.uid in (None, SUPERUSER_ID):
        # While modules are installed the table may not be there yet.
        return NOTHING
    rules = env["governance.field.policy"]._rules_of_user(env.uid)
    env.cr.cache.setdefault(RULES, {})[env.uid] = rules
    return rules


def forget(env):
    """The policies, the groups or the companies of people have changed."""
    env.cr.cache.pop(RULES, None)


def is_trusted(env):
    """Whether a method of the server, not the person, chose what is searched now."""
    return bool(told(env, _TRUSTED))


def trusted(env):
    """Let a method of the server find records by closed fields.

    For methods that are called with a value they were given, answer with records and
    not with values, and take no domain from the person.
    """
    return during(env, _TRUSTED, True)
