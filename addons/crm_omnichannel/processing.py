"""From landed records to customers: gather, pure functions, apply.

A batch takes a fixed number of queries whatever its size, but for those that Odoo's
own ``res.partner.create`` and ``write`` make. Two workers with the same new person
meet at the unique index of ``omni_identity``: the later one's transaction ends in a
serialization failure, is taken again by the queue's loop, and then finds the person.
"""

import json
import logging
from dataclasses import dataclass, field
from functools import cached_property

from psycopg2.extras import Json

from odoo import fields
from odoo.exceptions import ConcurrencyError
from odoo.fields import Command
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS, read_committed

from .linking import Linking
from .messages import cause_of
from .tools.blocked import fold
from .tools.landing import scalar_key, unpack
from .tools.linking import Claim, IdentityClaim, New, places, resolve
from .tools.mapping import MappedRecord, apply_mapping, compile_path
from .tools.normalisers import BadValue
from .tools.survivorship import settle

_logger = logging.getLogger(__name__)

#: mapping target -> field of the partner
PARTNER_FIELDS = {
    "name": "name",
    "company_name": "company_name",
    "email": "email",
    "phone": "phone",
    "street": "street",
    "street2": "street2",
    "city": "city",
    "zip": "zip",
    "state": "state_id",
    "country": "country_id",
    "birthdate": "omni_birthdate",
    "gender": "omni_gender",
    "function": "function",
    "website": "website",
    "lang": "lang",
    "ref": "ref",
}
TAGS_FIELD = "category_id"
# any number that no other advisory lock of the database uses
TAGS_LOCK = 0x6F6D6E69
# no mail, no tracking, no look at a parent that is not there
QUIET = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_create_nosubscribe": True,
    "mail_notrack": True,
    "no_vat_validation": True,
    "_partners_skip_fields_sync": True,
}


def to_history(partner, name):
    """Return a value of a customer in the form of the history, or None."""
    value = partner[name]
    if name == "country_id":
        value = value.code
    elif name == "state_id":
        value = value and f"{value.country_id.code}-{value.code}"
    elif name == "omni_birthdate":
        value = value and fields.Date.to_string(value)
    return value or None


@dataclass
class Item:
    """A record on its way."""

    id: int
    channel_id: int
    external_id: "str | None"
    at: str
    payload: dict
    mapped: "MappedRecord | None" = None
    keys: list = field(default_factory=list)
    person: object = None
    conflicts: list = field(default_factory=list)
    notes: list = field(default_factory=list)


