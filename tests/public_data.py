"""Public data sets of predictions, read from the packages that carry them.

The files stay where the package manager puts them; none is committed.
"""

import csv
import importlib.util
import io
import tarfile
from datetime import date, timedelta
from pathlib import Path

from scripts.layout import RUN

#: the sample of CDNOW is observed for 39 weeks, and then for 39 weeks more
CDNOW_END = date(1997, 9, 30)
CDNOW_HELD_OUT_DAYS = 273
#: carried by the source package alone, which is downloaded and never installed
TELCO_PACKAGE = "evalml==0.84.0"
TELCO_FILE = "evalml/demos/data/churn.csv"


def cdnow():
    """Days on which the customers of the CDNOW sample (Fader and Hardie) bought.

    :return: dict of customer → sorted list of dates
    """
    package = importlib.util.find_spec("lifetimes")
    path = Path(package.origin).parent / "datasets/CDNOW_sample.txt"
    days = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if len(fields) == 5:
            day = date(int(fields[2][:4]), int(fields[2][4:6]), int(fields[2][6:]))
            days.setdefault(fields[1], set()).add(day)
    return {customer: sorted(bought) for customer, bought in days.items()}


def purchases(days, end):
    """Frequency, recency and age of everybody who bought by a day, in days.

    :param dict days: of :func:`cdnow`
    :param date end: the last day that is seen
    :return: list of (customer, frequency, recency, age)
    """
    rows = []
    for customer, bought in days.items():
        seen = [day for day in bought if day <= end]
        if seen:
            recency, age = (seen[-1] - seen[0]).days, (end - seen[0]).days
            rows.append((customer, len(seen) - 1, recency, age))
    return rows


def buys_after(days, end, length):
    """Who buys within so many days after a day."""
    last = end + timedelta(days=length)
    return {
        customer
        for customer, bought in days.items()
        if any(end < day <= last for day in bought)
    }


def telco():
    """The Telco churn set as columns of numbers; words become one column each.

    :return: (dict of name → list of floats, list of labels)
    """
    from scripts import python_env

    folder = RUN / "datasets"
    archive = folder / f"{TELCO_PACKAGE.replace('==', '-')}.tar.gz"
    if not archive.is_file():
        python_env.download_source(folder, TELCO_PACKAGE)
    with tarfile.open(archive) as source:
        name = next(one for one in source.getnames() if one.endswith(TELCO_FILE))
        text = source.extractfile(name).read().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    labels = [int(row["Churn"] == "Yes") for row in rows]
    frame = {}
    for column in rows[0]:
        if column in ("Churn", "customerID"):
            continue
        values = [row[column].strip() for row in rows]
        if all(_is_number(value) or not value for value in values):
            frame[column] = [float(value or "nan") for value in values]
        else:
            for word in sorted(set(values)):
                frame[f"{column}: {word}"] = [float(value == word) for value in values]
    return frame, labels


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
