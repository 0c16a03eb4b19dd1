"""WeCom over real HTTP, with several processes, and with one that is killed."""

import json
import os
import random
import signal
import time

import pytest
from forked import forked, loud_lines

from odoo import SUPERUSER_ID, api, fields, sql_db
from odoo.modules.registry import Registry
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import read_committed, take_batches
from odoo.addons.crm_omnichannel.tools.landing import unpack

from tests.servers import wecom

PROCESSES = 8


def run(dbname, function):
    """Call ``function(env)`` in a transaction of its own and commit."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


@pytest.fixture
def platform():
    with wecom.WeCom() as server:
        yield server


@pytest.fixture
def channel_id(odoo_database, platform):
    def create(env):
        channel = env["omni.channel"].create(
            {
                "name": "WeCom",
                "code": "wecom-test",
                "type": "wecom",
                "company_id": False,
                "platform_url": platform.url,
                "platform_app_id": wecom.CORP,
                "platform_secret": wecom.SECRET,
                "callback_token": wecom.CALLBACK_TOKEN,
                "callback_aes_key": wecom.AES_KEY,
                "connected_at": fields.Datetime.now(),
            }
        )
        return channel.id

    def remove(env):
        records = env["omni.record"].search([("channel_id", "=", channel_id)])
        partners = records.partner_id
        records.unlink()
        partners.unlink()
        env["omni.channel"].browse(channel_id).unlink()

    channel_id = run(odoo_database, create)
    yield channel_id
    run(odoo_database, remove)


def request_sync(dbname, channel_id, mode="full"):
    def request(env):
        env["omni.sync"]._request(env["omni.channel"].browse(channel_id), mode)

    run(dbname, request)


def tick(dbname):
    """One tick of the scheduled action."""
    run(dbname, lambda env: env["omni.sync"]._cron_sync())


def sync(dbname, channel_id, mode="full"):
    """Synchronise to the end; return the values of the run."""
    request_sync(dbname, channel_id, mode)
    tick(dbname)
    return last_run(dbname, channel_id)


def last_run(dbname, channel_id):
    def read(env):
        found = env["omni.sync"].search([("channel_id", "=", channel_id)], limit=1)
        [values] = found.read(
            ["status", "accepted", "duplicates", "error_code", "problems", "not_before"]
        )
        return values

    return run(dbname, read)


def landed(dbname, channel_id):
    """Return the documents in their order."""

    def read(env):
        env.cr.execute(
            SQL(
                "SELECT payload FROM omni_record WHERE channel_id = %s ORDER BY id",
                channel_id,
            )
        )
        return [json.loads(unpack(row[0])) for row in env.cr.fetchall()]

    return run(dbname, read)


def latest(documents):
    """Return what stands at the end: ``{(userid, external id): (contact, follow)}``."""
    found = {}
    for document in documents:
        external = document["external_contact"]["external_userid"]
        if "follow_info" in document:
            follow = document["follow_info"]
            found[follow["userid"], external] = (document["external_contact"], follow)
        elif document.get("ended", {}).get("kind") == "contact":
            del found[document["ended"]["part"], external]
    return found


def expected(platform):
    """The same from the platform's own data."""
    found = {}
    for (owner, external), follow in platform.follows.items():
        plain = {name: value for name, value in follow.items() if name != "tag_id"}
        found[owner, external] = (platform.contacts[external], plain)
    return found


def process(dbname):
    take_batches(
        Registry(dbname),
        SUPERUSER_ID,
        ("omni_record", SQL("state = 'received'"), SQL("id"), 500),
        lambda env, ids: env["omni.record"]._process_batch(ids),
    )


