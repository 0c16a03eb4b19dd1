"""What every platform's connector has in common, whoever the platform is.

A synchronisation is a chain of requests. Where it stands is a small *state*, a JSON
object that only the adapter understands: ``request(state)`` says what to ask next,
``read_answer(state, answer, facts)`` what the answer holds and where it goes on.
Whoever drives it stores the state together with what was read, so a crash repeats one
request at most. Nothing here knows the network, a clock or a database.
"""

from typing import NamedTuple

from .adapters import Adapter

# What is to be done about an answer that is an error.
TOKEN = "token"  # the token is refused: get a new one, once
BUSY = "busy"  # try again, a few times
RATE = "rate"  # too many calls: wait for the window to pass
PARALLEL = "parallel"  # too many calls at once: fewer at once
PARK = "park"  # this object cannot be had: leave it, with the reason
STOP = "stop"  # the credentials or the settings are wrong: no further call
REFUSED = "refused"  # this call, for a reason nobody expected: somebody has to look
ALERT = "alert"  # every call is refused until somebody has mended something


class Request(NamedTuple):
    """A call to the platform, without its host and its token."""

    method: str
    path: str
    query: dict = {}  # noqa: B006 - never changed
    body: "dict | None" = None


class Token(NamedTuple):
    """What calls are authorised with, and for how many seconds from now."""

    value: str
    seconds: int


class App(NamedTuple):
    """Who calls: the id of the app or company, and its secret."""

    app_id: str
    secret: str


class Keys(NamedTuple):
    """What callbacks are signed and encrypted with."""

    app_id: str
    token: str
    aes_key: str


class Failure(NamedTuple):
    """An answer that is an error: what to do, and the reason as code and params."""

    kind: str
    code: str
    params: dict


class Document(NamedTuple):
    """What the platform knows of a person, in one respect.

    ``external_id`` names the person, ``kind`` and ``part`` the respect (as seen by one
    employee, as a member of one group). ``content`` None: that is over.
    """

    kind: str
    external_id: str
    part: str
    content: "dict | None"


class Whole(NamedTuple):
    """A complete list: what is known of this kind beside it is over.

    ``side`` is ``part`` (``members`` are all external ids of that part) or
    ``external_id`` (``members`` are all parts of that person).
    """

    kind: str
    side: str
    value: str
    members: frozenset


class Page(NamedTuple):
    """What an answer holds, and where the chain goes on (None: it ends here).

    ``fresh_state`` is where it goes on instead, if a whole list names somebody who is
    not known yet. ``facts`` replaces what the adapter remembers beside the state.
    """

    documents: list
    state: "dict | None"
    wholes: list = []  # noqa: B006 - never changed
    fresh_state: "dict | None" = None
    facts: "dict | None" = None


class Callback(NamedTuple):
    """A message that the platform sent, verified and decrypted."""

    key: str
    payload: bytes
    subject: str
    timestamp: int
    nonce: str


class CallbackError(ValueError):
    """A callback that is refused; ``code`` is ``bad_signature`` or ``bad_callback``."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def read_page(adapter, state, answer, facts):
    """Read an answer, whatever is in it.

    :return: ``(Page, failure)``, one of them None
    """
    try:
        return adapter.read_answer(state, answer, facts), None
    except (AttributeError, KeyError, TypeError, ValueError):
        # it has not the form that the platform documents
        return None, Failure(REFUSED, "bad_answer", {})


class PlatformAdapter(Adapter):
    """A platform that is asked over HTTP and calls back. All methods are pure."""

    syncs = True
    #: the platform's own address; a channel may name another one
    host = ""

    # --- TOKEN ---

    @classmethod
    def token_request(cls, app):
        """Return the :class:`Request` that gets a token for an :class:`App`."""
        raise NotImplementedError

    @classmethod
    def read_token(cls, answer):
        """Return the :class:`Token` of an answer that is no failure."""
        raise NotImplementedError

    @classmethod
    def authorise(cls, request, token):
        """Return the request with its token."""
        raise NotImplementedError

    @classmethod
    def failure(cls, answer, for_token=False):
        """Return the :class:`Failure` that an answer is, or None.

        :param dict answer: parsed JSON
        :param bool for_token: it answers a request for a token
        """
        raise NotImplementedError

    # --- SYNCHRONISATION ---

    @classmethod
    def start(cls, mode, options):
        """Return the first state.

        :param str mode: ``full`` or ``incremental``
        :param dict options: of the channel
        """
        raise NotImplementedError

    @classmethod
    def probe(cls):
        """Return a state whose request shows whether the credentials are good."""
        raise NotImplementedError

    @classmethod
    def request(cls, state):
        """Return the :class:`Request` of a state."""
        raise NotImplementedError

    @classmethod
    def read_answer(cls, state, answer, facts):
        """Return the :class:`Page` that an answer is.

        :param dict facts: what the adapter remembered
        """
        raise NotImplementedError

    @classmethod
    def skip(cls, state, failure):
        """Return the :class:`Page` to go on with where something cannot be had, or
        None where there is no going on without it."""
        raise NotImplementedError

    # --- CALLBACKS ---

    @classmethod
    def echo(cls, keys, query):
        """Return the text that proves to the platform whose address this is.

        :param Keys keys: of the channel
        :param dict query: parameters of the address
        :raise CallbackError: it is not the platform that asks
        """
        raise NotImplementedError

    @classmethod
    def open_callback(cls, keys, query, body):
        """Return the verified :class:`Callback` of a request.

        :raise CallbackError: it is refused
        """
        raise NotImplementedError

    @classmethod
    def subject_state(cls, subject):
        """Return the state that fetches what a callback speaks of; None: nothing."""
        raise NotImplementedError

    @classmethod
    def asks_for_all(cls, subject):
        """Tell whether a callback changes so much that all is fetched again."""
        raise NotImplementedError
