"""The same definitions of features on Polars, DuckDB and Spark.

The rule: integers, days, counts and money (as minor units) are equal, other floats
within 1e-9 relative.
"""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parent.parent
ADDON = ROOT / "addons/crm_behavior_analytics"
NOW = datetime(2026, 5, 4, 12)
MODULES = [
    "crm_behavior_analytics_tools.features_commerce",
    "crm_behavior_analytics_tools.features_behavior",
]
EXACT = {"times", "days"}
CUSTOMERS = 40


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


load("tools_loader", ROOT / "addons/crm_data_governance/tools_loader.py").install(
    [ROOT / "addons"]
)
features = importlib.import_module("crm_behavior_analytics_tools.features")
lake = importlib.import_module("crm_behavior_analytics_tools.lake")
prediction = importlib.import_module("crm_behavior_analytics_tools.prediction")
refresh = importlib.import_module("crm_behavior_analytics_tools.refresh")
spark_entry = ROOT / "deploy/spark/features.py"


@pytest.fixture(scope="module")
def tables():
    generated = load("generated", ADDON / "tests/generated.py")
    return generated.customers(CUSTOMERS, NOW, seed=9)


@pytest.fixture(scope="module")
def frames(tables):
    return {
        name: pl.DataFrame(rows, infer_schema_length=None)
        for name, rows in tables.items()
    }


@pytest.fixture(scope="module")
def definitions():
    return prediction.load_definitions(MODULES)


def assert_same(found, expected, definitions):
    found, expected = found.sort("unit_id"), expected.sort("unit_id")
    assert found["unit_id"].to_list() == expected["unit_id"].to_list()
    for one in definitions:
        pairs = zip(
            found[one.code].to_list(), expected[one.code].to_list(), strict=True
        )
        for left, right in pairs:
            if left is None or right is None:
                assert left is None and right is None, one.code
            elif one.unit == "money" and "mean" not in one.code:
                assert round(left * 100) == round(right * 100), one.code
            elif one.unit in EXACT and left == int(left):
                assert left == right, one.code
            else:
                assert left == pytest.approx(right, rel=1e-9, abs=1e-12), one.code


def test_duckdb_equals_polars(frames, definitions, tmp_path):
    """Every definition compiles and counts the same on another engine."""
    ibis = pytest.importorskip("ibis")
    connection = ibis.duckdb.connect()
    units = pl.DataFrame({"unit_id": [*range(1, CUSTOMERS + 1), 99]})
    for name, frame in {**frames, "units": units}.items():
        path = tmp_path / f"{name}.parquet"
        frame.write_parquet(path)
        connection.read_parquet(path, table_name=name)
    found = features.compute(connection, connection.table("units"), NOW, definitions)
    polars = features.polars_connection({**frames, "units": units})
    expected = features.compute(polars, polars.table("units"), NOW, definitions)
    assert_same(found.to_polars(), expected.to_polars(), definitions)


def missing_for_spark():
    """Why Spark cannot run here, in one sentence; None when it can."""
    if os.environ.get("VERIFY") != "1":
        return "Spark runs in make verify."
    if not shutil.which("java"):
        return "Java is missing: install a JDK of version 17 or newer to test Spark."
    if importlib.util.find_spec("pyspark") is None:
        return "PySpark is missing: install requirements-spark.txt."
    return None


@pytest.mark.skipif(missing_for_spark() is not None, reason=str(missing_for_spark()))
def test_spark_equals_polars(tables, frames, definitions, tmp_path):
    """The entry of deploy/spark over a lake, as a batch and as a stream."""
    root = tmp_path / "lake"
    write_lake(root, tables["events"])
    facts = tmp_path / "facts"
    facts.mkdir()
    for name, frame in frames.items():
        if name != "events":
            frame.write_parquet(facts / f"{name}.parquet")
    expected = refresh.compute(frames, NOW, definitions)
    run_spark(root, facts, tmp_path / "batch")
    found = pl.read_parquet(tmp_path / "batch/*.parquet")
    assert_same(found, expected, definitions)

    # Whoever is spoken of in a file that arrives, and nobody else.
    run_spark(root, facts, tmp_path / "stream", "--stream", "--once")
    late = [row for row in tables["events"] if row["unit_id"] == 1][-3:]
    first = pl.read_parquet(tmp_path / "stream/batch=0/*.parquet")
    seen = {row["unit_id"] for row in tables["events"]}
    assert set(first["unit_id"]) == seen
    everybody = expected.filter(pl.col("unit_id").is_in(list(seen)))
    assert_same(first, everybody, definitions)
    last = max(row["id"] for row in tables["events"])
    new = [
        {
            **row,
            "id": last + 1 + place,
            "type": "page",
            "at": NOW.replace(hour=1),
            "known_at": NOW.replace(hour=1),
        }
        for place, row in enumerate(late)
    ]
    lake.Lake(str(root)).write_part("202605-2", [[stored(row) for row in new]])
    run_spark(root, facts, tmp_path / "stream", "--stream", "--once")
    second = pl.read_parquet(tmp_path / "stream/batch=1/*.parquet")
    assert second["unit_id"].to_list() == [1]
    before = everybody.filter(pl.col("unit_id") == 1)
    assert second["page_views_7d"].item() == before["page_views_7d"].item() + 3


def run_spark(root, facts, output, *options):
    done = subprocess.run(
        [
            sys.executable,
            spark_entry,
            *("--lake", root, "--facts", facts, "--output", output),
            *("--as-of", NOW.isoformat(), "--company", "1", *options),
        ],
        env={
            **os.environ,
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def stored(row):
    """A row of the generator as the store has it, with what the lake derives."""
    values = {
        **row,
        "received_at": row["known_at"],
        "timestamp": row["at"],
        "source_id": 1,
        "company_id": 1,
        "message_id": str(row["id"]),
        # Some are stamped, some are told by their own identifier; the user ID that a
        # page told names nobody.
        "anonymous_id": f"visitor-{row['unit_id']}",
        "user_id": f"user-{row['unit_id'] + 1}" if row["id"] % 3 else None,
        "vouched": row["id"] % 3 == 0,
        "identity_id": row["unit_id"] if row["id"] % 2 else None,
        "properties": "{}",
        "context": "{}",
        "source_type": "web",
    }
    return tuple(values[name] for name in (*lake.STORED, *lake.DERIVED))


def write_lake(root, events):
    root.mkdir()
    made = lake.Lake(str(root))
    rows = sorted((stored(row) for row in events), key=lambda row: row[1])
    made.write_part("202605-1", [rows])
    units = sorted({row["unit_id"] for row in events})
    nobody = max(units) + 1
    scopes = ("source:1", "company:1", "company:0")
    made.write_identities(
        [
            identity
            for unit in units
            for identity in (
                (unit, "anonymous_id", f"visitor-{unit}", scopes[unit % 3], unit),
                # told by pages only
                (unit + 10**6, "user_id", f"user-{unit}", "source:1", unit),
                # a wider scope does not count beside a narrower one
                *(
                    (unit + 10**7 * place, "anonymous_id", f"visitor-{unit}", scope)
                    + (nobody,)
                    for place, scope in enumerate(scopes[unit % 3 + 1 :], 1)
                ),
                (unit + 10**9, "anonymous_id", f"visitor-{unit}", "source:2", nobody),
            )
        ]
    )
