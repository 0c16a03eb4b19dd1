"""What is compared of two persons or two companies, and what each answer is worth.

Each comparison has levels, the strongest first; the first that holds counts. A level
has three shares:

``m``
    how often it holds for two records of one customer,
``u``
    for two records that have nothing to do with one another,
``h``
    for two customers of one place: a family, the colleagues of an office, the firms of
    a building or a group. ``SAME`` means that the level says nothing against that
    reading (a family shares its telephone just as one person's records do).

The figures here are where a model begins, and where it stays if there is too little
data; ``u`` and ``m`` are learned (``matcher.py``), ``h`` is not.

Source of the model: Fellegi and Sunter, A Theory for Record Linkage (JASA 1969), with
the third class of Winkler's and Larsen & Rubin's mixture models (JASA 2001).
"""

from dataclasses import dataclass

from .match_conditions import (
    Apart,
    Crossed,
    Edits,
    Near,
    Same,
    Term,
    Unknown,
    Within,
)

#: the level says as much for two customers of one place as for one customer
SAME = None


@dataclass(frozen=True)
class Level:
    """A degree of agreement; ``when`` None: everything else.

    ``rare``: the column whose frequencies adjust the weight (a rare name says more).
    ``against``: the two contradict each other here; whatever else agrees, a person has
    to look before they become one, but for what ``settled`` says: answers of other
    comparisons, ``(comparison, level)``, that two different customers of one place do
    not give.
    """

    code: str
    when: "Term | None"
    m: float
    u: float
    h: "float | None" = SAME
    rare: "str | None" = None
    against: bool = False
    settled: tuple = ()


@dataclass(frozen=True)
class Comparison:
    """``shows``: the field of a customer that stands for it on the screen."""

    code: str
    shows: str
    unknown: Term
    levels: tuple


# Relatives, flatmates and colleagues with different surnames were not born on one day,
# and a firm that was renamed keeps its tax ID. Twins share surname and day: nothing
# settles another given name, nor a generation between two of one name.
BORN = (("birthdate", "same"), ("birthdate", "swapped"))
REGISTERED = (("vat", "same"),)

