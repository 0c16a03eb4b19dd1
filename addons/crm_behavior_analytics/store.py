"""The tables of the event store: they are no models, so they are made here.

``behavior_event_store`` is partitioned by the month of ``received_at``, with a default
partition for what no month takes; ``behavior_message`` makes each message land once.
The model ``behavior.event`` is a view on the store, which joins the person through the
identities of ``omni_identity`` at the moment of reading: a merge of customers, an
identification or their undoing touches no event.
"""

from datetime import date

from odoo.tools import SQL

#: months made ahead of need
MONTHS_AHEAD = 3
#: What names whose event it is.  A user ID is the stronger one, and an anonymous ID
#: beside it names the device only; but the user ID that a page tells names nobody.
VISITOR = SQL(
    "CASE WHEN vouched THEN coalesce(user_id, anonymous_id) ELSE anonymous_id END"
)
KIND = SQL(
    "CASE WHEN vouched AND user_id IS NOT NULL THEN 'user_id' ELSE 'anonymous_id' END"
)


def create_store(cr):
    """Make the tables where they are missing."""
    cr.execute(
        SQL(
            """
            CREATE TABLE IF NOT EXISTS behavior_event_store (
                id bigserial NOT NULL,
                received_at timestamp NOT NULL,
                source_id integer NOT NULL,
                company_id integer NOT NULL,
                message_id text NOT NULL,
                type text NOT NULL,
                event text,
                anonymous_id text,
                user_id text,
                vouched boolean NOT NULL DEFAULT TRUE,
                identity_id integer,
                "timestamp" timestamp NOT NULL,
                page text,
                properties jsonb NOT NULL,
                context jsonb NOT NULL,
                PRIMARY KEY (id, received_at)
            ) PARTITION BY RANGE (received_at);
            CREATE TABLE IF NOT EXISTS behavior_event_store_default
                PARTITION OF behavior_event_store DEFAULT;
            CREATE INDEX IF NOT EXISTS behavior_event_store_received_idx
                ON behavior_event_store (received_at, id);
            CREATE INDEX IF NOT EXISTS behavior_event_store_identity_idx
                ON behavior_event_store (identity_id);
            -- of a store that is older than they are
            ALTER TABLE behavior_event_store
                ADD COLUMN IF NOT EXISTS vouched boolean NOT NULL DEFAULT TRUE;
            DROP INDEX IF EXISTS behavior_event_store_visitor_idx;
            CREATE INDEX IF NOT EXISTS behavior_event_store_named_idx
                ON behavior_event_store ((%(visitor)s));
            CREATE TABLE IF NOT EXISTS behavior_message (
                source_id integer NOT NULL,
                message_id text NOT NULL,
                received_at timestamp NOT NULL,
                PRIMARY KEY (source_id, message_id)
            );
            CREATE INDEX IF NOT EXISTS behavior_message_received_idx
                ON behavior_message USING brin (received_at)
            """,
            visitor=VISITOR,
        )
    )


def create_view(cr):
    """Make the view that the model reads.

    Who an event belongs to: the identity that it was stamped with when it landed; if
    there was none, or it is gone, whoever its own identifier names today, by the rule
    of ``omni.identity._resolve_many``: in its source, else in its company, else in
    all; a quarantined one names nobody.  Each join is on the unique key of the
    identities.
    """
    cr.execute(
        SQL(
            """
            DROP VIEW IF EXISTS behavior_event;
            CREATE VIEW behavior_event AS
            SELECT event.id, event.received_at, event.source_id, event.company_id,
                   event.message_id, event.type, event.event, event.anonymous_id,
                   event.user_id, event.vouched, event.visitor, event.identity_id,
                   event."timestamp", event.page, event.properties, event.context,
                   coalesce(stamped.partner_id, in_source.partner_id,
                            in_company.partner_id, in_all.partner_id) AS partner_id
            FROM (
                SELECT *, %(visitor)s AS visitor, %(kind)s AS kind
                FROM behavior_event_store
            ) AS event
            LEFT JOIN omni_identity AS stamped ON stamped.id = event.identity_id
             AND stamped.quarantined IS NOT TRUE
            LEFT JOIN omni_identity AS in_source
              ON in_source.value = event.visitor AND in_source.kind = event.kind
             AND in_source.scope = 'source:' || event.source_id
             AND in_source.quarantined IS NOT TRUE
            LEFT JOIN omni_identity AS in_company
              ON in_company.value = event.visitor AND in_company.kind = event.kind
             AND in_company.scope = 'company:' || event.company_id
             AND in_company.quarantined IS NOT TRUE
            LEFT JOIN omni_identity AS in_all
              ON in_all.value = event.visitor AND in_all.kind = event.kind
             AND in_all.scope = 'company:0'
             AND in_all.quarantined IS NOT TRUE
            """,
            visitor=VISITOR,
            kind=KIND,
        )
    )


