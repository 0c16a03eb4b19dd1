"""The lake: old events as Parquet files, a folder a day.

``<root>/events/day=2026-03-01/part-202603-1.parquet``, read as one table by anything
that knows Hive's partitioning (Polars, DuckDB, Spark).  The root is an address of
fsspec: a folder, or a bucket.  Events keep the anonymous ID and the identity by which
they were stamped, never the person: ``<root>/identities.parquet`` says whose identities
are whose today (``lake_people.py``), so that a merge of customers and its undoing touch
no file of events.

A *part* is what one move took out of one month of the store.  Its files are complete
before the store lets go of the month, and verified by reading them again.

A file is replaced as a whole: a reader sees the old one or the new one.
"""

import hashlib
from datetime import datetime, timedelta

from .lake_people import Erased, identity_schema, with_unit

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
    "vouched",
    "identity_id",
    "timestamp",
    "page",
    "properties",
    "context",
)
#: of ``STORED``, what a checksum takes as a number: microseconds since 1970; 0 or 1
AS_NUMBER = ("received_at", "timestamp", "vouched")
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
        "vouched": pa.bool_(),
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

    :param row: values of ``STORED``, those of ``AS_NUMBER`` as integers
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
                    if name in AS_NUMBER
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

    def find_suspects(self, people):
        """Find the events that may be those of some persons.

        :param people: list of :class:`~.lake_people.Erased`
        :return: dict of path of a file → list of rows as dicts, of ``Erased.COLUMNS``
        """
        suspects = {}
        for path in self.files():
            rows = [
                # a file may be older than the column
                {"vouched": False, **row}
                for row in self._read(path, Erased.COLUMNS).to_pylist()
            ]
            found = [row for row in rows if any(one.may_have(row) for one in people)]
            if found:
                suspects[path] = found
        return suspects

    def erase(self, people, suspects, stamps, keys):
        """Take the events of persons out, by writing the files that have some anew.

        :param people: list of :class:`~.lake_people.Erased`
        :param dict suspects: of :meth:`find_suspects`
        :param stamps: as for ``Erased.has``, those that the suspects are stamped with
        :param keys: as for ``Erased.has``, those that the suspects tell
        :return: how many events
        """
        import pyarrow as pa

        erased = 0
        for path, rows in suspects.items():
            theirs = {
                row["id"]
                for row in rows
                if any(one.has(row, stamps, keys) for one in people)
            }
            if not theirs:
                continue
            erased += len(theirs)
            table = self._read(path)
            kept = table.filter(
                pa.array([one not in theirs for one in table["id"].to_pylist()])
            )
            if kept.num_rows:
                self.replace(path, kept)
            else:
                self.fs.rm_file(path)
        return erased

    # --- IDENTITIES ---

    def write_identities(self, rows):
        """Write the identity map.

        :param rows: (identity id, kind, value, scope, person's id)
        """
        import pyarrow as pa

        kinds = identity_schema()
        columns = zip(*rows, strict=True) if rows else [[] for _field in kinds]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, kinds, strict=True)
        ]
        self.replace(self.path(IDENTITIES), pa.table(arrays, schema=kinds))


# --- FACTS ---


def facts(url, parts, company_id, identities):
    """The events of the lake as the features read them, each with its person of today.

    :param str url: root of the lake
    :param parts: names of the parts that count: those that the store has let go of
    :param int company_id: of this company
    :param identities: Polars frame as of :func:`~.lake_people.identity_schema`
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
    # A file may be older than the column: what it tells is unvouched.
    events = (
        pl.concat(
            [pl.DataFrame(schema={"vouched": pl.Boolean}), *frames], how="diagonal"
        )
        .with_columns(pl.col("vouched").fill_null(False))
        .filter(
            (pl.col("company_id") == company_id) & (pl.col("source_type") != "odoo")
        )
    )
    return (
        with_unit(events, identities)
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
