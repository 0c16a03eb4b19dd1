"""The features of customers on Spark, by the very definitions of the server.

    spark-submit deploy/spark/features.py --lake /data/behavior_lake/crm \
        --as-of 2026-05-04T00:00:00 --company 1 --output /data/features

``--lake`` is the root of the lake (events and the identity map beside them),
``--facts`` a folder with the other tables (``orders.parquet`` and so on, as the jobs of
the server have them), ``--output`` where the features go as Parquet, a row a customer.

With ``--stream`` the lake is watched: as files of events arrive, the features of the
customers whom they speak of are computed anew, each batch into a folder of its own,
``<output>/batch=<n>``; the checkpoint is ``<output>/_checkpoint``. ``--once`` ends when
all that is there has been looked at.

Needs ``requirements-spark.txt`` and Java 17 or newer, and no Odoo.
"""

import argparse
import importlib
import importlib.util
import sys
from datetime import datetime
from pathlib import Path

ADDONS = Path(__file__).resolve().parents[2] / "addons"
BEHAVIOR = "crm_behavior_analytics_tools.features_behavior"
COMMERCE = "crm_behavior_analytics_tools.features_commerce"


def load_tools(addons):
    """Make the pure parts of the addons importable, as the server's jobs have them."""
    path = addons / "crm_data_governance/tools_loader.py"
    spec = importlib.util.spec_from_file_location("tools_loader", path)
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    loader.install([addons])


def session():
    """A Spark session that takes times as they are: UTC, without a zone."""
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.appName("customer-features")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.inferTimestampNTZ.enabled", "true")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )


def read_events(spark, lake, company):
    """The lake's events with the persons of today, as the definitions read them.

    The same as ``facts`` and ``visits`` of ``tools/lake.py`` and ``with_unit`` of
    ``tools/lake_people.py``, for a cluster.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    identities = spark.read.parquet(f"{lake}/identities.parquet")
    events = spark.read.option("mergeSchema", "true").parquet(f"{lake}/events")
    if "vouched" not in events.columns:
        # All files are older than the column: what they tell is unvouched.
        events = events.withColumn("vouched", F.lit(False))
    by_user = F.coalesce("vouched", F.lit(False)) & F.col("user_id").isNotNull()
    events = (
        events.where(
            (F.col("company_id") == company) & (F.col("source_type") != "odoo")
        )
        .withColumn("kind", F.when(by_user, "user_id").otherwise("anonymous_id"))
        .withColumn(
            "value",
            F.when(by_user, F.col("user_id")).otherwise(F.col("anonymous_id")),
        )
        .join(
            identities.select("identity_id", F.col("unit_id").alias("stamped")),
            "identity_id",
            "left",
        )
    )
    scopes = {
        "in_source": F.concat(F.lit("source:"), F.col("source_id")),
        "in_company": F.concat(F.lit("company:"), F.col("company_id")),
        "in_all": F.lit("company:0"),
    }
    for name, scope in scopes.items():
        named = identities.select(
            "kind", "value", "scope", F.col("unit_id").alias(name)
        )
        events = events.withColumn("scope", scope).join(
            named, ["kind", "value", "scope"], "left"
        )
    events = events.withColumn("unit_id", F.coalesce("stamped", *scopes)).where(
        "unit_id IS NOT NULL"
    )
    order = Window.partitionBy("unit_id").orderBy("received_at", "id")
    micros = F.expr("timestampdiff(MICROSECOND, previous_at, received_at)")
    return (
        events.withColumn("previous_at", F.lag("received_at").over(order))
        .withColumn("gap", micros)
        .withColumn(
            "starts_visit", F.col("gap").isNull() | (F.col("gap") > 1800 * 10**6)
        )
        .select(
            "unit_id",
            "id",
            F.col("received_at").alias("known_at"),
            F.col("timestamp").alias("at"),
            "type",
            "event",
            "page",
            "channel",
            "category",
            "amount",
            F.col("local_day").alias("day"),
            "hour_of_week",
            "starts_visit",
            F.when(F.col("starts_visit"), F.col("gap") / 86400e6).alias("gap_days"),
        )
    )


def compute(spark, tables, units, as_of):
    """Features of some units.

    :param dict tables: name → Spark frame
    :param units: Spark frame with ``unit_id``
    :param datetime as_of: naive UTC
    :return: Spark frame
    """
    import ibis

    features = importlib.import_module("crm_behavior_analytics_tools.features")
    prediction = importlib.import_module("crm_behavior_analytics_tools.prediction")
    definitions = prediction.load_definitions(
        [BEHAVIOR, COMMERCE] if "orders" in tables else [BEHAVIOR]
    )
    for name, frame in {**tables, "units": units}.items():
        frame.createOrReplaceTempView(name)
    connection = ibis.pyspark.connect(spark)
    expression = features.compute(
        connection, connection.table("units"), as_of, definitions
    )
    return spark.sql(connection.compile(expression))


def read_tables(spark, arguments):
    tables = {"events": read_events(spark, arguments.lake, arguments.company)}
    if arguments.facts:
        for path in sorted(Path(arguments.facts).glob("*.parquet")):
            tables.setdefault(path.stem, spark.read.parquet(str(path)))
    return tables


def all_units(tables):
    """Whoever has a fact in one of the tables."""
    frames = [frame.select("unit_id") for frame in tables.values()]
    units = frames[0]
    for frame in frames[1:]:
        units = units.union(frame)
    return units.distinct()


def run_batch(spark, arguments):
    tables = read_tables(spark, arguments)
    table = compute(spark, tables, all_units(tables), arguments.as_of)
    table.write.mode("overwrite").parquet(arguments.output)


def run_stream(spark, arguments):
    """Compute anew whoever is spoken of in the files that arrive."""
    schema = spark.read.parquet(f"{arguments.lake}/events").schema

    def on_batch(arrived, number):
        tables = read_tables(spark, arguments)
        whose = tables["events"].join(arrived.select("id"), "id", "left_semi")
        units = whose.select("unit_id").distinct()
        table = compute(spark, tables, units, arguments.as_of)
        table.write.mode("overwrite").parquet(f"{arguments.output}/batch={number}")

    stream = (
        spark.readStream.schema(schema)
        .parquet(f"{arguments.lake}/events")
        .writeStream.foreachBatch(on_batch)
        .option("checkpointLocation", f"{arguments.output}/_checkpoint")
    )
    if arguments.once:
        stream = stream.trigger(availableNow=True)
    stream.start().awaitTermination()


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lake", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--as-of", required=True, type=datetime.fromisoformat)
    parser.add_argument("--company", required=True, type=int)
    parser.add_argument("--facts")
    parser.add_argument("--addons", type=Path, default=ADDONS)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--once", action="store_true")
    return parser.parse_args(arguments)


def main(arguments=None):
    arguments = parse(arguments)
    load_tools(arguments.addons)
    spark = session()
    (run_stream if arguments.stream else run_batch)(spark, arguments)
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
