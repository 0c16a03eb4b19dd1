"""WeCom (企业微信): customer contact of a company, by its own app.

Source: developer.work.weixin.qq.com, paths 92109 to 92130 (客户联系), 90313
(全局错误码), 90968 (加解密方案说明). Errors are told by ``errcode``, never ``errmsg``.

A full synchronisation asks for the tags, the members who serve customers, each member's
list of customers, the details of all of them, and the groups with their members. An
incremental one asks for the same lists, but for details only of members whose list
names somebody new: WeCom has no "changed since", changes come by callback.
"""

import hashlib
import re

from .adapters import register
from .platform import (
    ALERT,
    BUSY,
    PARALLEL,
    PARK,
    RATE,
    REFUSED,
    STOP,
    TOKEN,
    Callback,
    CallbackError,
    Document,
    Failure,
    Page,
    PlatformAdapter,
    Request,
    Token,
    Whole,
)
from .platform_crypto import CryptoError, decrypt, is_signed
from .safe_xml import XmlError, read_message

#: greatest numbers that the platform takes
MEMBERS_PER_CALL = 100
CONTACTS_PER_PAGE = 100
# It would take 1,000, but each has to be asked for singly, and the state names them.
GROUPS_PER_PAGE = 100
MAX_ID = 128
CONTACT, GROUP = "contact", "group"
NO_RELATION = 84061

FAILURES = {
    -1: (BUSY, "platform_busy"),
    40001: (TOKEN, "token_refused"),
    40014: (TOKEN, "token_refused"),
    42001: (TOKEN, "token_refused"),
    40013: (STOP, "bad_app_id"),
    40056: (STOP, "bad_agent"),
    41001: (REFUSED, "platform_refused"),
    41002: (STOP, "bad_app_id"),
    41004: (STOP, "bad_secret"),
    45009: (RATE, "rate_exceeded"),
    45033: (PARALLEL, "too_many_at_once"),
    60020: (ALERT, "address_not_allowed"),
    40050: (PARK, "group_dismissed"),
    40096: (PARK, "bad_external_id"),
    49008: (PARK, "group_dismissed"),
    48002: (PARK, "no_permission"),
    50002: (PARK, "not_in_range"),
    60011: (PARK, "not_in_range"),
    60111: (PARK, "not_in_range"),
    81013: (PARK, "not_in_range"),
    84061: (PARK, "no_relation"),
    84074: (PARK, "no_permission"),
    84084: (PARK, "no_relation"),
    301002: (PARK, "no_permission"),
}
#: a request for a token that fails so must not be repeated: the address gets banned
TOKEN_FAILURES = {40001: (STOP, "bad_secret")}
_ADDRESS = re.compile(r"from ip: ?([0-9a-fA-F.:]+)")


