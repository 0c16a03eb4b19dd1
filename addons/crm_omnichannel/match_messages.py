"""What the answers of a comparison say, in the reader's language."""

from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance import messages as governance

_lt = LazyTranslate(__name__)

MESSAGES = {
    "name.same": _lt("The same name"),
    "name.same_words": _lt("The same name in another order or script"),
    "name.near_given": _lt("The same surname, nearly the same given name"),
    "name.near_family": _lt("The same given name, nearly the same surname"),
    "name.near": _lt("Nearly the same name"),
    "name.initial": _lt("The same surname and initial"),
    "name.only_given": _lt("The same given name, one surname is missing"),
    "name.only_family": _lt("One name is only a part of the other"),
    "name.given": _lt("The same given name, another surname"),
    "name.family": _lt("The same surname, another given name"),
    "name.other": _lt("Different names"),
    "firm_name.same": _lt("The same company name, apart from its legal form"),
    "firm_name.same_words": _lt("The same company name in another order or script"),
    "firm_name.near": _lt("Nearly the same company name"),
    "firm_name.within": _lt("One company name is a part of the other"),
    "firm_name.near_words": _lt("Similar company names"),
    "firm_name.other": _lt("Different company names"),
    "birthdate.same": _lt("The same date of birth"),
    "birthdate.swapped": _lt("The same date of birth with day and month swapped"),
    "birthdate.near": _lt("Dates of birth that differ by one digit"),
    "birthdate.same_day": _lt("The same birthday in another year"),
    "birthdate.same_year": _lt("Dates of birth in the same year"),
    "birthdate.generation": _lt("Dates of birth a generation apart"),
    "birthdate.other": _lt("Different dates of birth"),
    "email.same": _lt("The same e-mail address"),
    "email.same_user": _lt("The same e-mail name at another provider"),
    "email.near": _lt("Nearly the same e-mail address"),
    "email.like": _lt("Similar e-mail addresses"),
    "email.other": _lt("Different e-mail addresses"),
    "domain.same_email": _lt("The same e-mail address"),
    "domain.same": _lt("The same internet domain"),
    "domain.other": _lt("Different internet domains"),
    "phone.same": _lt("The same telephone number"),
    "phone.same_tail": _lt("The same telephone number without its beginning"),
    "phone.near": _lt("Telephone numbers that differ by one digit"),
    "phone.other": _lt("Different telephone numbers"),
    "street.same": _lt("The same street and number"),
    "street.same_words": _lt("The same street, written in another order"),
    "street.swapped": _lt("The same street in another line of the address"),
    "street.near": _lt("The same number, nearly the same street"),
    "street.road": _lt("The same street, another number"),
    "street.near_road": _lt("Nearly the same street, another number"),
    "street.house": _lt("The same number in another street"),
    "street.other": _lt("Different streets"),
    "building.same": _lt("The same second line of the address"),
    "building.near": _lt("Nearly the same second line of the address"),
    "building.other": _lt("Another second line of the address"),
    "place.same": _lt("The same city and postcode"),
    "place.near_city": _lt("The same postcode, nearly the same city"),
    "place.near_zip": _lt("The same city, nearly the same postcode"),
    "place.zip": _lt("The same postcode"),
    "place.city": _lt("The same city"),
    "place.like_city": _lt("Similar cities"),
    "place.state": _lt("The same state"),
    "place.other": _lt("Different places"),
    "gender.same": _lt("The same gender"),
    "gender.other": _lt("Different genders"),
    "employer.same": _lt("The same company"),
    "employer.near": _lt("Similar companies"),
    "employer.other": _lt("Different companies"),
    "vat.same": _lt("The same tax ID"),
    "vat.near": _lt("Tax IDs that differ by one digit"),
    "vat.other": _lt("Different tax IDs"),
    "one_place": _lt(
        "What agrees is shared by people of one household, office or building too"
    ),
    # what a run could not learn
    "match_few": _lt(
        "There are fewer than %(fewest)s %(kind)s to learn from: the starting weights"
        " count."
    ),
    "match_refused": _lt(
        "Nothing was learned from the %(kind)s of the same %(field)s (%(pairs)s"
        " pairs): there are no duplicates among them, or nothing but duplicates."
    ),
    "match_disbelieved": _lt(
        "Nothing was learned from the %(kind)s of the same %(field)s (%(pairs)s"
        " pairs): %(matches)s would be duplicates, far more than there can be."
    ),
    # how much an answer weighs
    "weight.5": _lt("speaks very strongly for one customer"),
    "weight.4": _lt("speaks strongly for one customer"),
    "weight.3": _lt("speaks for one customer"),
    "weight.2": _lt("says little"),
    "weight.1": _lt("speaks against it"),
    "weight.0": _lt("speaks strongly against it"),
}
#: how a note calls the kinds of records, and the field of a column of learning
KINDS = {"person": _lt("people"), "company": _lt("companies")}
FIELDS = {
    "words": "name",
    "birthdate": "omni_birthdate",
    "email": "email",
    "phone": "phone",
    "zip": "zip",
    "vat": "vat",
    "domain": "website",
}
#: the least bits of each weight above 0
WEIGHTS = (-4.0, -1.5, 1.5, 5.0, 10.0)


def render(env, code):
    """Return the text of an answer in the language of the environment."""
    return governance.render(env, MESSAGES, code)


def render_note(env, code, params):
    """Return the text of a note of a run in the language of the environment."""
    field = env["res.partner"]._fields.get(FIELDS.get(params.get("column")))
    shown = {
        **params,
        "kind": governance.render(env, KINDS, params["kind"]),
        "field": field._description_string(env) if field else "",
    }
    return governance.render(env, MESSAGES, code, shown)


def weight_code(bits):
    """Return the code of how much so many bits weigh."""
    return f"weight.{sum(bits >= least for least in WEIGHTS)}"
