"""Eight processes that merge overlapping pairs of customers at once."""

import random

import pytest
from forked import forked

from odoo import SUPERUSER_ID, api
from odoo.exceptions import UserError
from odoo.modules.registry import Registry

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

PROCESSES = 8
PEOPLE = 12
ATTEMPTS = 40


def run(dbname, function):
    """Call ``function(env)`` in a transaction of its own and commit."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


@pytest.fixture
def people(odoo_database):
    """Ids of customers, each with an order of their own and one follower in common."""

    def create(env):
        partners = env["res.partner"].create(
            [{"name": f"Eight {number}"} for number in range(PEOPLE)]
        )
        env["sale.order"].create([{"partner_id": one.id} for one in partners])
        thread = env["res.partner"].create({"name": "Eight thread"})
        thread.message_subscribe(partner_ids=partners.ids)
        return partners.ids, thread.id

    def remove(env):
        partner_ids, thread_id = ids
        partners = env["res.partner"].browse([*partner_ids, thread_id])
        env["sale.order"].search([("partner_id", "in", partner_ids)]).unlink()
        env["omni.merge"].search([("target_id", "in", partner_ids)]).unlink()
        partners.unlink()

    ids = run(odoo_database, create)
    yield ids
    run(odoo_database, remove)


def repeated(dbname, function):
    """Run a transaction, again on a conflict, as Odoo does with a request."""
    for attempt in range(ATTEMPTS):
        try:
            return run(dbname, function)
        except CONCURRENCY_ERRORS:
            if attempt == ATTEMPTS - 1:
                raise
    return None


def standing(env, partner_ids):
    """Check that each reference stands with a survivor and each chain ends in one."""
    partners = env["res.partner"].browse(partner_ids)
    for partner in partners:
        assert partner.active != bool(partner.merged_into_id)
        assert not partner._survivor().merged_into_id
    survivors = partners.filtered("active")
    orders = env["sale.order"].search([("partner_id", "in", partner_ids)])
    assert len(orders) == PEOPLE
    assert orders.partner_id <= survivors
    assert orders.partner_invoice_id <= survivors
    done = env["omni.merge"].search(
        [("source_id", "in", partner_ids), ("state", "=", "done")]
    )
    assert done.source_id == partners - survivors
    assert len(done) == len(partners - survivors)
    return survivors


def test_overlapping_merges_and_their_undo(odoo_database, people):
    partner_ids, thread_id = people

    def merge(index, dbname):
        chooser = random.Random(index)
        merged = 0
        for _turn in range(10):
            target, source = chooser.sample(partner_ids, 2)

            def work(env, target=target, source=source):
                partners = env["res.partner"]
                return env["omni.merge"]._merge(
                    partners.browse(target), partners.browse(source), "manual"
                )

            try:
                repeated(dbname, work)
                merged += 1
            except UserError:
                # one of the two is somebody else's by now
                continue
        return merged

    merged = sum(forked(PROCESSES, merge, odoo_database))
    assert merged

    def check(env):
        survivors = standing(env, partner_ids)
        assert len(survivors) == PEOPLE - merged
        thread = env["res.partner"].browse(thread_id)
        followers = thread.message_partner_ids
        assert followers & survivors == survivors
        assert not followers & (env["res.partner"].browse(partner_ids) - survivors)

    run(odoo_database, check)

    def undo(_index, dbname):
        def work(env):
            merges = env["omni.merge"].search(
                [("source_id", "in", partner_ids), ("state", "=", "done")], limit=1
            )
            return bool(merges) and merges._undo() is None

        undone = 0
        for _turn in range(PEOPLE):
            try:
                if not repeated(dbname, work):
                    break
                undone += 1
            except UserError:
                # somebody else has undone it
                continue
        return undone

    forked(PROCESSES, undo, odoo_database)

    def check_undone(env):
        merges = env["omni.merge"].search(
            [("source_id", "in", partner_ids), ("state", "=", "done")]
        )
        merges.action_undo()
        partners = env["res.partner"].browse(partner_ids)
        assert all(partners.mapped("active"))
        assert not partners.merged_into_id
        orders = env["sale.order"].search([("partner_id", "in", partner_ids)])
        assert orders.partner_id == partners
        assert len(orders) == PEOPLE
        thread = env["res.partner"].browse(thread_id)
        assert partners <= thread.message_partner_ids

    run(odoo_database, check_undone)