@register
class WeComAdapter(PlatformAdapter):
    """Customers of a company, as WeCom's members know them."""

    code = "wecom"
    host = "https://qyapi.weixin.qq.com"

    # --- TOKEN ---

    @classmethod
    def token_request(cls, app):
        query = {"corpid": app.app_id, "corpsecret": app.secret}
        return Request("GET", "/cgi-bin/gettoken", query)

    @classmethod
    def read_token(cls, answer):
        return Token(answer["access_token"], int(answer.get("expires_in") or 7200))

    @classmethod
    def authorise(cls, request, token):
        # it must stand in the address
        return request._replace(query={**request.query, "access_token": token})

    @classmethod
    def failure(cls, answer, for_token=False):
        number = answer.get("errcode", 0)
        if not number:
            return None
        known = FAILURES
        if for_token:
            known = {**FAILURES, **TOKEN_FAILURES}
        kind, code = known.get(number, (REFUSED, "platform_refused"))
        params = {"number": number}
        if code == "address_not_allowed":
            found = _ADDRESS.search(str(answer.get("errmsg")))
            params["address"] = found[1] if found else "?"
        return Failure(kind, code, params)

    # --- SYNCHRONISATION ---

    @classmethod
    def start(cls, mode, options):
        return {
            "step": "tags",
            "full": mode == "full",
            "groups": bool(options.get("groups")),
        }

    @classmethod
    def probe(cls):
        return {"step": "members"}

    @classmethod
    def request(cls, state):
        return getattr(cls, f"_ask_{state['step']}")(state)

    @classmethod
    def read_answer(cls, state, answer, facts):
        return getattr(cls, f"_read_{state['step']}")(state, answer, facts)

    @classmethod
    def skip(cls, state, failure):
        step = state["step"]
        if step == "tags":
            return cls._read_tags(state, {}, {})
        if step == "lists":
            if failure.params.get("number") == NO_RELATION:
                # so WeCom says that a member has no customers
                return cls._read_lists(state, {}, {})
            return Page([], cls._after_list(state, chosen=False))
        if step == "contacts":
            return Page([], cls._split_batch(state))
        if step == "groups":
            return Page([], None)
        if step == "group":
            gone = Whole(GROUP, "part", state["chats"][0], frozenset())
            dismissed = failure.code == "group_dismissed"
            return Page([], cls._after_group(state), [gone] * dismissed)
        if step == "contact" and failure.params.get("number") == NO_RELATION:
            gone = Whole(CONTACT, "external_id", state["external_userid"], frozenset())
            return Page([], None, [gone])
        return None

    # tags: names for the ids

    @staticmethod
    def _ask_tags(_state):
        return Request("POST", "/cgi-bin/externalcontact/get_corp_tag_list", {}, {})

    @staticmethod
    def _read_tags(state, answer, _facts):
        tags = {
            tag["id"]: [group.get("group_name", ""), tag.get("name", "")]
            for group in answer.get("tag_group") or ()
            for tag in group.get("tag") or ()
        }
        return Page([], {**state, "step": "members"}, facts={"tags": tags})

    # members who serve customers

    @staticmethod
    def _ask_members(_state):
        return Request("GET", "/cgi-bin/externalcontact/get_follow_user_list")

    @classmethod
    def _read_members(cls, state, answer, _facts):
        members = sorted(set(answer.get("follow_user") or ()))
        state = {**state, "step": "lists", "members": members, "at": 0, "chosen": []}
        return Page([], state if members else cls._after_contacts(state))

    # the ids of each member's customers

    @staticmethod
    def _ask_lists(state):
        query = {"userid": state["members"][state["at"]]}
        return Request("GET", "/cgi-bin/externalcontact/list", query)

    @classmethod
    def _read_lists(cls, state, answer, _facts):
        member = state["members"][state["at"]]
        whole = Whole(
            CONTACT, "part", member, frozenset(answer.get("external_userid") or ())
        )
        return Page(
            [],
            cls._after_list(state, chosen=state["full"] and bool(whole.members)),
            [whole],
            cls._after_list(state, chosen=True),
        )

    @classmethod
    def _after_list(cls, state, chosen):
        members, at = state["members"], state["at"] + 1
        chosen = state["chosen"] + [members[at - 1]] * chosen
        if at < len(members):
            return {**state, "at": at, "chosen": chosen}
        batches = [
            chosen[start : start + MEMBERS_PER_CALL]
            for start in range(0, len(chosen), MEMBERS_PER_CALL)
        ]
        return cls._next_batch({**state, "batches": batches})

    # the details of the customers of some members

    @classmethod
    def _next_batch(cls, state):
        if not state["batches"]:
            return cls._after_contacts(state)
        kept = {key: state[key] for key in ("full", "groups", "batches")}
        return {**kept, "step": "contacts", "cursor": ""}

    @staticmethod
    def _ask_contacts(state):
        body = {
            "userid_list": state["batches"][0],
            "cursor": state["cursor"],
            "limit": CONTACTS_PER_PAGE,
        }
        return Request("POST", "/cgi-bin/externalcontact/batch/get_by_user", {}, body)

    @classmethod
    def _read_contacts(cls, state, answer, facts):
        names = facts.get("tags") or {}
        documents = []
        for item in answer.get("external_contact_list") or ():
            follow = dict(item.get("follow_info") or {})
            tags = [
                {"id": tag, "group": names[tag][0], "name": names[tag][1]}
                for tag in follow.pop("tag_id", None) or ()
                if tag in names
            ]
            documents.append(_contact(item.get("external_contact") or {}, follow, tags))
        cursor = answer.get("next_cursor")
        if cursor:
            return Page(documents, {**state, "cursor": cursor})
        rest = {**state, "batches": state["batches"][1:]}
        return Page(documents, cls._next_batch(rest))

    @classmethod
    def _split_batch(cls, state):
        """One member out of range spoils the call: find out who by halves."""
        first, *rest = state["batches"]
        half = len(first) // 2
        halves = [first[:half], first[half:]] if half else []
        return cls._next_batch({**state, "batches": [*halves, *rest]})

    # groups

    @staticmethod
    def _after_contacts(state):
        return {"step": "groups", "cursor": ""} if state["groups"] else None

    @staticmethod
    def _ask_groups(state):
        body = {"cursor": state["cursor"], "limit": GROUPS_PER_PAGE}
        return Request("POST", "/cgi-bin/externalcontact/groupchat/list", {}, body)

    @classmethod
    def _read_groups(cls, state, answer, _facts):
        chats = [chat["chat_id"] for chat in answer.get("group_chat_list") or ()]
        cursor = answer.get("next_cursor") or ""
        state = {"step": "group", "chats": ["", *chats], "cursor": cursor}
        return Page([], cls._after_group(state))

    @staticmethod
    def _ask_group(state):
        body = {"chat_id": state["chats"][0], "need_name": 1}
        return Request("POST", "/cgi-bin/externalcontact/groupchat/get", {}, body)

    @classmethod
    def _read_group(cls, state, answer, _facts):
        group = answer.get("group_chat") or {}
        chat_id = state["chats"][0]
        documents = [
            _group_member(group, member)
            for member in group.get("member_list") or ()
            # 1 is an employee
            if member.get("type") == 2 and member.get("userid")
        ]
        members = frozenset(document.external_id for document in documents)
        whole = Whole(GROUP, "part", chat_id, members)
        return Page(documents, cls._after_group(state), [whole])

    @staticmethod
    def _after_group(state):
        chats = state["chats"][1:]
        if chats:
            return {**state, "chats": chats}
        cursor = state["cursor"]
        return {"step": "groups", "cursor": cursor} if cursor else None

    # one customer, one dismissed group: what a callback speaks of

    @staticmethod
    def _ask_contact(state):
        query = {"external_userid": state["external_userid"]}
        if state["cursor"]:
            query["cursor"] = state["cursor"]
        return Request("GET", "/cgi-bin/externalcontact/get", query)

    @staticmethod
    def _read_contact(state, answer, _facts):
        documents, seen = [], list(state["seen"])
        for follow in answer.get("follow_user") or ():
            follow = dict(follow)
            tags = [
                {
                    "id": tag["tag_id"],
                    "group": tag.get("group_name", ""),
                    "name": tag.get("tag_name", ""),
                }
                for tag in follow.pop("tags", None) or ()
                # a member's own tags have no id; the other call does not tell them
                if tag.get("tag_id")
            ]
            documents.append(_contact(answer["external_contact"], follow, tags))
            seen.append(follow["userid"])
        cursor = answer.get("next_cursor")
        if cursor:
            return Page(documents, {**state, "cursor": cursor, "seen": seen})
        whole = Whole(CONTACT, "external_id", state["external_userid"], frozenset(seen))
        return Page(documents, None, [whole])

    # --- CALLBACKS ---

    @classmethod
    def echo(cls, keys, query):
        try:
            return _open(keys, query, query.get("echostr", "")).decode()
        except UnicodeDecodeError:
            raise CallbackError("bad_callback") from None

    @classmethod
    def open_callback(cls, keys, query, body):
        try:
            ciphertext = read_message(body).get("Encrypt")
            if not isinstance(ciphertext, str):
                raise CallbackError("bad_callback")
            payload = _open(keys, query, ciphertext)
            message = read_message(payload)
            timestamp = int(query["timestamp"])
        except (XmlError, ValueError) as error:
            if isinstance(error, CallbackError):
                raise
            raise CallbackError("bad_callback") from None
        # An event has no number. CreateTime is inside, so that the same change at
        # another time is another message.
        key = hashlib.sha256(payload).hexdigest()
        return Callback(key, payload, _subject(message), timestamp, query["nonce"])

    @classmethod
    def subject_state(cls, subject):
        kind, _colon, value = subject.partition(":")
        if kind == CONTACT:
            return {
                "step": "contact",
                "external_userid": value,
                "cursor": "",
                "seen": [],
            }
        if kind == GROUP:
            return {"step": "group", "chats": [value], "cursor": ""}
        return None

    @classmethod
    def asks_for_all(cls, subject):
        return subject == "tags"