NAME = Comparison(
    "name",
    "name",
    Unknown("words"),
    (
        Level("same", Same("name"), 0.62, 2e-5, 0.01, rare="name"),
        Level("same_words", Same("words"), 0.08, 1e-5, 3e-3, rare="words"),
        Level(
            "near_given",
            Same("family") & Near("given", 0.88),
            0.07,
            1e-4,
            0.01,
            rare="family",
        ),
        Level(
            "near_family",
            Same("given") & Near("family", 0.88),
            0.06,
            1e-4,
            3e-3,
            rare="given",
        ),
        Level("near", Near("words", 0.9), 0.04, 2e-4, 0.01),
        Level("initial", Same("family") & Same("initial"), 0.02, 4e-4, 0.02),
        Level(
            "only_given",
            Same("given") & Unknown("family"),
            0.03,
            1e-3,
            0.01,
            rare="given",
        ),
        Level(
            "only_family",
            Crossed("given", "family"),
            0.02,
            2e-3,
            0.03,
            against=True,
            settled=BORN,
        ),
        Level(
            "given",
            Same("given"),
            0.02,
            3e-3,
            0.03,
            rare="given",
            against=True,
            settled=BORN,
        ),
        Level("family", Same("family"), 0.02, 3e-3, 0.5, rare="family", against=True),
        Level("other", None, 0.02, 0.99, 0.374, against=True, settled=BORN),
    ),
)
BIRTHDATE = Comparison(
    "birthdate",
    "omni_birthdate",
    Unknown("birthdate"),
    (
        Level("same", Same("birthdate"), 0.88, 5e-5, 0.02, rare="birthdate"),
        Level("swapped", Crossed("birthdate", "birth_swapped"), 0.02, 2e-5, 1e-4),
        Level("near", Edits("birthdate", 1), 0.06, 1e-3, 2e-3),
        Level("same_day", Same("birth_day"), 0.01, 3e-3, 3e-3),
        Level("same_year", Same("year"), 0.01, 0.015, 0.015, against=True),
        Level("generation", Apart("year", 13), 3e-3, 0.6, 0.6, against=True),
        Level("other", None, 0.017, 0.381, 0.36, against=True),
    ),
)
EMAIL = Comparison(
    "email",
    "email",
    Unknown("email"),
    (
        Level("same", Same("email"), 0.6, 1e-5, 0.08, rare="email"),
        Level("same_user", Same("email_user"), 0.06, 1e-4, 1e-3, rare="email_user"),
        Level(
            "near",
            Edits("email", 2, 8) & Same("email_digits"),
            0.06,
            1e-4,
            5e-3,
        ),
        Level("like", Near("email", 0.88) & Same("email_digits"), 0.04, 5e-4, 5e-3),
        Level("other", None, 0.24, 0.9993, 0.89),
    ),
)
PHONE = Comparison(
    "phone",
    "phone",
    Unknown("phone"),
    (
        Level("same", Same("phone"), 0.6, 2e-5, rare="phone"),
        Level("same_tail", Same("phone_tail"), 0.03, 1e-5),
        Level("near", Edits("phone", 1, 8) & Same("phone_end"), 0.05, 1e-5, 5e-3),
        Level("other", None, 0.32, 0.9998, 0.5),
    ),
)
STREET = Comparison(
    "street",
    "street",
    Unknown("street"),
    (
        Level("same", Same("street"), 0.55, 2e-5, rare="street"),
        Level("same_words", Same("street_words"), 0.02, 1e-5),
        Level("swapped", Crossed("road", "building"), 0.02, 1e-5),
        Level("near", Same("house") & Near("road", 0.88), 0.12, 3e-5),
        Level("road", Same("road"), 0.08, 3e-4, rare="road"),
        Level("near_road", Near("road", 0.9), 0.05, 1e-3),
        Level("house", Same("house"), 0.05, 0.015),
        Level("other", None, 0.11, 0.98363),
    ),
)
PLACE = Comparison(
    "place",
    "city",
    Unknown("zip") & Unknown("city"),
    (
        Level("same", Same("zip") & Same("city"), 0.6, 1e-3, rare="zip"),
        Level("near_city", Same("zip") & Near("city", 0.85), 0.08, 5e-4, rare="zip"),
        Level("near_zip", Edits("zip", 1, 3) & Near("city", 0.85), 0.06, 1e-4),
        Level("zip", Same("zip"), 0.06, 2e-3, rare="zip"),
        Level("city", Same("city"), 0.08, 0.02, rare="city"),
        Level("like_city", Near("city", 0.85), 0.03, 0.01),
        Level("state", Same("state"), 0.04, 0.2),
        Level("other", None, 0.05, 0.7664),
    ),
)
BUILDING = Comparison(
    "building",
    "street2",
    Unknown("building"),
    (
        Level("same", Same("building"), 0.6, 1e-3, rare="building"),
        Level("near", Near("building", 0.88), 0.1, 5e-3),
        Level("other", None, 0.3, 0.994),
    ),
)
GENDER = Comparison(
    "gender",
    "omni_gender",
    Unknown("gender"),
    (
        Level("same", Same("gender"), 0.97, 0.5, 0.5),
        Level("other", None, 0.03, 0.5, 0.5, against=True),
    ),
)
EMPLOYER = Comparison(
    "employer",
    "parent_id",
    Unknown("employer"),
    (
        Level("same", Same("employer"), 0.5, 2e-3, rare="employer"),
        Level("near", Within("employer", 3), 0.1, 2e-3),
        Level("other", None, 0.4, 0.996),
    ),
)
FIRM_NAME = Comparison(
    "firm_name",
    "name",
    Unknown("name"),
    (
        Level("same", Same("name"), 0.6, 1e-5, 0.01, rare="name"),
        Level("same_words", Same("words"), 0.06, 1e-5, 5e-3, rare="words"),
        Level(
            "near",
            Same("numbers")
            & (Same("town") | Unknown("town"))
            & (Edits("given", 1, 6) | Near("given", 0.94)),
            0.1,
            1e-4,
            0.02,
        ),
        Level(
            "within",
            Same("numbers") & Within("name", 3),
            0.08,
            3e-4,
            0.1,
            against=True,
            settled=REGISTERED,
        ),
        Level(
            "near_words",
            # three bytes are one Chinese sign
            Same("numbers") & (Near("given", 0.88) | Edits("name", 3, 6)),
            0.08,
            1e-3,
            0.05,
            against=True,
            settled=REGISTERED,
        ),
        Level(
            "other",
            None,
            0.08,
            0.9985,
            0.815,
            against=True,
            settled=REGISTERED,
        ),
    ),
)
DOMAIN = Comparison(
    "domain",
    "email",
    Unknown("domain"),
    (
        Level("same_email", Same("email"), 0.35, 1e-5, rare="email"),
        Level("same", Same("domain"), 0.35, 1e-4, rare="domain"),
        Level("other", None, 0.3, 0.99989),
    ),
)
VAT = Comparison(
    "vat",
    "vat",
    Unknown("vat"),
    (
        Level("same", Same("vat"), 0.9, 1e-6, 0.02),
        Level("near", Edits("vat", 1, 8), 0.05, 1e-5, 1e-3),
        Level("other", None, 0.05, 0.999989, 0.979, against=True),
    ),
)
#: the comparisons of each kind of record
KINDS = {
    "person": (
        NAME,
        BIRTHDATE,
        EMAIL,
        PHONE,
        STREET,
        BUILDING,
        PLACE,
        GENDER,
        EMPLOYER,
    ),
    "company": (FIRM_NAME, VAT, DOMAIN, PHONE, STREET, BUILDING, PLACE),
}
#: keys under which records meet: columns that are equal on both sides
BLOCKS = {
    "person": (
        ("email",),
        ("phone_tail",),
        ("words",),
        ("birthdate",),
        ("road", "zip"),
        ("road", "city"),
        ("low", "zip"),
        ("high", "zip"),
        ("low", "city"),
        ("high", "city"),
        ("low", "house"),
        ("high", "house"),
        ("low", "birth_day"),
        ("low", "year"),
        ("high", "year"),
        ("zip", "house"),
        ("email_user",),
        ("stems",),
        ("building",),
        ("road", "house"),
    ),
    "company": (
        ("vat",),
        ("email",),
        ("domain",),
        ("phone_tail",),
        ("words",),
        ("given",),
        ("low",),
        ("high",),
        ("road", "house"),
        ("road", "zip"),
    ),
}
#: columns on which the records meet that the shares are learned from
LEARN = {
    "person": ("words", "birthdate", "email", "phone", "zip"),
    "company": ("words", "vat", "domain", "phone", "zip"),
}
#: agreements that hardly ever err, to find out how many duplicates there are
SURE = {
    "person": (
        ("words", "birthdate"),
        ("words", "email"),
        ("words", "phone"),
        ("words", "street", "zip"),
    ),
    "company": (("vat",), ("words", "phone"), ("words", "email"), ("words", "zip")),
}
LEVELS = {
    (comparison.code, level.code): level
    for comparisons in KINDS.values()
    for comparison in comparisons
    for level in comparison.levels
}
