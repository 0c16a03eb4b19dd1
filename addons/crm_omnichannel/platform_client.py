"""Calls to a platform over HTTP: one connection a thread, several calls at once.

Neither addresses nor answers are logged: tokens and secrets stand in them.
"""

import http.client
import json
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

from .tools.platform import BUSY, PARALLEL, TOKEN, Failure

TIMEOUT = 20
MAX_ANSWER = 32 * 2**20
MAX_PARALLEL = 8
BUSY_TRIES = 3
BUSY_PAUSE = 0.5
#: no answer at all, or none that can be read; ``params`` say why
UNREACHABLE = "unreachable"
#: not asked at all: the platform wants to be left alone for a while
WAITING = "waiting"


class Transport:
    """A connection to one host, kept open.

    :param str base_url: ``https://host[:port][/path]``, or ``http`` for a proxy nearby
    """

    def __init__(self, base_url):
        parts = urlsplit(base_url)
        self.prefix = parts.path.rstrip("/")
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self.connection = http.client.HTTPSConnection(
                parts.netloc, timeout=TIMEOUT, context=context
            )
        else:
            self.connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)

    def send(self, request):
        """Send a ``platform.Request``.

        A redirection is not followed: it would carry the token elsewhere.

        :return: ``(answer, failure)``, one of them None
        """
        path = self.prefix + request.path
        if request.query:
            path += "?" + urlencode(request.query)
        body, headers = None, {}
        if request.body is not None:
            body = json.dumps(request.body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(request.method, path, body, headers)
            response = self.connection.getresponse()
            data = response.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            return None, Failure(UNREACHABLE, "unreachable", {"reason": _name(error)})
        if response.status != 200:
            self.connection.close()
            failure = Failure(UNREACHABLE, "bad_status", {"status": response.status})
            return None, failure
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if len(data) > MAX_ANSWER or not isinstance(answer, dict):
            self.connection.close()
            return None, Failure(UNREACHABLE, "bad_answer", {})
        return answer, None

    def close(self):
        """Close the connection; another request opens it again."""
        self.connection.close()


class Client:
    """Authorised calls, repeated where the platform asks for it, never for ever.

    :param adapter: class of ``tools/platform.py``
    :param str base_url: of the platform
    :param callable get_token: ``get_token(failed=None)`` → ``(token, failure)``, in
        the thread of the caller
    :param int parallel: calls at once at most; lowered when the platform complains
    """

    def __init__(self, adapter, base_url, get_token, parallel=1):
        self.adapter = adapter
        self.base_url = base_url
        self.get_token = get_token
        self.parallel = max(1, min(parallel, MAX_PARALLEL))
        self.lowered = False
        #: greatest number of calls that were made at once
        self.used = 0
        self._transports = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        for transport in self._transports:
            transport.close()

    def call(self, request):
        """:return: ``(answer, failure)``, one of them None"""
        [outcome] = self.call_many([request])
        return outcome

    def call_many(self, requests):
        """Send several requests.

        A refused token is renewed once; a busy platform is asked four times in all;
        one that says "too many at once" is asked with half as many until it is one.

        :return: list of ``(answer, failure)`` in their order
        """
        outcomes = [None] * len(requests)
        waiting = list(range(len(requests)))
        token, failure = self.get_token()
        renewed, busy = False, 0
        while waiting:
            if failure:
                for index in waiting:
                    outcomes[index] = (None, failure)
                break
            calls = [self.adapter.authorise(requests[i], token) for i in waiting]
            for index, outcome in zip(waiting, self._send_all(calls), strict=True):
                outcomes[index] = outcome
            kinds = {outcomes[i][1].kind for i in waiting if outcomes[i][1]}
            repeated = set()
            if TOKEN in kinds and not renewed:
                token, failure = self.get_token(failed=token)
                renewed = True
                repeated.add(TOKEN)
            if PARALLEL in kinds and self.parallel > 1:
                self.parallel //= 2
                self.lowered = True
                repeated.add(PARALLEL)
            if BUSY in kinds and busy < BUSY_TRIES:
                busy += 1
                time.sleep(BUSY_PAUSE * busy)
                repeated.add(BUSY)
            waiting = [
                index
                for index in waiting
                if outcomes[index][1] and outcomes[index][1].kind in repeated
            ]
        return outcomes

    def _send_all(self, calls):
        count = min(self.parallel, len(calls))
        self.used = max(self.used, count)
        while len(self._transports) < count:
            self._transports.append(Transport(self.base_url))
        if count == 1:
            return [self._send(self._transports[0], call) for call in calls]
        # each thread has every count-th call, on a connection of its own
        shares = [calls[start::count] for start in range(count)]
        with ThreadPoolExecutor(count) as pool:
            results = list(pool.map(self._send_share, self._transports, shares))
        return [results[i % count][i // count] for i in range(len(calls))]

    def _send_share(self, transport, calls):
        return [self._send(transport, call) for call in calls]

    def _send(self, transport, call):
        answer, failure = transport.send(call)
        failure = failure or self.adapter.failure(answer)
        return (None, failure) if failure else (answer, None)


def fetch_token(adapter, base_url, app):
    """Ask for a new token, once.

    :param App app: who asks
    :return: ``(Token, failure)``, one of them None
    """
    transport = Transport(base_url)
    try:
        answer, failure = transport.send(adapter.token_request(app))
    finally:
        transport.close()
    failure = failure or adapter.failure(answer, for_token=True)
    if failure:
        return None, failure
    try:
        return adapter.read_token(answer), None
    except (KeyError, TypeError, ValueError):
        return None, Failure(UNREACHABLE, "bad_answer", {})


def _name(error):
    """What went wrong, without the address: its text may hold the token."""
    return type(error).__name__