def _open(keys, query, ciphertext):
    signature = query.get("msg_signature", "")
    timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
    if not is_signed(signature, keys.token, timestamp, nonce, ciphertext):
        raise CallbackError("bad_signature")
    try:
        return decrypt(keys.aes_key, ciphertext, keys.app_id)
    except CryptoError:
        raise CallbackError("bad_callback") from None


def _subject(message):
    """Return what an event is about: ``contact:<id>``, ``group:<id>``, ``tags``; the
    event's own name where it is of no interest here."""
    event = message.get("Event")
    names = {
        "change_external_contact": (CONTACT, message.get("ExternalUserID")),
        "change_external_chat": (GROUP, message.get("ChatId")),
    }
    if event in names:
        kind, value = names[event]
        if not isinstance(value, str) or not value or len(value) > MAX_ID:
            raise CallbackError("bad_callback")
        return f"{kind}:{value}"
    if event == "change_external_tag":
        return "tags"
    return f"other:{event or message.get('MsgType')}"[:MAX_ID]


def _contact(contact, follow, tags):
    """The same document, whichever call told it."""
    content = {
        "external_contact": contact,
        "follow_info": follow,
        "tags": sorted(tags, key=lambda tag: tag["id"]),
    }
    return Document(
        CONTACT, contact["external_userid"], str(follow.get("userid") or ""), content
    )


def _group_member(group, member):
    contact = {
        "external_userid": member["userid"],
        "name": member.get("name", ""),
        "type": 1,
    }
    if member.get("unionid"):
        contact["unionid"] = member["unionid"]
    content = {
        "external_contact": contact,
        "group_chat": {
            "chat_id": group["chat_id"],
            "name": group.get("name", ""),
            "owner": group.get("owner", ""),
            "join_time": member.get("join_time"),
        },
    }
    return Document(GROUP, member["userid"], group["chat_id"], content)