def drop_store(cr):
    """Take everything away again; the sequence goes with its column."""
    cr.execute(
        """
        DROP VIEW IF EXISTS behavior_event;
        DROP TABLE IF EXISTS behavior_event_store, behavior_message
        """
    )


def months_from(first, count):
    """Return the first days of ``count`` months, from the month of a date on."""
    months = first.year * 12 + first.month - 1
    return [
        date(number // 12, number % 12 + 1, 1)
        for number in range(months, months + count)
    ]


def ensure_partitions(cr, months):
    """Make the partitions of some months; return how many were missing.

    What the default partition holds of a month moves over.

    :param months: iterable of dates
    """
    wanted = {months_from(month, 1)[0] for month in months}
    names = {month: partition_name(month) for month in wanted}
    if not _missing(cr, names):
        return 0
    # Processes that make the same partition wait here for each other, and for nobody
    # else.  An advisory lock would not do: to_regclass remembers that a table was
    # missing until the transaction takes the lock of a table.
    cr.execute("LOCK TABLE ONLY behavior_event_store IN SHARE UPDATE EXCLUSIVE MODE")
    missing = _missing(cr, names)
    for month in missing:
        _create_partition(cr, names[month], month)
    return len(missing)


def partition_name(month):
    """The table of a month."""
    return f"behavior_event_store_{month:%Y_%m}"


def partition_months(cr):
    """The months that have a table of their own, the oldest first."""
    cr.execute(
        """
        SELECT to_date(right(child.relname, 7), 'YYYY_MM')
        FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'behavior_event_store'::regclass
          AND child.relname ~ '_[0-9]{4}_[0-9]{2}$'
        ORDER BY 1
        """
    )
    return [month for (month,) in cr.fetchall()]


def drop_partition(cr, month):
    """Take a month out of the store."""
    table = SQL.identifier(partition_name(month))
    cr.execute(SQL("ALTER TABLE behavior_event_store DETACH PARTITION %s", table))
    cr.execute(SQL("DROP TABLE %s", table))


def _missing(cr, names):
    # to_regclass does not depend on our snapshot
    cr.execute(
        "SELECT name FROM unnest(%s) AS name WHERE to_regclass(name) IS NULL",
        [list(names.values())],
    )
    missing = {name for (name,) in cr.fetchall()}
    return sorted(month for month, name in names.items() if name in missing)


def _create_partition(cr, name, month):
    params = {
        "name": SQL.identifier(name),
        "first": month,
        "next": months_from(month, 2)[1],
    }
    # Attached, not created as a partition: that would keep readers waiting.
    cr.execute(
        SQL(
            "CREATE TABLE %(name)s (LIKE behavior_event_store INCLUDING ALL)",
            name=params["name"],
        )
    )
    cr.execute(
        SQL(
            """
            WITH moved AS (
                DELETE FROM behavior_event_store_default
                WHERE received_at >= %(first)s AND received_at < %(next)s
                RETURNING *
            )
            INSERT INTO %(name)s SELECT * FROM moved
            """,
            **params,
        )
    )
    cr.execute(
        SQL(
            "ALTER TABLE behavior_event_store ATTACH PARTITION %(name)s"
            " FOR VALUES FROM (%(first)s) TO (%(next)s)",
            **params,
        )
    )