def test_full_sync_is_complete_and_equal(odoo_database, platform, channel_id):
    values = sync(odoo_database, channel_id)
    assert (values["status"], values["problems"]) == ("done", False)
    documents = landed(odoo_database, channel_id)
    assert latest(documents) == expected(platform)
    # each pair once, each member of a group once
    assert len(documents) == len(platform.follows) + 9
    assert platform.token_count == 1
    # nobody waits for the platform's default of 50
    pages = platform.requests["externalcontact/batch/get_by_user"]
    assert pages == -(-len(platform.follows) // 100)
    process(odoo_database)

    def check(env):
        records = env["omni.record"].search([("channel_id", "=", channel_id)])
        assert set(records.mapped("state")) == {"done"}, records.mapped("error_code")
        partners = records.partner_id
        assert len(partners) == len(platform.contacts)
        names = {contact["name"] for contact in platform.contacts.values()}
        assert set(partners.mapped("name")) == names
        for kind, key in (
            ("unionid", "unionid"),
            ("external_userid", "external_userid"),
        ):
            identities = partners.omni_identity_ids.filtered(
                lambda identity, kind=kind: identity.kind == kind
            )
            assert set(identities.mapped("value")) == {
                contact[key] for contact in platform.contacts.values()
            }
        one = partners.filtered(lambda partner: partner.name == "客户7")
        assert one.phone.replace(" ", "") == "+8613900000007"
        assert one.omni_gender == "female"
        assert one.category_id.mapped("name") == ["Low"]

    run(odoo_database, check)


def test_a_second_sync_lands_nothing(odoo_database, platform, channel_id):
    first = sync(odoo_database, channel_id)
    second = sync(odoo_database, channel_id)
    assert (second["status"], second["accepted"]) == ("done", 0)
    assert second["duplicates"] == first["accepted"]
    assert platform.token_count == 1


def test_there_and_back_again(odoo_database, platform, channel_id):
    """A value that returns to what it was is a change each time."""
    sync(odoo_database, channel_id)
    contact = platform.contacts["wm000105"]
    for name in ("另一个", "客户105", "另一个"):
        contact["name"] = name
        assert sync(odoo_database, channel_id)["accepted"] == 1
        assert latest(landed(odoo_database, channel_id)) == expected(platform)


def test_incremental_fetches_only_where_somebody_is_new(
    odoo_database, platform, channel_id
):
    sync(odoo_database, channel_id)
    platform.requests.clear()
    assert sync(odoo_database, channel_id, "incremental")["accepted"] == 0
    assert platform.requests["externalcontact/batch/get_by_user"] == 0
    external = platform.add_customer(1001)
    platform.remove_follow("m0", "wm000000")
    values = sync(odoo_database, channel_id, "incremental")
    # the new one, and the end of the other
    assert values["accepted"] == 2
    assert platform.requests["externalcontact/batch/get_by_user"] == 1
    assert latest(landed(odoo_database, channel_id)) == expected(platform)
    assert ("m1", external) in expected(platform)


def test_eight_processes_fetch_one_token(odoo_database, platform, channel_id):
    platform.delay = 0.2

    def get(_index, dbname):
        def ask(env):
            channel = env["omni.channel"].browse(channel_id)
            return env["omni.token"]._get_token(channel)

        return run(dbname, ask)

    with loud_lines() as lines:
        tokens = forked(PROCESSES, get, odoo_database)
    assert platform.token_count == 1
    assert len(set(tokens)) == 1
    assert tokens[0][0] in platform.tokens
    assert not lines

    # all of them find out that it is refused, and one gets a new one
    platform.expire_tokens()
    failed = tokens[0][0]

    def renew(_index, dbname):
        def ask(env):
            channel = env["omni.channel"].browse(channel_id)
            return env["omni.token"]._get_token(channel, failed)

        return run(dbname, ask)

    renewed = forked(PROCESSES, renew, odoo_database)
    assert platform.token_count == 2
    assert len(set(renewed)) == 1
    assert renewed[0][0] != failed


def test_early_renewal_makes_nobody_wait(odoo_database, platform, channel_id):
    """Between ten and five minutes before its end one renews, the others use it."""
    platform.token_seconds = 450
    platform.delay = 0.5

    def get(_index, dbname):
        def ask(env):
            started = time.monotonic()
            channel = env["omni.channel"].browse(channel_id)
            token, failure = env["omni.token"]._get_token(channel)
            assert not failure
            return token, time.monotonic() - started

        return run(dbname, ask)

    get(0, odoo_database)
    assert platform.token_count == 1
    found = forked(PROCESSES, get, odoo_database)
    assert platform.token_count == 2, "renewed once"
    assert sum(seconds > 0.4 for _token, seconds in found) == 1


def test_a_wrong_secret_is_tried_once(odoo_database, platform, channel_id):
    """Eight processes, one call: the platform bans who goes on trying."""
    platform.secret = "another"

    def get(_index, dbname):
        def ask(env):
            channel = env["omni.channel"].browse(channel_id)
            return env["omni.token"]._get_token(channel)[1].code

        return run(dbname, ask)

    assert set(forked(PROCESSES, get, odoo_database)) == {"bad_secret"}
    assert platform.requests["gettoken"] == 1
    values = sync(odoo_database, channel_id)
    assert platform.requests["gettoken"] == 1
    assert values["status"] == "open"

    def check(env):
        channel = env["omni.channel"].browse(channel_id)
        assert channel.state == "paused"
        [activity] = channel.activity_ids
        assert activity.user_id == channel.user_id
        assert "40001" in activity.note
        assert wecom.SECRET not in activity.note
        # mended: it goes on where it stood
        platform.secret = wecom.SECRET
        action = channel.action_connect()
        assert action["params"]["type"] == "success", action
        assert not channel.activity_ids

    run(odoo_database, check)
    tick(odoo_database)
    assert last_run(odoo_database, channel_id)["status"] == "done"
    assert latest(landed(odoo_database, channel_id)) == expected(platform)


def test_expired_token_is_renewed_once(odoo_database, platform, channel_id):
    calls = []

    def expire():
        calls.append(1)
        if len(calls) == 1:
            platform.tokens = dict.fromkeys(platform.tokens, 0)

    platform.hooks["externalcontact/batch/get_by_user"] = expire
    assert sync(odoo_database, channel_id)["status"] == "done"
    assert platform.token_count == 2
    assert latest(landed(odoo_database, channel_id)) == expected(platform)


def test_a_token_that_is_always_refused_ends(odoo_database, platform, channel_id):
    path = "externalcontact/get_follow_user_list"
    platform.fail_next(path, *[40014] * 20)
    values = sync(odoo_database, channel_id)
    assert (values["status"], values["error_code"]) == ("failed", "token_refused")
    # the call, and once more with a new token
    assert platform.requests[path] == 2
    assert platform.token_count == 2


def test_rate_and_busy(odoo_database, platform, channel_id):
    path = "externalcontact/batch/get_by_user"
    platform.fail_next(path, -1, -1, 45009)
    started = fields.Datetime.now()
    values = sync(odoo_database, channel_id)
    assert values["status"] == "open"
    pause = (values["not_before"] - started).total_seconds()
    assert 59 <= pause <= 70
    asked = platform.requests.total()
    tick(odoo_database)
    assert platform.requests.total() == asked, "it waits"
    request_sync(odoo_database, channel_id, "incremental")
    tick(odoo_database)
    assert platform.requests.total() == asked, "a new one waits too"

    def remove(env):
        env["omni.sync"].search([("mode", "=", "incremental")]).unlink()

    run(odoo_database, remove)

    def wait_is_over(env):
        past = SQL("(now() AT TIME ZONE 'UTC') - interval '1 second'")
        env.cr.execute(SQL("UPDATE omni_sync SET not_before = %s", past))
        env.cr.execute(SQL("UPDATE omni_token SET wait_until = %s", past))

    # refused again after the minute: it was the hour's window
    platform.fail_next(path, 45009)
    run(odoo_database, wait_is_over)
    started = fields.Datetime.now()
    tick(odoo_database)
    pause = last_run(odoo_database, channel_id)["not_before"] - started
    assert 3590 <= pause.total_seconds() <= 3610
    run(odoo_database, wait_is_over)
    tick(odoo_database)
    assert last_run(odoo_database, channel_id)["status"] == "done"
    assert latest(landed(odoo_database, channel_id)) == expected(platform)


def test_member_out_of_range_is_left_out(odoo_database, platform, channel_id):
    """One of them spoils a call for many; the others arrive all the same."""
    refused = platform.members[2]

    def after_lists():
        platform.out_of_range.add(refused)

    platform.hooks["externalcontact/list"] = lambda: (
        platform.requests["externalcontact/list"] == 4 and after_lists()
    )
    values = sync(odoo_database, channel_id)
    assert values["status"] == "done"
    assert ["not_in_range", {"number": 60011}] in values["problems"]
    found = latest(landed(odoo_database, channel_id))
    wanted = expected(platform)
    assert found == {pair: wanted[pair] for pair in wanted if pair[0] != refused}


def test_kill_in_the_middle_loses_and_repeats_nothing(
    odoo_database, platform, channel_id
):
    """SIGKILL again and again, wherever it is; in the end everything is there once."""
    platform.delay = 0.02
    generator = random.Random(20260504)
    request_sync(odoo_database, channel_id)
    kills = 0
    Registry(odoo_database)
    while last_run(odoo_database, channel_id)["status"] == "open":
        sql_db.close_all()
        pid = os.fork()
        if not pid:
            try:
                sql_db.close_all()
                tick(odoo_database)
            finally:
                os._exit(0)
        time.sleep(generator.uniform(0.03, 0.25))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        kills += 1
        assert kills < 200
    assert kills > 3, "it must have been killed on the way"
    documents = landed(odoo_database, channel_id)
    assert latest(documents) == expected(platform)
    assert len(documents) == len(platform.follows) + 9
    assert platform.token_count <= kills + 1
    values = last_run(odoo_database, channel_id)
    assert (values["accepted"], values["duplicates"]) == (len(documents), 0)


def receive(dbname, channel_id, *messages):
    """Store messages as the controller does, the signature apart."""
    adapter_messages = []
    for message in messages:
        ciphertext = wecom.encrypt(message)
        query = wecom.signed_query(ciphertext)
        adapter_messages.append((query, wecom.envelope(ciphertext)))

    def store(env):
        channel = env["omni.channel"].browse(channel_id)
        for query, body in adapter_messages:
            callback = channel._adapter().open_callback(
                channel._callback_keys(), query, body
            )
            env["omni.callback"]._receive(channel, callback, fields.Datetime.now())

    with read_committed(dbname) as cr:
        store(api.Environment(cr, SUPERUSER_ID, {}))


def work_callbacks(dbname):
    run(dbname, lambda env: env["omni.callback"]._cron_work())


def callbacks(dbname, channel_id):
    def read(env):
        found = env["omni.callback"].search([("channel_id", "=", channel_id)])
        return sorted((c.subject, c.state, c.error_code) for c in found)

    return run(dbname, read)


def test_callbacks_refetch_what_they_speak_of(odoo_database, platform, channel_id):
    sync(odoo_database, channel_id)
    before = len(landed(odoo_database, channel_id))
    platform.contacts["wm000103"]["name"] = "改名"
    platform.follows["m3", "wm000103"]["tag_id"] = ["et2", "et3"]
    new = platform.add_customer(500)
    platform.remove_follow("m0", "wm000104")
    platform.requests.clear()
    receive(
        odoo_database,
        channel_id,
        wecom.event("edit_external_contact", 1, ExternalUserID="wm000103"),
        # out of order and twice: what counts is what the platform says now
        wecom.event("add_external_contact", 2, ExternalUserID="wm000103"),
        wecom.event("edit_external_contact", 1, ExternalUserID="wm000103"),
        wecom.event("add_external_contact", 3, ExternalUserID=new),
        wecom.event("del_follow_user", 4, ExternalUserID="wm000104", UserID="m0"),
        wecom.event("edit_external_contact", 5, ExternalUserID="wm999999"),
        wecom.event("kf_msg_or_event", 6, Event="kf_msg_or_event"),
    )
    work_callbacks(odoo_database)
    assert callbacks(odoo_database, channel_id) == [
        ("contact:wm000103", "done", False),
        ("contact:wm000103", "done", False),
        ("contact:wm000104", "done", False),
        ("contact:wm000500", "done", False),
        ("contact:wm999999", "parked", "bad_external_id"),
        ("other:kf_msg_or_event", "done", False),
    ]
    assert platform.requests["externalcontact/get"] == 4, "once a customer"
    documents = landed(odoo_database, channel_id)
    assert latest(documents) == expected(platform)
    # the changed one, the new one with its two members, the end of one
    assert len(documents) == before + 4
    # both ways of asking tell the same document
    assert sync(odoo_database, channel_id)["accepted"] == 0


def test_tag_event_asks_for_all(odoo_database, platform, channel_id):
    sync(odoo_database, channel_id)
    platform.tags["et1"][1] = "Very High"
    message = wecom.event("update", 9, Event="change_external_tag", TagType="tag")
    receive(odoo_database, channel_id, message)
    work_callbacks(odoo_database)
    tick(odoo_database)
    documents = landed(odoo_database, channel_id)
    names = {tag["name"] for document in documents for tag in document.get("tags", ())}
    assert names == {"High", "Low", "Shanghai", "Very High"}


def test_concurrency_error_halves_the_calls(odoo_database, platform, channel_id):
    """The platform allows two at once: it takes fewer calls, and all arrive."""
    sync(odoo_database, channel_id)
    platform.parallel_limit = 2
    platform.delay = 0.05
    platform.highest = 0
    ids = sorted(platform.contacts)[:40]
    for external in ids:
        platform.contacts[external]["name"] += "!"
    messages = [
        wecom.event("edit_external_contact", n, ExternalUserID=external)
        for n, external in enumerate(ids)
    ]
    receive(odoo_database, channel_id, *messages)
    work_callbacks(odoo_database)
    assert {state for _s, state, _e in callbacks(odoo_database, channel_id)} == {"done"}
    assert latest(landed(odoo_database, channel_id)) == expected(platform)
    assert platform.highest > 2, "it must have been tried with more"

    def check(env):
        access = env["omni.token"].search([("channel_id", "=", channel_id)])
        assert access.parallel == 2

    run(odoo_database, check)


def test_eight_processes_receive_one_message(odoo_database, platform, channel_id):
    message = wecom.event("edit_external_contact", 1, ExternalUserID="wm000103")

    def deliver(_index, dbname):
        receive(dbname, channel_id, message)

    forked(PROCESSES, deliver, odoo_database)
    assert len(callbacks(odoo_database, channel_id)) == 1


def test_platform_that_is_down(odoo_database, platform, channel_id):
    """Nothing is lost while the platform cannot be reached."""
    sync(odoo_database, channel_id)
    url = platform.url

    def point(url):
        def change(env):
            env.cr.execute(
                SQL(
                    "UPDATE omni_channel SET platform_url = %s WHERE id = %s",
                    url,
                    channel_id,
                )
            )
            env.cr.execute("UPDATE omni_token SET wait_until = NULL")
            env.cr.execute("UPDATE omni_sync SET not_before = NULL")

        return change

    platform.contacts["wm000103"]["name"] = "改名"
    message = wecom.event("edit_external_contact", 1, ExternalUserID="wm000103")
    receive(odoo_database, channel_id, message)
    run(odoo_database, point("http://127.0.0.1:9"))
    work_callbacks(odoo_database)
    values = sync(odoo_database, channel_id)
    assert values["status"] == "open"
    assert callbacks(odoo_database, channel_id)[0][1] == "waiting"
    run(odoo_database, point(url))
    work_callbacks(odoo_database)
    tick(odoo_database)
    assert last_run(odoo_database, channel_id)["status"] == "done"
    assert callbacks(odoo_database, channel_id)[0][1] == "done"
    assert latest(landed(odoo_database, channel_id)) == expected(platform)
