"""The lake: old events as Parquet files, a folder a day.

``<root>/events/day=2026-03-01/part-202603-1.parquet``, read as one table by anything
that knows Hive's partitioning (Polars, DuckDB, Spark).  The root is an address of
fsspec: a folder, or a bucket.  Events keep the anonymous ID and the identity by which
they were stamped, never the person: ``<root>/identities.parquet`` says whose identities
are whose today, so that a merge of customers and its undoing touch no file of events.

A *part* is what one move took out of one month of the store.  Its files are complete
before the store lets go of the month, and verified by reading them again.

A file is replaced as a whole: a reader sees the old one or the new one.
"""

import hashlib
import json
from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)
#: as the store has them; texts of JSON
STORED = (
    "id",
    "received_at",
    "source_id",
    "company_id",
    "message_id",
    "type",
    "event",
    "anonymous_id",
    "user_id",
    "identity_id",
    "timestamp",
    "page",
    "properties",
    "context",
)
#: read out of them when they are written, for the features
DERIVED = ("source_type", "channel", "category", "amount", "day", "hour_of_week")
IDENTITIES = "identities.parquet"
VISIT = timedelta(minutes=30)
NO_VALUE = "\\N"


def schema():
    """The columns of a file of events, as a pyarrow schema."""
    import pyarrow as pa

    moment = pa.timestamp("us")
    kinds = {
        "received_at": moment,
        "timestamp": moment,
        **dict.fromkeys(
            ("id", "source_id", "company_id", "identity_id", "amount"), pa.int64()
        ),
        **dict.fromkeys(("day", "hour_of_week"), pa.int64()),
    }
    # `day` is the folder's name already
    return pa.schema(
        [
            ("local_day" if name == "day" else name, kinds.get(name, pa.string()))
            for name in (*STORED, *DERIVED)
        ]
    )


def digest(row):
    """What a row adds to the checksum of its part: order does not matter in a sum.

    :param row: values of ``STORED``, times in microseconds since 1970
    """
    text = "|".join(NO_VALUE if value is None else str(value) for value in row)
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8], 16)


class Lake:
    """The files below a root.

    :param str url: address of fsspec
    """

    def __init__(self, url):
        import fsspec

        self.fs, self.root = fsspec.core.url_to_fs(url)

    def path(self, *names):
        return "/".join((self.root.rstrip("/"), *names))

    def part_path(self, day, part):
        return self.path("events", f"day={day:%Y-%m-%d}", f"part-{part}.parquet")

    def part_files(self, part):
        """The files of a part, sorted."""
        return sorted(
            self.fs.glob(self.path("events", "day=*", f"part-{part}.parquet"))
        )

    def files(self):
        """All files of events, sorted."""
        return sorted(self.fs.glob(self.path("events", "day=*", "part-*.parquet")))

    # --- WRITING ---

    def write_part(self, part, batches):
        """Write a part anew, a file a day.

        What an earlier try has left of it goes first: the store had not let go of it.

        :param str part: name of the part
        :param batches: iterable of lists of rows of ``STORED + DERIVED``, in the order
            of ``received_at``
        """
        import pyarrow as pa

        for path in self.part_files(part):
            self.fs.rm_file(path)
        today, rows = None, []
        for batch in batches:
            for row in batch:
                day = row[1].date()
                if day != today and rows:
                    self._write(self.part_path(today, part), pa, rows)
                    rows = []
                today = day
                rows.append(row)
        if rows:
            self._write(self.part_path(today, part), pa, rows)

    def _write(self, path, pa, rows):
        kinds = schema()
        columns = zip(*rows, strict=True)
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, kinds, strict=True)
        ]
        self.replace(path, pa.table(arrays, schema=kinds))

    def replace(self, path, table):
        """Put a table in the place of a file, at once."""
        import pyarrow.parquet as pq

        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        draft = f"{path}.draft"
        with self.fs.open(draft, "wb") as file:
            pq.write_table(table, file)
        self.fs.mv(draft, path)

    # --- VERIFYING ---

    def measure(self, part):
        """Read a part again.

        :return: (number of rows, sum of the digests of its rows)
        """
        rows = checksum = 0
        for path in self.part_files(part):
            for batch in self._read(path, STORED).to_batches():
                columns = [
                    batch.column(name).cast("int64").to_pylist()
                    if name in ("received_at", "timestamp")
                    else batch.column(name).to_pylist()
                    for name in STORED
                ]
                for row in zip(*columns, strict=True):
                    rows += 1
                    checksum += digest(row)
        return rows, checksum

    def _read(self, path, columns=None):
        import pyarrow.parquet as pq

        with self.fs.open(path, "rb") as file:
            # One file, not a data set: the folder's day is no column of it. No
            # threads: the server's process may fork.
            return pq.ParquetFile(file).read(columns=columns, use_threads=False)

    # --- ERASING ---

    def erase(self, identity_ids, names, emails):
        """Take the events of a person out, by writing the files that have some anew.

        :param identity_ids: identities of the person, by which events are stamped
        :param names: anonymous IDs and user IDs of the person, for events that nothing
            is stamped on
        :param emails: small letters; whoever identified themselves by one of them
        :return: how many events
        """
        import pyarrow as pa

        identity_ids, names, emails = set(identity_ids), set(names), set(emails)
        erased = 0
        for path in self.files():
            table = self._read(path)
            theirs = [
                _is_theirs(row, identity_ids, names, emails)
                for row in table.select(
                    ["identity_id", "user_id", "anonymous_id", "type", "properties"]
                ).to_pylist()
            ]
            if not any(theirs):
                continue
            erased += sum(theirs)
            kept = table.filter(pa.array([not one for one in theirs]))
            if kept.num_rows:
                self.replace(path, kept)
            else:
                self.fs.rm_file(path)
        return erased

    # --- IDENTITIES ---

    def write_identities(self, rows):
        """Write the identity map.

        :param rows: (identity id, kind, value, source id or None, person's id)
        """
        import pyarrow as pa

        kinds = identity_schema()
        columns = zip(*rows, strict=True) if rows else [[] for _field in kinds]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, kinds, strict=True)
        ]
        self.replace(self.path(IDENTITIES), pa.table(arrays, schema=kinds))


