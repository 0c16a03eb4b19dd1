"""The same exposures recorded by eight processes at once."""

import random
from datetime import datetime
from unittest.mock import patch

import pytest
from forked import forked, loud_lines

from odoo import SUPERUSER_ID, api, fields
from odoo.modules.registry import Registry

PROCESSES = 8
SLOTS = 4
PAGES = 30
# The whole test is one day.
NOON = datetime(2026, 3, 2, 12)


def run(dbname, function):
    """Call ``function(env)`` in a transaction of its own and commit."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


@pytest.fixture(scope="module")
def shown(odoo_database):
    """Ids of slots, and of a customer who has consented."""

    def create(env):
        slots = env["personalization.slot"].create(
            [
                {
                    "name": f"Eight {number}",
                    "code": f"eight-{number}",
                    "company_id": env.company.id,
                }
                for number in range(SLOTS)
            ]
        )
        return slots.ids, env["res.partner"].create({"name": "王伟"}).id

    return run(odoo_database, create)


def test_the_same_exposures(odoo_database, shown):
    """A row for each slot and visitor, that counts every page; none fails."""
    slot_ids, partner_id = shown

    def work(index, dbname):
        order = random.Random(index)

        def show(env):
            exposures = env["personalization.exposure"]
            partner = env["res.partner"].browse(partner_id)
            rows = [
                exposures._prepare_row(
                    {
                        "slot": slot_id,
                        "variant": None,
                        "code": "default_none_fits",
                        "params": {},
                        "verdicts": [],
                    },
                    "page",
                    partner=visitor,
                )
                for slot_id in slot_ids
                for visitor in (None, partner)
            ]
            order.shuffle(rows)
            exposures._record(rows)

        with (
            loud_lines() as lines,
            patch.object(fields.Datetime, "now", return_value=NOON),
        ):
            for _page in range(PAGES):
                run(dbname, show)
        return lines

    assert forked(PROCESSES, work, odoo_database) == [[]] * PROCESSES

    def look(env):
        exposures = env["personalization.exposure"].search(
            [("slot_id", "in", slot_ids)]
        )
        found = {(e.slot_id.id, e.partner_id.id): e.count for e in exposures}
        assert len(exposures) == len(found)
        assert found == {
            (slot_id, visitor): PROCESSES * PAGES
            for slot_id in slot_ids
            for visitor in (False, partner_id)
        }

    run(odoo_database, look)
