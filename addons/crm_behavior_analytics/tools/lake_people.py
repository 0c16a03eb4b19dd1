"""Whose an event of the lake is: the rule of ``omni.identity._resolve_many``.

The identity that the event was stamped with when it landed; if there was none, or it
is gone, whoever its own identifier names: in its source, else in its company, else in
all.  A user ID is the stronger identifier, but one that a page told (``vouched`` is
false) names nobody.  A quarantined identity names nobody: it is not in the map.

The view of ``store.py`` says the same of the events in the database, and
``deploy/spark/features.py`` for a cluster.
"""

import json


def identity_schema():
    """The columns of the identity map, as a pyarrow schema."""
    import pyarrow as pa

    return pa.schema(
        [
            ("identity_id", pa.int64()),
            ("kind", pa.string()),
            ("value", pa.string()),
            ("scope", pa.string()),
            ("unit_id", pa.int64()),
        ]
    )


def with_unit(events, identities):
    """Add whose each event is today.

    :param events: Polars frame of events; ``vouched`` is never null
    :param identities: Polars frame as of :func:`identity_schema`
    :return: the frame with ``unit_id``, null where the event is nobody's, and with what
        led to it
    """
    import polars as pl

    scopes = {
        "in_source": pl.format("source:{}", "source_id"),
        "in_company": pl.format("company:{}", "company_id"),
        "in_all": pl.lit("company:0"),
    }
    by_user = pl.col("vouched") & pl.col("user_id").is_not_null()
    events = events.with_columns(
        kind=pl.when(by_user).then(pl.lit("user_id")).otherwise(pl.lit("anonymous_id")),
        value=pl.when(by_user).then("user_id").otherwise("anonymous_id"),
    ).join(identities.select("identity_id", stamped="unit_id"), "identity_id", "left")
    for name, scope in scopes.items():
        named = identities.select(
            "kind", "value", "scope", pl.col("unit_id").alias(name)
        )
        events = events.with_columns(scope=scope).join(
            named, ["kind", "value", "scope"], "left"
        )
    return events.with_columns(unit_id=pl.coalesce("stamped", *scopes))


class Erased:
    """Somebody who is to be erased, by what led to their events.

    In plain Python: the server erases, and threads of Polars do not survive its forks.

    :param identities: iterable of (identity id, kind, value, scope, whether it is
        quarantined), those that the person had
    :param names: anonymous IDs and user IDs that only the request names, for events of
        nobody
    :param emails: addresses in their normal form, or as told where they are none; for
        events of nobody
    """

    #: columns of an event that are looked at
    COLUMNS = (
        "id",
        "source_id",
        "company_id",
        "identity_id",
        "user_id",
        "anonymous_id",
        "vouched",
        "type",
        "properties",
    )

    def __init__(self, identities, names, emails):
        self._names, self._emails = set(names), set(emails)
        self._stamps, self._keys, self._told = set(), set(), set()
        self._values = set(names)
        for identity_id, kind, value, scope, quarantined in identities:
            self._values.add(value)
            if not quarantined:
                self._stamps.add(identity_id)
                self._keys.add((kind, value, scope))
            if kind == "user_id":
                self._told.add((value, scope))

    def may_have(self, row):
        """Whether an event has to do with the person at all.

        Few have: of these alone one need know whose they are.
        """
        return (
            row["identity_id"] in self._stamps
            or row["user_id"] in self._values
            or row["anonymous_id"] in self._values
            or self._has_email(row)
        )

    def has(self, row, stamps, keys):
        """Whether an event is the person's, or nobody's and names the person.

        :param dict row: ``COLUMNS`` of an event
        :param stamps: ids of the identities that name somebody today
        :param keys: those identities as ``(kind, value, scope)``
        """
        if row["identity_id"] in self._stamps:
            return True
        if row["identity_id"] in stamps:
            return False
        told = row["user_id"]
        by_user = row["vouched"] and told is not None
        kind, value = (
            ("user_id", told) if by_user else ("anonymous_id", row["anonymous_id"])
        )
        scopes = (
            f"source:{row['source_id']}",
            f"company:{row['company_id']}",
            "company:0",
        )
        for scope in scopes:
            if (kind, value, scope) in self._keys:
                return True
            if (kind, value, scope) in keys:
                return False
        return (
            value in self._names
            or self._has_email(row)
            # what a page told
            or not row["vouched"]
            and (
                told in self._names
                or any((told, scope) in self._told for scope in scopes)
            )
        )

    def _has_email(self, row):
        # Not above: a cluster has no library of telephone numbers.
        from crm_omnichannel_tools.normalisers import normal_email

        if row["type"] != "identify" or not self._emails:
            return False
        traits = json.loads(row["properties"])
        email = traits.get("email") if isinstance(traits, dict) else None
        return isinstance(email, str) and not self._emails.isdisjoint(
            (email, normal_email(email))
        )
