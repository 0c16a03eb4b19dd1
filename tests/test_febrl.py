"""5,000 people of the FEBRL set through the door: landed, linked, changed, mended."""

import json
import time
import urllib.request

import pytest

from tests.febrl import dataset

COUNT = 5_000
BATCH = 1_000
CODE = "febrl"
CREATE = f"""
mapping = env.ref("crm_omnichannel.omni_mapping_people").copy({{"name": "FEBRL"}})
channel = env["omni.channel"].create({{
    "name": "FEBRL", "code": "{CODE}", "type": "http", "company_id": False,
    "country_id": env.ref("base.au").id, "mapping_id": mapping.id,
}})
key = channel.issue_key()
channel.credential_id.sudo().rate = 0
env.cr.commit()
answer(key)
"""
PROCESS = f"""
import time
from odoo import SUPERUSER_ID
from odoo.addons.crm_data_governance.db import take_batches
from odoo.tools import SQL
channel = env["omni.channel"].search([("code", "=", "{CODE}")])
env.cr.commit()
started = time.monotonic()
done = take_batches(
    env.registry, SUPERUSER_ID,
    ("omni_record", SQL("state = 'received'"), SQL("id"), 500),
    lambda env, ids: env["omni.record"]._process_batch(ids),
)
answer([done, time.monotonic() - started])
"""
STATE = f"""
channel = env["omni.channel"].search([("code", "=", "{CODE}")])
records = env["omni.record"].search([("channel_id", "=", channel.id)], order="id")
done = records.filtered(lambda record: record.state == "done")
partners = {{record.external_id: record.partner_id.id for record in done}}
people = env["res.partner"].browse(set(partners.values()))
answer({{
    "states": dict(env["omni.record"]._read_group(
        [("channel_id", "=", channel.id)], ["state"], ["__count"])),
    "errors": sorted(filter(None, records.mapped("error_code"))),
    "partners": partners,
    "phones": {{partner.id: partner.phone for partner in people}},
    "histories": {{
        partner.id: [entry["value"] for entry in partner.omni_provenance["phone"]]
        for partner in people
    }},
    "identities": env["omni.identity"].search_count([
        ("channel_id", "=", channel.id), ("kind", "=", "external_id"),
    ]),
    "all_partners": env["res.partner"].with_context(active_test=False).search_count([]),
}})
"""
MEND = f"""
channel = env["omni.channel"].search([("code", "=", "{CODE}")])
mapping = channel.mapping_id
mapping.line_ids.filtered(
    lambda line: line.target == "name"
).source = "name || rec_id"
mapping.line_ids.filtered(lambda line: line.target == "birthdate").argument = "dmy"
parked = env["omni.record"].search(
    [("channel_id", "=", channel.id), ("state", "=", "parked")]
)
parked.action_replay()
env.cr.commit()
answer(parked.mapped("partner_id.name"))
"""


def phone(number):
    return f"+61412{number:06}"


def people():
    """5,000 FEBRL records with a telephone; two of them cannot be mapped."""
    rows = [
        {**row, "mobile": f"0412 {number:06}"} for number, row in enumerate(dataset())
    ]
    assert len(rows) == COUNT
    # one of the set has no name at all; a second gets a date with two readings
    [nameless] = [row for row in rows if not row["given_name"] and not row["surname"]]
    ambiguous = next(row for row in rows if row is not nameless)
    ambiguous["date_of_birth"] = "02/03/1954"
    return rows, {nameless["rec_id"], ambiguous["rec_id"]}


class Client:
    def __init__(self, server, key):
        self.server = server
        self.key = key
        self.seconds = 0

    def post(self, lines):
        """Post NDJSON in batches; return the sums of the answers."""
        total = {"accepted": 0, "duplicates": 0, "refused": []}
        for start in range(0, len(lines), BATCH):
            body = "\n".join(lines[start : start + BATCH]).encode()
            request = urllib.request.Request(
                f"{self.server.url}/omni/v1/records/{CODE}",
                body,
                {
                    "Authorization": f"Bearer {self.key}",
                    "Content-Type": "application/x-ndjson",
                },
            )
            started = time.monotonic()
            with urllib.request.urlopen(request, timeout=120) as response:
                answer = json.load(response)
            self.seconds += time.monotonic() - started
            total["accepted"] += answer["accepted"]
            total["duplicates"] += answer["duplicates"]
            total["refused"] += [
                (start + one["index"], one["error"]) for one in answer["refused"]
            ]
        return total


@pytest.fixture(scope="module")
def client(odoo_server):
    return Client(odoo_server, odoo_server.shell(CREATE))


def processed(server):
    """Let the queue run dry, whoever works on it, and return what stands there."""
    server.shell(PROCESS)
    end = time.monotonic() + 300
    while time.monotonic() < end:
        state = server.shell(STATE)
        if "received" not in state["states"]:
            return state
        time.sleep(1)
    raise AssertionError("The queue did not run dry")


def test_first_customers(odoo_server, client):
    rows, unmappable = people()
    lines = [json.dumps(row) for row in rows]
    posted = [*lines[:1_500], '{"rec_id": ', *lines[1_500:], "no json"]

    # landed: 5,000 accepted, two unreadable lines refused
    result = client.post(posted)
    assert result["accepted"] == COUNT
    assert result["duplicates"] == 0
    assert result["refused"] == [(1_500, "unreadable"), (COUNT + 1, "unreadable")]

    # processed: two parked, each with its reason
    first = processed(odoo_server)
    assert first["states"] == {"done": COUNT - 2, "parked": 2}
    assert first["errors"] == ["ambiguous_date", "required_missing"]
    assert len(set(first["partners"].values())) == COUNT - 2
    assert first["identities"] == COUNT - 2
    assert not unmappable & set(first["partners"])

    # posted again: all known, nothing changes
    result = client.post(lines)
    assert (result["accepted"], result["duplicates"]) == (0, COUNT)
    again = processed(odoo_server)
    assert again["partners"] == first["partners"]
    assert again["all_partners"] == first["all_partners"]

    # 500 changed telephones: the same customers, both numbers in the history
    changed = {}
    for number, row in enumerate(rows):
        if len(changed) < 500 and row["rec_id"] not in unmappable:
            changed[row["rec_id"]] = number
            row["mobile"] = f"0413 {number:06}"
    result = client.post([json.dumps(rows[number]) for number in changed.values()])
    assert (result["accepted"], result["duplicates"]) == (500, 0)
    updated = processed(odoo_server)
    assert updated["partners"] == first["partners"]
    assert updated["all_partners"] == first["all_partners"]
    for number, row in enumerate(rows):
        partner = str(updated["partners"].get(row["rec_id"]))
        if row["rec_id"] in changed:
            new = f"+61413{number:06}"
            assert updated["phones"][partner] == new
            assert updated["histories"][partner] == [new, phone(number)]
        elif row["rec_id"] not in unmappable:
            assert updated["histories"][partner] == [phone(number)]

    # the mapping is mended, the two are replayed: nothing is parked
    names = odoo_server.shell(MEND)
    assert len(names) == 2
    last = processed(odoo_server)
    assert last["states"] == {"done": COUNT + 500}
    assert len(set(last["partners"].values())) == COUNT
    assert last["all_partners"] == first["all_partners"] + 2
