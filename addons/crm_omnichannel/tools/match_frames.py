"""Data frames of the matcher: records as they are compared, keys where they meet."""

import numpy as np
import pandas as pd

from .match_comparisons import BLOCKS
from .match_records import COLUMNS, PREPARED, is_company_name, prepare

#: a key that more records share brings nobody together
CROWD = 300
#: a kind of key that would bring together more pairs a record is left out
PAIRS_A_RECORD = 60

# columns beside those of a record
ID, COMPANY, PARENT, FRESH, KIND = (
    "unique_id",
    "company_id",
    "parent_id",
    "fresh",
    "is_company",
)


def prepared(records):
    """Return the prepared records of a data frame, by kind.

    :param records: columns of ``match_records.COLUMNS`` (absent ones are empty),
        ``unique_id`` (whole numbers above 0) and, if there, ``company_id`` (0: of all),
        ``parent_id`` (0: none), ``fresh`` (default: all), ``is_company``
        (default: by the legal form of the name)
    :return: ``{kind: data frame}``
    """
    texts = [name for name in COLUMNS if name in records]
    rows = records[texts].astype(object).where(records[texts].notna(), None)
    rows = [dict(zip(texts, row, strict=True)) for row in rows.itertuples(index=False)]
    if KIND in records:
        firms = records[KIND].fillna(False).astype(bool).to_numpy()
    else:
        firms = np.array([is_company_name(row.get("name")) for row in rows], bool)
    found = {}
    for kind, mask in (("person", ~firms), ("company", firms)):
        chosen = np.flatnonzero(mask)
        frame = pd.DataFrame(
            [prepare(rows[number], kind == "company") for number in chosen],
            columns=PREPARED,
            dtype=object,
        )
        frame["year"] = frame["year"].astype("Int32")
        part = records.iloc[chosen].reset_index(drop=True)
        frame[ID] = part[ID].astype("int64")
        for name in (COMPANY, PARENT):
            frame[name] = part[name].fillna(0).astype("int64") if name in part else 0
        frame[FRESH] = part[FRESH].astype(bool) if FRESH in part else True
        found[kind] = frame
    return found


def block_keys(frame, kind):
    """Return the keys under which records meet: columns ``key_0`` … of whole numbers.

    A key of one record only, and one that too many share, is empty; a kind of key that
    would bring together too many pairs is left out. So the pairs grow with the records,
    not with their square.
    """
    keys = {}
    for columns in BLOCKS[kind]:
        known = frame[list(columns)].notna().all(axis=1)
        if not known.any():
            continue
        parts = [frame.loc[known, name].astype(str) for name in columns]
        joined = parts[0].str.cat(parts[1:], sep="\x1f") if parts[1:] else parts[0]
        codes, _values = pd.factorize(joined)
        sizes = np.bincount(codes)
        sizes[(sizes < 2) | (sizes > CROWD)] = 0
        pairs = (sizes.astype(np.int64) * (sizes - 1) // 2).sum()
        if not pairs or pairs > PAIRS_A_RECORD * len(frame):
            continue
        column = pd.Series(pd.NA, index=frame.index, dtype="Int64")
        column[known] = np.where(sizes[codes] > 0, codes, -1)
        keys[f"key_{len(keys)}"] = column.mask(column == -1)
    return pd.DataFrame(keys, index=frame.index)