class Processor:
    """One batch of records, in the transaction of ``env`` (superuser)."""

    def __init__(self, env):
        self.env = env(context={**QUIET, "lang": None})
        self.cr = env.cr
        self.channels = {}

    def run(self, record_ids):
        """Process the waiting ones among the records."""
        self.env["omni.record"].flush_model()
        items, parked = self._map(self._gather(record_ids))
        self._save(items, parked)
        self._park(parked)
        self.env["omni.record"].invalidate_model()
        self.env["omni.identity"].invalidate_model()

    # --- GATHER ---

    def _gather(self, record_ids):
        self.cr.execute(
            SQL(
                """
                SELECT id, channel_id, external_id, received_at, updated_at, payload
                FROM omni_record
                WHERE id = ANY(%s) AND state = 'received' AND payload IS NOT NULL
                ORDER BY id
                """,
                list(record_ids),
            )
        )
        items = []
        for row in self.cr.fetchall():
            record_id, channel_id, external_id, received_at, updated_at, stored = row
            # a sender's clock that runs ahead must not win for ever
            at = min(updated_at or received_at, received_at)
            items.append(
                Item(
                    record_id,
                    channel_id,
                    external_id,
                    at.isoformat(" ", "milliseconds"),
                    json.loads(unpack(stored)),
                )
            )
        channels = self.env["omni.channel"].browse({item.channel_id for item in items})
        for channel in channels:
            self.channels[channel.id] = _ChannelFacts(channel)
        return items

    @cached_property
    def _priorities(self):
        return self.env["omni.channel"]._priorities()

    # --- MAP ---

    def _map(self, items):
        """Return the items that can go on, and ``[(id, code, params)]`` of the rest."""
        good, parked = [], []
        for item in items:
            facts = self.channels[item.channel_id]
            if not facts.lines:
                parked.append((item.id, "no_mapping", {}))
                continue
            item.mapped = apply_mapping(item.payload, facts.lines, facts.country)
            if item.mapped.errors:
                code, params = item.mapped.errors[0]
                parked.append((item.id, code, params))
                continue
            item.notes.extend(item.mapped.notes)
            if not item.external_id:
                item.external_id = facts.external_id(item.payload)
            if item.external_id:
                item.keys.append(("external_id", item.external_id, facts.own_scope))
            item.keys.extend(
                (kind, value, facts.scope) for kind, value in item.mapped.identifiers
            )
            good.append(item)
        return good, parked

    # --- SAVE ---

    def _save(self, items, parked):
        """Save a batch; where that fails, its halves, down to the one to blame."""
        if not items:
            return
        try:
            with self.cr.savepoint():
                _Saving(self, items).run(parked)
        except CONCURRENCY_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 - it parks that record alone
            for item in items:
                item.person, item.conflicts = None, []
                item.notes = list(item.mapped.notes)
            if len(items) > 1:
                half = len(items) // 2
                self._save(items[:half], parked)
                self._save(items[half:], parked)
                return
            _logger.info("Record %s parked", items[0].id, exc_info=True)
            parked.append((items[0].id, *cause_of(error, "not_saved")))

    def _park(self, parked):
        if not parked:
            return
        self.cr.execute_values(
            """
            UPDATE omni_record AS record
            SET state = 'parked', error_code = parked.code,
                error_params = parked.params::jsonb, notes = NULL,
                processed_at = now() AT TIME ZONE 'UTC'
            FROM (VALUES %s) AS parked (id, code, params)
            WHERE record.id = parked.id
            """,
            [(record_id, code, Json(params)) for record_id, code, params in parked],
            page_size=len(parked),
        )


class _ChannelFacts:
    """What a batch needs to know of a channel, read once."""

    def __init__(self, channel):
        self.lines = channel.mapping_id._get_lines()
        self.country = channel._default_country()
        self.company_id = channel.company_id.id
        self.scope = f"company:{channel.company_id.id or 0}"
        self.own_scope = f"channel:{channel.id}"
        path = channel.mapping_id.external_id_path
        self._external_id = compile_path(path) if path else None

    def external_id(self, payload):
        """The sender's id, where the mapping told its place after the landing."""
        try:
            return self._external_id and scalar_key(self._external_id(payload))
        except (BadValue, ValueError):
            return None


