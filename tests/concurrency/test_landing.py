"""Landing and processing of the same people by eight processes at once."""

import json
import random

import pytest
from forked import forked

from odoo import SUPERUSER_ID, api, fields
from odoo.modules.registry import Registry
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import read_committed, take_batches
from odoo.addons.crm_omnichannel.tools.landing import read_items

PROCESSES = 8
PEOPLE = 200


def run(dbname, function):
    """Call ``function(env)`` in a transaction of its own and commit."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


def people(channel_number=0):
    return [
        {
            "id": f"c{channel_number}-{number}",
            "name": f"Person {number}",
            "email": f"person{number}@eight.example",
            "phone": f"+86139{number:08}",
            "tags": f"tag {number % 5}",
        }
        for number in range(1000, 1000 + PEOPLE)
    ]


@pytest.fixture
def channels(odoo_database):
    """Ids of eight channels with the ready mapping."""

    def create(env):
        mapping = env.ref("crm_omnichannel.omni_mapping_people")
        channels = env["omni.channel"].create(
            [
                {
                    "name": f"Eight {number}",
                    "code": f"eight-{number}",
                    "type": "http",
                    "company_id": False,
                    "mapping_id": mapping.id,
                }
                for number in range(PROCESSES)
            ]
        )
        return channels.ids

    def remove(env):
        records = env["omni.record"].search([("channel_id", "in", channel_ids)])
        partners = records.partner_id
        records.unlink()
        partners.unlink()
        env["omni.channel"].browse(channel_ids).unlink()

    channel_ids = run(odoo_database, create)
    yield channel_ids
    run(odoo_database, remove)


def land(dbname, channel_id, documents):
    """Land as the controller does."""
    with Registry(dbname).cursor() as request_cr:
        env = api.Environment(request_cr, SUPERUSER_ID, {})
        with read_committed(env) as cr:
            channel = env(cr=cr)["omni.channel"].browse(channel_id)
            items = read_items(json.dumps(documents).encode(), channel._envelope())
            return channel._land(items, fields.Datetime.now())


def process(dbname, where):
    return take_batches(
        Registry(dbname),
        SUPERUSER_ID,
        ("omni_record", SQL("state = 'received' AND %s", where), SQL("id"), 50),
        lambda env, ids: env["omni.record"]._process_batch(ids),
    )


def test_the_same_batch_lands_once(odoo_database, channels):
    """Eight senders, the same records in another order each: each lands once."""

    def send(index, dbname):
        documents = people()
        random.Random(index).shuffle(documents)
        return land(dbname, channels[0], documents)

    results = forked(PROCESSES, send, odoo_database)
    assert sum(result["accepted"] for result in results) == PEOPLE
    assert sum(result["duplicates"] for result in results) == PEOPLE * (PROCESSES - 1)

    def check(env):
        channel = env["omni.channel"].browse(channels[0])
        assert channel.accepted_count == PEOPLE
        assert channel.duplicate_count == PEOPLE * (PROCESSES - 1)

    run(odoo_database, check)


def test_one_person_on_eight_channels_is_one_customer(odoo_database, channels):
    """Eight workers meet the same new people: nobody is created twice."""
    for number, channel_id in enumerate(channels):
        land(odoo_database, channel_id, people(number))

    def work(index, dbname):
        return process(dbname, SQL("channel_id = %s", channels[index]))

    done = forked(PROCESSES, work, odoo_database)
    # a worker that met too many conflicts leaves its rows to the next run
    left = process(odoo_database, SQL("channel_id = ANY(%s)", channels))
    assert sum(done) + left == PEOPLE * PROCESSES

    def check(env):
        records = env["omni.record"].search([("channel_id", "in", channels)])
        assert set(records.mapped("state")) == {"done"}
        assert not any(records.mapped("notes"))
        partners = env["res.partner"].search([("email", "=like", "%@eight.example")])
        assert len(partners) == PEOPLE
        assert records.partner_id == partners
        for partner in partners:
            assert len(partner.omni_record_ids) == PROCESSES
            assert len(partner.omni_identity_ids) == PROCESSES + 2
        tags = env["res.partner.category"].search([("name", "=like", "tag _")])
        assert len(tags) == 5, tags.mapped("name")

    run(odoo_database, check)


def test_one_queue_shared_by_eight_workers(odoo_database, channels):
    """One channel's records, eight workers: each record once, no error surfaces."""
    land(odoo_database, channels[0], people())

    def work(_index, dbname):
        return process(dbname, SQL("channel_id = %s", channels[0]))

    done = forked(PROCESSES, work, odoo_database)
    assert sum(done) == PEOPLE

    def check(env):
        records = env["omni.record"].search([("channel_id", "=", channels[0])])
        assert set(records.mapped("state")) == {"done"}
        assert len(records.partner_id) == PEOPLE

    run(odoo_database, check)
