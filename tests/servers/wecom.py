"""A WeCom that behaves as its documentation says, over real HTTP.

Members with customers, tags and groups; pages by cursor; tokens that end; each error
by its ``errcode`` with HTTP status 200. Failures are injected: ``fail_next`` for the
next calls of an address, ``parallel_limit``, ``rate_limit``; ``requests`` tells what
was asked. It knows nothing of the addons but the format of encrypted callbacks, which
it makes with code of its own.
"""

import base64
import hashlib
import http.client
import json
import secrets
import struct
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CORP = "ww5823bf96d3bd56c7"
SECRET = "the-secret-of-the-app"
CALLBACK_TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
OK = {"errcode": 0, "errmsg": "ok"}


def error(code, message="error"):
    return {"errcode": code, "errmsg": message}


class WeCom:
    """The platform's data, and the rules by which it answers.

    :param int members: employees who serve customers, ``m0``, ``m1`` …
    :param int customers: each is served by one member, every tenth by two
    :param int groups: customer groups, each with three customers
    """

    def __init__(self, members=4, customers=250, groups=3, port=0):
        self.lock = threading.Lock()
        self.tokens = {}
        self.token_seconds = 7200
        self.token_count = 0
        self.requests = Counter()
        self.failures = {}
        self.parallel_limit = None
        self.rate_limit = None
        self.delay = 0
        self.running = 0
        self.highest = 0
        self.cursors = {}
        self.hooks = {}
        self.secret = SECRET
        self.out_of_range = set()
        self.tags = {
            "et1": ["Value", "High"],
            "et2": ["Value", "Low"],
            "et3": ["Region", "Shanghai"],
        }
        self.members = [f"m{number}" for number in range(members)]
        self.contacts = {}
        self.follows = {}
        for number in range(customers):
            self.add_customer(number)
        ids = list(self.contacts)
        self.groups = {
            f"wr{number}": ids[number * 3 : number * 3 + 3] for number in range(groups)
        }
        self.server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        return self

    def __exit__(self, *_error):
        self.server.shutdown()
        self.server.server_close()

    # --- DATA ---

    def add_customer(self, number):
        external = f"wm{number:06}"
        self.contacts[external] = {
            "external_userid": external,
            "name": f"客户{number}",
            "type": 1,
            "gender": 1 + number % 2,
            "unionid": f"ou{number:06}",
        }
        owners = [self.members[number % len(self.members)]]
        if not number % 10:
            owners.append(self.members[(number + 1) % len(self.members)])
        for owner in owners:
            self.follows[owner, external] = {
                "userid": owner,
                "remark": f"客户{number}@{owner}",
                "description": "",
                "createtime": 1700000000 + number,
                "tag_id": [f"et{1 + number % 3}"],
                "remark_mobiles": [f"139{number:08}"],
                "add_way": 1,
            }
        return external

    def remove_follow(self, owner, external):
        del self.follows[owner, external]

    def pairs(self):
        return set(self.follows)

    # --- FAILURES ---

    def fail_next(self, path, *codes):
        """The next calls whose path ends so are answered with these codes."""
        self.failures.setdefault(path, deque()).extend(codes)

    def expire_tokens(self):
        with self.lock:
            self.tokens = dict.fromkeys(self.tokens, 0)

    # --- ANSWERS ---

    def answer(self, method, path, query, body):
        name = path.removeprefix("/cgi-bin/")
        with self.lock:
            self.requests[name] += 1
            self.running += 1
            self.highest = max(self.highest, self.running)
            too_many = self.parallel_limit and self.running > self.parallel_limit
            codes = self.failures.get(name)
            code = codes.popleft() if codes else 0
        try:
            if self.delay:
                time.sleep(self.delay)
            if code:
                return error(code, "hint: [1], from ip: 203.0.113.9, more info")
            if name == "gettoken":
                return self._gettoken(query)
            refused = self._check_token(query)
            if refused:
                return refused
            if too_many:
                return error(45033, "api concurrent out of limit")
            if self.rate_limit is not None:
                self.rate_limit -= 1
                if self.rate_limit < 0:
                    return error(45009, "reach max api daily quota limit")
            handler = getattr(self, "_" + name.replace("/", "_"), None)
            if not handler:
                return error(40066, "invalid url")
            with self.lock:
                found = handler(query, body)
            hook = self.hooks.get(name)
            if hook:
                hook()
            return found
        finally:
            with self.lock:
                self.running -= 1

    def _gettoken(self, query):
        if query.get("corpid") != CORP:
            return error(40013, "invalid corpid")
        if query.get("corpsecret") != self.secret:
            return error(40001, "invalid credential")
        token = secrets.token_hex(32)
        with self.lock:
            self.token_count += 1
            self.tokens[token] = time.monotonic() + self.token_seconds
        return {**OK, "access_token": token, "expires_in": self.token_seconds}

    def _check_token(self, query):
        token = query.get("access_token")
        if not token:
            return error(41001, "access_token missing")
        if token not in self.tokens:
            return error(40014, "invalid access_token")
        if self.tokens[token] < time.monotonic():
            return error(42001, "access_token expired")
        return None

    def _page(self, rows, cursor, limit):
        """Return a page and the cursor of the next; a cursor is an opaque text."""
        start = self.cursors.get(cursor, 0) if cursor else 0
        if cursor and cursor not in self.cursors:
            return None, None
        rest = rows[start : start + limit]
        following = ""
        if start + limit < len(rows):
            following = f"CURSOR_{len(self.cursors)}_{secrets.token_hex(4)}"
            self.cursors[following] = start + limit
        return rest, following

    def _externalcontact_get_follow_user_list(self, _query, _body):
        return {**OK, "follow_user": self.members}

    def _externalcontact_list(self, query, _body):
        member = query.get("userid")
        if member in self.out_of_range:
            return error(60011, "no privilege to access/modify contact")
        found = [external for owner, external in self.follows if owner == member]
        if not found:
            return error(84061, "not external contact")
        return {**OK, "external_userid": sorted(found)}

    def _externalcontact_batch_get_by_user(self, _query, body):
        members = body["userid_list"]
        if len(members) > 100:
            return error(40058, "userid_list exceeds the limit")
        if self.out_of_range & set(members):
            return error(60011, "no privilege to access/modify contact")
        pairs = sorted(pair for pair in self.follows if pair[0] in members)
        limit = min(body.get("limit") or 50, 100)
        page, following = self._page(pairs, body.get("cursor"), limit)
        if page is None:
            return error(600041, "invalid cursor")
        items = [
            {
                "external_contact": self.contacts[external],
                "follow_info": self.follows[owner, external],
            }
            for owner, external in page
        ]
        return {**OK, "external_contact_list": items, "next_cursor": following}

    def _externalcontact_get(self, query, _body):
        external = query.get("external_userid")
        if external not in self.contacts:
            return error(40096, "invalid external userid")
        owners = sorted(o for o, found in self.follows if found == external)
        if not owners:
            return error(84061, "not external contact")
        page, following = self._page(owners, query.get("cursor"), 500)
        follow_user = []
        for owner in page:
            follow = dict(self.follows[owner, external])
            follow["tags"] = [
                {
                    "group_name": self.tags[tag][0],
                    "tag_name": self.tags[tag][1],
                    "tag_id": tag,
                    "type": 1,
                }
                for tag in follow.pop("tag_id")
            ] + [{"group_name": "own", "tag_name": "my note", "type": 2}]
            follow_user.append(follow)
        answer = {
            **OK,
            "external_contact": self.contacts[external],
            "follow_user": follow_user,
        }
        if following:
            answer["next_cursor"] = following
        return answer

    def _externalcontact_get_corp_tag_list(self, _query, _body):
        groups = {}
        for tag, (group, name) in self.tags.items():
            groups.setdefault(group, []).append({"id": tag, "name": name})
        return {
            **OK,
            "tag_group": [
                {"group_name": name, "tag": tags} for name, tags in groups.items()
            ],
        }

    def _externalcontact_groupchat_list(self, _query, body):
        limit = body.get("limit") or 0
        if not 1 <= limit <= 1000:
            return error(600041, "invalid limit")
        page, following = self._page(sorted(self.groups), body.get("cursor"), limit)
        chats = [{"chat_id": chat, "status": 0} for chat in page]
        return {**OK, "group_chat_list": chats, "next_cursor": following}

    def _externalcontact_groupchat_get(self, _query, body):
        chat = body.get("chat_id")
        if chat not in self.groups:
            return error(40050, "chat not exist")
        members = [{"userid": "m0", "type": 1, "join_time": 1600000000}] + [
            {
                "userid": external,
                "type": 2,
                "join_time": 1600000001,
                "unionid": self.contacts[external]["unionid"],
                "name": self.contacts[external]["name"],
            }
            for external in self.groups[chat]
        ]
        group = {
            "chat_id": chat,
            "name": f"Group {chat}",
            "owner": "m0",
            "member_list": members,
        }
        return {**OK, "group_chat": group}