class _Saving:
    """One attempt to save some items, inside a savepoint."""

    def __init__(self, processor, items):
        self.processor = processor
        self.env = processor.env
        self.cr = processor.cr
        self.items = items
        self.partners = self.env["res.partner"]
        self.unsaved = {}

    def run(self, parked):
        self._link()
        by_person = {}
        for item in self.items:
            by_person.setdefault(item.person, []).append(item)
        self._look_up_places()
        new = {p: group for p, group in by_person.items() if isinstance(p, New)}
        known = {p: group for p, group in by_person.items() if not isinstance(p, New)}
        created = self._create(new)
        self._update(known)
        for item in self.items:
            if isinstance(item.person, New):
                item.person = created.get(item.person)
        saved = [item for item in self.items if item.person]
        self._claim_identities(saved)
        self._finish(saved)
        parked.extend(
            (record_id, *problem) for record_id, problem in self.unsaved.items()
        )

    # --- LINK ---

    def _link(self):
        keys = sorted({key for item in self.items for key in item.keys})
        known, quarantined = self._known_identities(keys)
        self._add_known_partners(keys, known)
        claims = [
            Claim(
                item.keys, fold(item.mapped.values.get("name") or ""), item.channel_id
            )
            for item in self.items
        ]
        self._known_keys = known
        linking = Linking(self.env, claims, known, quarantined)
        self._known_keys = known = linking.merge(self)
        people = self.partners.browse(set(known.values()))
        names = {partner.id: fold(partner.name or "") for partner in people}
        links = linking.link(names, self._taken(people.ids))
        for item, found in zip(self.items, links, strict=True):
            item.person = found.person
            # what names nobody is claimed by nobody
            item.keys = [key for key in found.keys if key not in quarantined]
            item.conflicts = found.conflicts

    def note(self, partner_id, code, params):
        """Add a note to the records that named a customer."""
        for item in self.items:
            if partner_id in map(self._known_keys.get, item.keys):
                item.notes.append((code, params))

    def _known_identities(self, keys):
        """Return ``{key: customer id}`` and the set of those that name nobody.

        By the rule of ``omni.identity._resolve_many``, in the places of each key. A
        quarantined one is known to be its owner's, but leads nowhere.
        """
        if not keys:
            return {}, set()
        wanted = [(*key, place) for key in keys for place in places(key[2])]
        self.env["omni.identity"].flush_model()
        self.cr.execute(
            SQL(
                """
                SELECT wanted.asked, identity.kind, identity.value, identity.scope,
                       identity.id, identity.partner_id, identity.quarantined
                FROM omni_identity AS identity
                JOIN unnest(%s::text[], %s::text[], %s::text[], %s::text[])
                     AS wanted (kind, value, asked, scope) USING (kind, value, scope)
                """,
                *(list(column) for column in zip(*wanted, strict=True)),
            )
        )
        rows, shared = {}, {}
        for asked, *row, is_quarantined in self.cr.fetchall():
            kind, value, _scope, _identity_id, owner = row
            if is_quarantined:
                shared[kind, value, asked] = owner
            else:
                rows.setdefault(asked, []).append(row)
        known = {
            (*name, asked): found.partner_id
            for asked, group in rows.items()
            for name, found in resolve(group).items()
        }
        return {**shared, **known}, shared.keys() - known.keys()

    def _add_known_partners(self, keys, known):
        """Customers typed in Odoo are known by an e-mail or telephone of theirs alone.

        By the rule of ``omni.identity._resolve_many``, company by company.
        """
        wanted = {}
        for kind, value, scope in keys:
            place, _colon, number = scope.partition(":")
            if place == "company" and (kind, value, scope) not in known:
                wanted.setdefault((kind, scope, int(number)), []).append(value)
        for (kind, scope, company_id), values in wanted.items():
            found = self.env["omni.identity"]._find_typed(
                kind, values, [company_id or False]
            )
            known.update(
                ((kind, value, scope), partner_id)
                for value, partner_id in found.items()
            )

    def _taken(self, partner_ids):
        """Return the (customer, channel) pairs that have an external id already."""
        self.cr.execute(
            SQL(
                "SELECT DISTINCT partner_id, channel_id FROM omni_identity"
                " WHERE kind = 'external_id' AND partner_id = ANY(%s)",
                partner_ids,
            )
        )
        return set(self.cr.fetchall())

    # --- LOOK UP ---

    def _look_up_places(self):
        """Read what the values name: countries, states, tags, languages."""
        wanted = [item.mapped.values for item in self.items]
        self.countries = {}
        self.states = {}
        if any("country" in values or "state" in values for values in wanted):
            countries = self.env["res.country"].search_fetch([], ["code"])
            self.countries = {country.code: country.id for country in countries}
        if any("state" in values for values in wanted):
            self._look_up_states()
        self.languages = dict(self.env["res.lang"].get_installed())
        self.tags = self._look_up_tags()

    def _look_up_states(self):
        self.cr.execute(
            "SELECT country_id, id, code, name FROM res_country_state ORDER BY id"
        )
        for country_id, state_id, code, name in self.cr.fetchall():
            for label in (code, name):
                self.states.setdefault((country_id, fold(label)), (state_id, code))

    def _look_up_tags(self):
        """Return ``{folded label: id}``, with the missing tags created."""
        labels = {}
        for item in self.items:
            for label in item.mapped.tags:
                labels.setdefault(fold(label), label)
        if not labels:
            return {}
        categories = self.env["res.partner.category"]
        tags = {
            fold(name): tag.id
            for tag in categories.search_fetch([], ["name"])
            for name in {tag.name, tag.with_context(lang="zh_CN").name}
        }
        missing = [folded for folded in sorted(labels) if folded not in tags]
        if missing:
            self._lock_tags()
        created = categories.create([{"name": labels[folded]} for folded in missing])
        tags.update(zip(missing, created.ids, strict=True))
        return tags

    def _lock_tags(self):
        """Make sure that nobody else creates the same tags: their names have no index.

        What somebody committed since this transaction began is not seen here; the
        batch is then taken again.
        """
        self.cr.execute("SELECT pg_advisory_xact_lock(%s)", [TAGS_LOCK])
        newest = "SELECT coalesce(max(id), 0) FROM res_partner_category"
        self.cr.execute(newest)
        [seen] = self.cr.fetchone()
        with read_committed(self.env) as cr:
            cr.execute(newest)
            [committed] = cr.fetchone()
        if committed > seen:
            raise ConcurrencyError("tags were created meanwhile")

    # --- VALUES ---

    def _values_of(self, item):
        """Return ``{field: value}`` of a record, with what cannot be stored noted."""
        values = {}
        country = item.mapped.values.get("country")
        for target, value in item.mapped.values.items():
            if target == "state":
                value = self._state_of(item, value, country)
            elif target == "lang" and value not in self.languages:
                item.notes.append(("language_not_installed", {"value": value}))
                value = None
            if value is not None:
                values[PARTNER_FIELDS[target]] = value
        return values

    def _state_of(self, item, value, country):
        country = country or self.processor.channels[item.channel_id].country
        country_id = self.countries.get(country)
        found = self.states.get((country_id, fold(value)))
        if found:
            return f"{country}-{found[1]}"
        item.notes.append(("unknown_state", {"value": value}))
        return None

    def _to_column(self, name, value):
        """Return what the ORM writes for a value of the history."""
        if not value:
            return False
        if name == "country_id":
            return self.countries.get(value) or self._country_id(value)
        if name == "state_id":
            return self._state_id(value)
        return value

    def _country_id(self, code):
        return self.env["res.country"].search([("code", "=", code)], limit=1).id

    def _state_id(self, value):
        country, _, label = value.partition("-")
        if not self.states:
            self._look_up_states()
        country_id = self.countries.get(country) or self._country_id(country)
        return self.states.get((country_id, fold(label)), (False,))[0]

    def _settle(self, group, history, current, current_at):
        """Return ``(values to write, history)`` for the records of one customer."""
        candidates = {}
        for item in group:
            found = self._values_of(item)
            if item.mapped.tags:
                found[TAGS_FIELD] = ", ".join(item.mapped.tags)
            for name, value in found.items():
                entry = {
                    "value": value,
                    "channel_id": item.channel_id,
                    "record_id": item.id,
                    "at": item.at,
                }
                candidates.setdefault(name, []).append(entry)
        history = dict(history)
        changed = {}
        priorities = self.processor._priorities
        for name, entries in candidates.items():
            value, history[name] = settle(
                history.get(name, ()),
                current.get(name),
                current_at,
                entries,
                priorities,
            )
            if name != TAGS_FIELD and value != current.get(name):
                changed[name] = value
        return changed, history

    # --- CREATE ---

    def _create(self, new):
        """Create the customers in one go; return ``{New: partner id}``."""
        people, vals_list = [], []
        # Odoo would work them out for each one. Without a salesperson it would also
        # make a draft of each, to look at a parent that is not there.
        defaults = {
            "user_id": False,
            **self.partners._add_missing_default_values({}),
        }
        for person, group in new.items():
            values, history = self._settle(group, {}, {}, "")
            if not values.get("name"):
                for item in group:
                    self.unsaved[item.id] = ("required_missing", {"target": "name"})
                continue
            vals = {
                **defaults,
                **{
                    name: self._to_column(name, value) for name, value in values.items()
                },
            }
            facts = self.processor.channels[group[0].channel_id]
            vals["company_id"] = facts.company_id
            vals["omni_provenance"] = history
            tag_ids = self._tag_ids(group)
            if tag_ids:
                vals[TAGS_FIELD] = [Command.set(tag_ids)]
            people.append(person)
            vals_list.append(vals)
        if not vals_list:
            return {}
        partners = self.partners.create(vals_list)
        return dict(zip(people, partners.ids, strict=True))

    def _tag_ids(self, group):
        return sorted(
            {self.tags[fold(label)] for item in group for label in item.mapped.tags}
        )

    # --- UPDATE ---

    def _update(self, known):
        """Write what changed on the customers that were there."""
        if not known:
            return
        partners = self.partners.browse(sorted(known))
        self._lock(partners.ids)
        log_ins = partners._log_in_kinds()
        writes = {}
        for partner in partners:
            group = known[partner.id]
            current = self._current(partner)
            values, history = self._settle(
                group,
                partner.omni_provenance or {},
                current,
                partner.write_date.isoformat(" ", "milliseconds"),
            )
            self._protect(log_ins.get(partner.id), values, group)
            vals = {name: self._to_column(name, values[name]) for name in values}
            tag_ids = set(self._tag_ids(group)) - set(partner.category_id.ids)
            if tag_ids:
                vals[TAGS_FIELD] = [Command.link(tag_id) for tag_id in sorted(tag_ids)]
            if vals:
                key = json.dumps(vals, sort_keys=True, default=str)
                writes.setdefault(key, (vals, []))[1].append(partner.id)
            self._histories.append((partner.id, history))
        for vals, partner_ids in writes.values():
            partners.browse(partner_ids).with_prefetch(partners.ids).write(vals)
        self._write_histories(partners)

    def _lock(self, partner_ids):
        """Lock the customers, in one order for all workers.

        Whoever was changed since this transaction began fails here, unlogged, before
        anything is written.
        """
        self.partners.flush_model()
        query = SQL(
            "SELECT id FROM res_partner WHERE id = ANY(%s) ORDER BY id"
            " FOR NO KEY UPDATE",
            partner_ids,
        )
        self.cr.execute(query, log_exceptions=False)

    @cached_property
    def _histories(self):
        return []

    def _write_histories(self, partners):
        """Each customer has another history: one statement; nothing depends on it."""
        partners.flush_recordset()
        self.cr.execute_values(
            "UPDATE res_partner AS partner SET omni_provenance = history.value::jsonb"
            " FROM (VALUES %s) AS history (id, value) WHERE partner.id = history.id",
            [(partner_id, Json(history)) for partner_id, history in self._histories],
            page_size=len(self._histories),
        )
        partners.invalidate_recordset(["omni_provenance"])

    def _current(self, partner):
        """Return the values of a customer in the form of the history."""
        return {name: to_history(partner, name) for name in PARTNER_FIELDS.values()}

    def _protect(self, log_in, values, group):
        """Keep what a log-in hangs on: a sender must not move its e-mail.

        :param log_in: as ``res.partner._log_in_kind``
        """
        if not log_in:
            return
        kept = [name for name in values if log_in == "internal" or name == "email"]
        for name in kept:
            del values[name]
        if kept:
            note = ("protected_customer", {"fields": ", ".join(kept)})
            group[-1].notes.append(note)

    # --- FINISH ---

    def _claim_identities(self, items):
        """Write the identities, new and seen again.

        Of two workers whoever comes second fails to serialize and is taken again.
        """
        # of one identifier the last record counts
        claims = [
            IdentityClaim(
                *key,
                item.person,
                item.channel_id,
                item.id,
                self.processor.channels[item.channel_id].company_id or None,
            )
            for item in reversed(items)
            for key in item.keys
        ]
        self.env["omni.identity"]._claim_many(claims)

    def _finish(self, items):
        if not items:
            return
        for item in items:
            for kind, value, scope in item.conflicts:
                owner = self._known_keys.get((kind, value, scope))
                item.notes.append(
                    (
                        "held_by_other",
                        {"kind": kind, "value": value, "partner": f"#{owner or '?'}"},
                    )
                )
        self.env["omni.identity"]._note_others(
            (*key, item.person) for item in items for key in item.conflicts
        )
        self.cr.execute_values(
            """
            UPDATE omni_record AS record
            SET state = 'done', partner_id = done.partner_id, notes = done.notes::jsonb,
                external_id = done.external_id, error_code = NULL, error_params = NULL,
                processed_at = now() AT TIME ZONE 'UTC'
            FROM (VALUES %s) AS done (id, partner_id, notes, external_id)
            WHERE record.id = done.id
            """,
            [
                (
                    item.id,
                    item.person,
                    Json(item.notes) if item.notes else None,
                    item.external_id,
                )
                for item in items
            ],
            template="(%s, %s, %s::text, %s::text)",
            page_size=len(items),
        )
