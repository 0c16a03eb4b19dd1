"""What the codes of merges say, in the reader's language."""

from odoo.exceptions import UserError
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance import messages as governance

_lt = LazyTranslate(__name__)

MESSAGES = {
    # why two customers were merged
    "rule_strong_link": _lt("One record named both by identifiers of one person."),
    "rule_match": _lt("They were found to be the same."),
    "rule_manual": _lt("Somebody merged them."),
    "rule_wizard": _lt("Somebody merged them in the merge wizard."),
    # why rows stayed where they were
    "hashed": _lt("Sealed by the hash of its journal: it names who it was made for."),
    "picture": _lt("The survivor has a picture of their own."),
    "referenced": _lt("What had to stay refers to it."),
    "constraint": _lt("A rule of the database does not let it move."),
    # why two customers are not merged
    "refused_gone": _lt("One of the two customers is gone."),
    "refused_same": _lt("A customer cannot be merged with themselves: %(target)s."),
    "refused_merged": _lt("%(source)s was merged into another customer already."),
    "refused_target_archived": _lt(
        "%(target)s is archived: the survivor of a merge must be an active customer."
    ),
    "refused_family": _lt(
        "%(source)s and %(target)s are a company and its contact: they stay two."
    ),
    "refused_users": _lt(
        "%(source)s and %(target)s both have a user account: they stay two."
    ),
    "refused_system": _lt(
        "%(source)s belongs to the system or is one of your companies: it stays."
    ),
    "refused_log_in": _lt(
        "%(source)s or %(target)s has a user account: only a person merges them, and"
        " the one with the account should be the survivor."
    ),
    "refused_companies": _lt(
        "%(source)s and %(target)s belong to different companies: they stay two."
    ),
    # why a merge is not undone
    "refused_target_merged": _lt(
        "%(target)s was merged into %(survivor)s since: undo that merge first."
    ),
    "refused_source_moved": _lt(
        "%(source)s does not stand merged into %(target)s any more."
    ),
    "refused_later_merge": _lt(
        "The later merge of %(later)s into %(target)s joined rows that this merge"
        " moved: undo that one first."
    ),
}


def render(env, code, params=None):
    """Return the text of a code in the language of the environment."""
    return governance.render(env, MESSAGES, code, params)


class MergeRefused(UserError):
    """Two customers cannot be one, or cannot be two again; why, as code and params."""

    def __init__(self, env, code, params):
        super().__init__(render(env, code, params))
        self.code = code
        self.params = params