def _handler(wecom):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._serve(None)

        def do_POST(self):
            length = int(self.headers.get("Content-Length") or 0)
            self._serve(json.loads(self.rfile.read(length) or b"{}"))

        def _serve(self, body):
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            answer = wecom.answer(self.command, parts.path, query, body)
            data = json.dumps(answer, ensure_ascii=False).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments):
            pass

    return Handler


# --- CALLBACKS ---


def encrypt(message, receiver=CORP, aes_key=AES_KEY):
    """As the platform does, without the addon's code."""
    key = base64.b64decode(aes_key + "=")
    plain = secrets.token_bytes(16) + struct.pack(">I", len(message)) + message
    plain += receiver.encode()
    count = 32 - len(plain) % 32
    plain += bytes([count]) * count
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def signature(ciphertext, timestamp, nonce, token=CALLBACK_TOKEN):
    parts = sorted([token, timestamp, nonce, ciphertext])
    return hashlib.sha1("".join(parts).encode()).hexdigest()


def signed_query(ciphertext, timestamp=None, nonce=None, **more):
    timestamp = str(timestamp or int(time.time()))
    nonce = nonce or secrets.token_hex(8)
    return {
        "msg_signature": signature(ciphertext, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        **more,
    }


def event(change, created=1700000000, **values):
    """XML of a change of a customer, as the platform writes it."""
    fields = {
        "ToUserName": CORP,
        "FromUserName": "sys",
        "MsgType": "event",
        "Event": "change_external_contact",
        "ChangeType": change,
        **values,
    }
    cells = "".join(
        f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items()
    )
    return f"<xml>{cells}<CreateTime>{created}</CreateTime></xml>".encode()


def envelope(ciphertext):
    return (
        f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><Encrypt><![CDATA["
        f"{ciphertext}]]></Encrypt><AgentID><![CDATA[218]]></AgentID></xml>"
    ).encode()


def post_callback(url, message, **options):
    """Deliver a message; return ``(status, body)``."""
    ciphertext = encrypt(message)
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    query = urlencode(signed_query(ciphertext, **options))
    connection.request("POST", f"{parts.path}?{query}", envelope(ciphertext))
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body