def identity_schema():
    """The columns of the identity map, as a pyarrow schema."""
    import pyarrow as pa

    return pa.schema(
        [
            ("identity_id", pa.int64()),
            ("kind", pa.string()),
            ("value", pa.string()),
            ("source_id", pa.int64()),
            ("unit_id", pa.int64()),
        ]
    )


def _is_theirs(row, identity_ids, names, emails):
    if row["identity_id"] is not None:
        return row["identity_id"] in identity_ids
    if (row["user_id"] or row["anonymous_id"]) in names:
        return True
    if row["type"] != "identify" or not emails:
        return False
    traits = json.loads(row["properties"])
    email = traits.get("email") if isinstance(traits, dict) else None
    return isinstance(email, str) and email.lower() in emails


# --- FACTS ---


def facts(url, parts, company_id, identities):
    """The events of the lake as the features read them, each with its person of today.

    :param str url: root of the lake
    :param parts: names of the parts that count: those that the store has let go of
    :param int company_id: of this company
    :param identities: Polars frame as of :func:`identity_schema`
    :return: Polars frame of the table ``events`` (``features_behavior.py``) without
        what :func:`visits` adds; None when there is nothing
    """
    import polars as pl

    lake = Lake(url)
    files = [path for part in parts for path in lake.part_files(part)]
    if not files:
        return None
    frames = []
    for path in files:
        with lake.fs.open(path, "rb") as file:
            frames.append(pl.read_parquet(file, hive_partitioning=False))
    events = pl.concat(frames).filter(
        (pl.col("company_id") == company_id) & (pl.col("source_type") != "odoo")
    )
    stamped = identities.select("identity_id", stamped="unit_id")
    named = identities.filter(pl.col("source_id").is_not_null()).select(
        "kind", "value", "source_id", named="unit_id"
    )
    by_user = pl.col("user_id").is_not_null()
    return (
        events.with_columns(
            kind=pl.when(by_user)
            .then(pl.lit("user_id"))
            .otherwise(pl.lit("anonymous_id")),
            value=pl.coalesce("user_id", "anonymous_id"),
        )
        .join(stamped, "identity_id", "left")
        .join(named, ["kind", "value", "source_id"], "left")
        .with_columns(unit_id=pl.coalesce("stamped", "named"))
        .filter(pl.col("unit_id").is_not_null())
        .select(
            "unit_id",
            "id",
            "type",
            "event",
            "page",
            "channel",
            "category",
            "amount",
            "hour_of_week",
            known_at="received_at",
            at="timestamp",
            day="local_day",
        )
    )


def visits(events):
    """Add what needs the order in which a person's events were received.

    That order is the only one that the past keeps: by the moment at which they
    happened, an event that arrives late would come before one long known.

    :param events: Polars frame with ``unit_id``, ``known_at``, ``id``
    :return: the frame, sorted, with ``starts_visit`` and ``gap_days``, without ``id``
    """
    import polars as pl

    gap = pl.col("known_at") - pl.col("known_at").shift(1).over("unit_id")
    starts = gap.is_null() | (gap > VISIT)
    return (
        events.sort("unit_id", "known_at", "id")
        .with_columns(
            starts_visit=starts,
            gap_days=pl.when(starts).then(gap.dt.total_microseconds() / 86400e6),
        )
        .drop("id")
    )
