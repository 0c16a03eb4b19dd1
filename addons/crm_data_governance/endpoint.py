"""The guarded public endpoint: the one way in for strangers.

``@guarded(...)`` makes a controller method a public route that checks the credential,
its scope and its rate, limits the decompressed body, counts its use, is listed in the
API catalogue, and answers every failure with one short JSON error.

The guard only reads in the request's own cursor (the route may be read only): rates and
counts go through cursors of their own (``rates.py``, ``usage.py``).
"""

import base64
import binascii
import inspect
import json
import logging
from typing import Any, NamedTuple

import psycopg2
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from odoo import SUPERUSER_ID
from odoo.exceptions import (
    AccessDenied,
    AccessError,
    ConcurrencyError,
    MissingError,
    UserError,
)
from odoo.http import Dispatcher, Response, request, route
from odoo.tools import LazyTranslate
from odoo.tools.json import json_default
from odoo.tools.misc import get_lang, hmac

from . import rates, usage
from .db import begin_read_committed
from .messages import render
from .tools.inflate import InflateError, TooLarge, UnknownCoding, inflate
from .tools.language import pick_language
from .tools.networks import network
from .tools.origins import is_of_host

_logger = logging.getLogger(__name__)
_lt = LazyTranslate(__name__)

CORS_MAX_AGE = 600
CORS_HEADERS = "Authorization, Content-Type, Content-Encoding, Idempotency-Key"
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
AUTHS = ("credential", "signature", "open")
# Requests a minute of one address at an open route: an office behind one address.
OPEN_RATE = 600

# Texts of the errors; an addon adds its own codes with ``add_messages``.
_messages = {
    "bad_request": _lt("The request cannot be read."),
    "unauthorized": _lt("A valid key is needed."),
    "forbidden": _lt("The key does not allow this."),
    "not_found": _lt("There is nothing at this address."),
    "method_not_allowed": _lt("This method is not offered here."),
    "conflict": _lt("The request conflicts with the current state."),
    "too_large": _lt("The request is too large."),
    "unsupported_encoding": _lt("This content encoding is not supported."),
    "unprocessable": _lt("The request cannot be carried out."),
    "rate_limited": _lt("Too many requests. Please try again later."),
    "internal": _lt("An internal error occurred."),
    "unavailable": _lt("The service is not available. Please try again later."),
}
_CODE_OF_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_encoding",
    422: "unprocessable",
    429: "rate_limited",
    503: "unavailable",
}


def add_messages(messages):
    """Texts for an addon's own error codes.

    :param dict messages: ``{code: _lt("Text with %(param)s")}``
    """
    _messages.update(messages)


class GuardError(Exception):
    """An answer with an error: ``{"error": {"code": …, "message": …}}``.

    :param int status: HTTP status
    :param str code: what programs read
    :param params: values of the message; ``headers`` (dict) go into the answer,
        ``credential_id`` into the count
    """

    # Odoo's server logs it at this level, without a trace.
    loglevel = logging.DEBUG

    def __init__(self, status, code, **params):
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.headers = params.pop("headers", {})
        # Whose request it was, when the key is known but not good for this.
        self.credential_id = params.pop("credential_id", None)
        self.params = params


class Endpoint(NamedTuple):
    """What the catalogue knows of a guarded route."""

    code: str
    title: Any
    path: str
    methods: tuple
    auth: str
    scope: str
    max_bytes: int
    readonly: bool
    key_of: Any
    rate: int
    read_committed: bool
    module: str


class Guard:
    """``request.guard``: what the guard found out about the request.

    It outlives a repetition of the request (serialization failure), so that one
    request takes one token and counts once.
    """

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.credential_id = None
        self.body = b""
        self.origin = None
        self.admitted = False
        self.counted = False
        self._body_read = False

    @property
    def credential(self):
        """The ``governance.credential`` (superuser), or an empty record."""
        credential = request.env["governance.credential"].sudo()
        return credential.browse(self.credential_id or ())

    def read_body(self):
        """Read and decompress the body once, never past the cap."""
        if self._body_read:
            return
        httprequest = request.httprequest
        limit = self.endpoint.max_bytes
        if (httprequest.content_length or 0) > limit:
            raise GuardError(413, "too_large", limit=limit)
        try:
            # Compressed or not, a body that was cut off is refused as such.
            raw = inflate(httprequest.get_data(), None, limit)
            self.body = inflate(raw, httprequest.headers.get("Content-Encoding"), limit)
        except (RequestEntityTooLarge, TooLarge):
            raise GuardError(413, "too_large", limit=limit) from None
        except UnknownCoding:
            raise GuardError(
                415,
                "unsupported_encoding",
                headers={"Accept-Encoding": "gzip, deflate"},
            ) from None
        except (InflateError, HTTPException):
            raise GuardError(400, "bad_request") from None
        self._body_read = True

    def check_same_site(self):
        """Let only pages of this host call: a page elsewhere may not use the session.

        :raise GuardError: forbidden
        """
        headers = request.httprequest.headers
        site = headers.get("Sec-Fetch-Site")
        origin = headers.get("Origin")
        if site not in (None, "same-origin") or (
            origin and not is_of_host(origin, request.httprequest.host)
        ):
            raise GuardError(403, "forbidden")

    def count(self, status):
        """Count the answered request, once."""
        if self.counted:
            return
        self.counted = True
        usage.buffer.add(
            request.db,
            self.endpoint.code,
            self.credential_id,
            status,
            len(self.body),
        )


# {code: Endpoint} of all imported addons; the model shows those of installed ones.
CATALOGUE = {}


def guarded(
    path,
    *,
    code,
    title,
    methods,
    auth="credential",
    scope=None,
    max_bytes=2**20,
    readonly=False,
    key_of=None,
    rate=OPEN_RATE,
    read_committed=False,
):
    """Make a controller method a guarded public route.

    The method answers with a dict or list (JSON, 200) or a Response.  It runs as the
    public user whatever cookie is sent: what it may do comes from
    ``request.guard.credential``.  Query parameters that it does not name are ignored.
    One path belongs to one method; it serves all HTTP methods of the path.

    :param str path: werkzeug rule
    :param str code: key in the catalogue, unique
    :param title: title in the catalogue, a str or a lazy translation
    :param list methods: HTTP methods; HEAD comes with GET, OPTIONS is answered here
    :param str auth: ``credential``, ``signature`` (the method verifies
        ``request.guard.body`` itself) or ``open``
    :param str scope: needed of the credential
    :param int max_bytes: greatest size of the decompressed body
    :param bool readonly: the method writes nothing
    :param callable key_of: ``key_of(request)`` gives the key when it is neither the
        bearer token nor the Basic user name
    :param int rate: of a route without a key: requests a minute of one client address
        (a key has a rate of its own); 0: no limit
    :param bool read_committed: the transaction of the request is in this isolation
        level, for methods that write what others write at the same time; they are
        answered after its commit
    """
    if auth not in AUTHS:
        raise ValueError(f"Unknown auth {auth!r}")
    if auth == "credential" and not scope:
        raise ValueError(f"Endpoint {code} needs a scope")

    def decorator(method):
        module = method.__module__.split(".")
        endpoint = Endpoint(
            code=code,
            title=title,
            path=path,
            methods=tuple(methods),
            auth=auth,
            scope=scope or "",
            max_bytes=max_bytes,
            readonly=readonly,
            key_of=key_of,
            rate=rate if auth != "credential" else 0,
            read_committed=read_committed,
            module=module[2] if module[:2] == ["odoo", "addons"] else "",
        )
        known = CATALOGUE.get(code)
        if known and (known.path, known.module) != (path, endpoint.module):
            raise ValueError(f"Endpoint {code} stands at {known.path} already")
        CATALOGUE[code] = endpoint
        accepted = inspect.signature(method).parameters

        def serve(self, **params):
            return _serve(
                endpoint,
                method,
                self,
                {name: value for name, value in params.items() if name in accepted},
            )

        serve.__name__ = method.__name__
        serve.__qualname__ = method.__qualname__
        serve.__module__ = method.__module__
        serve.__doc__ = method.__doc__
        # auth="none": a session cookie must not lend its user's rights to a route
        # that is called with a key, nor cost a look at the session.  methods=None:
        # a wrong method is answered by the guard, in JSON.
        return route(
            path,
            type="guarded",
            auth="none",
            methods=None,
            csrf=False,
            save_session=False,
            readonly=readonly,
            # A body without a length is cut off there: one byte more tells.
            max_content_length=max_bytes + 1,
            guard=endpoint,
        )(serve)

    return decorator


def _serve(endpoint, method, controller, params):
    """Admit the request, run the method, make the answer."""
    guard = request.guard
    if request.httprequest.method == "OPTIONS":
        return _preflight(endpoint)
    _admit(guard)
    result = method(controller, **params)
    # What the method left to be written fails here, inside the guard's errors.
    if not request.env.cr.readonly:
        request.env.cr.flush()
    response = result if isinstance(result, Response) else json_response(result)
    guard.count(response.status_code)
    _add_cors(response.headers, guard)
    return response


def _admit(guard):
    endpoint = guard.endpoint
    allowed = set(endpoint.methods) | ({"HEAD"} if "GET" in endpoint.methods else set())
    if request.httprequest.method not in allowed:
        raise GuardError(
            405, "method_not_allowed", headers={"Allow": ", ".join(sorted(allowed))}
        )
    if endpoint.auth == "credential":
        try:
            credential = request.env["governance.credential"]._authenticate(
                _read_key(endpoint), endpoint.scope, _origin()
            )
        except GuardError as error:
            guard.credential_id = error.credential_id
            raise
        guard.credential_id = credential.id
        if credential.kind == "public":
            guard.origin = _origin()
        _take_token(guard, credential.id, credential.rate)
    elif endpoint.rate > 0:
        _take_token(guard, _client(endpoint), endpoint.rate)
    if request.httprequest.method in BODY_METHODS:
        guard.read_body()


def _take_token(guard, caller, rate):
    """Spend a token of the caller, once a request.

    :raise GuardError: none is left
    """
    if guard.admitted:
        return
    wait = rates.take(request.env, caller, rate)
    if wait is not None:
        raise GuardError(429, "rate_limited", headers={"Retry-After": str(wait)})
    guard.admitted = True


def _client(endpoint):
    """What stands for the address that calls a route; it cannot be read from it.

    The address is the proxy's word only in ``proxy_mode``, else that of the connection.
    """
    # sudo: the secret of the database makes it unreadable.
    env = request.env(su=True)
    place = network(request.httprequest.remote_addr)
    return hmac(env, "crm_data_governance.client", (endpoint.code, place))


def _read_key(endpoint):
    """The key as sent: bearer token, Basic user name, or the endpoint's own place."""
    header = request.httprequest.headers.get("Authorization", "")
    scheme, _space, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return value
    if scheme.lower() == "basic" and value:
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise GuardError(401, "unauthorized") from None
        return decoded.partition(":")[0]
    return endpoint.key_of(request) if endpoint.key_of else None


def _origin():
    return request.httprequest.headers.get("Origin") or None


def _preflight(endpoint):
    """Answer a browser's OPTIONS.

    It carries no key, so it cannot be bound to one: a browser may ask if any public
    key of this scope knows the origin; the request itself is then checked with its
    own key.
    """
    origin = _origin()
    headers = {
        "Allow": ", ".join(sorted({*endpoint.methods, "OPTIONS"})),
        "Vary": "Origin",
    }
    if (
        origin
        and endpoint.auth == "credential"
        and request.env["governance.credential"]._knows_origin(origin, endpoint.scope)
    ):
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": ", ".join(endpoint.methods),
            "Access-Control-Allow-Headers": CORS_HEADERS,
            "Access-Control-Max-Age": str(CORS_MAX_AGE),
        }
    return Response(status=204, headers=headers)


def _add_cors(headers, guard):
    """The origin was checked against the public key; secret keys get no header."""
    if guard.origin:
        headers["Access-Control-Allow-Origin"] = guard.origin
        headers["Vary"] = "Origin"


def json_response(data, status=200, headers=None):
    """:return: a JSON Response; its length counts bytes, also of Chinese text"""
    body = json.dumps(data, ensure_ascii=False, default=json_default).encode()
    return Response(
        body,
        status=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        content_type="application/json; charset=utf-8",
    )


class GuardedDispatcher(Dispatcher):
    """Routes of type ``guarded``: no form parsing, errors always in JSON."""

    routing_type = "guarded"

    @classmethod
    def is_compatible_with(cls, request):
        return True

    def pre_dispatch(self, rule, args):
        # A repeated request keeps its guard: its token is spent, its body is read.
        if not hasattr(self.request, "guard"):
            self.request.guard = Guard(rule.endpoint.routing["guard"])
        return super().pre_dispatch(rule, args)

    def dispatch(self, endpoint, args):
        # Odoo's own dispatcher would read a form body here, before any check.
        params = {**self.request.httprequest.args, **args}
        # It would take the place of the controller itself.
        params.pop("self", None)
        if any("\0" in value for value in params.values() if isinstance(value, str)):
            # No text of the database holds it.
            raise GuardError(400, "bad_request")
        self.request.params = params
        env = self.request.env
        if endpoint.routing["guard"].read_committed:
            begin_read_committed(env.cr)
        public_user = env["ir.model.data"]._xmlid_to_res_id("base.public_user")
        # The context of a session is its user's: language, time zone …
        self.request.update_env(user=public_user, context={"lang": self._lang(env)})
        return self.request.registry["ir.http"]._dispatch(endpoint)

    def handle_error(self, exc):
        error = self._guard_error(exc)
        guard = getattr(self.request, "guard", None)
        response = json_response(
            {"error": {"code": error.code, "message": self._message(error)}},
            error.status,
            error.headers,
        )
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        if guard:
            guard.count(error.status)
            _add_cors(response.headers, guard)
        return response

    @staticmethod
    def _guard_error(exc):
        """Any exception as a :class:`GuardError` (the server logs the unexpected)."""
        if isinstance(exc, GuardError):
            return exc
        if isinstance(exc, HTTPException) and exc.code:
            status = exc.code
        elif isinstance(exc, AccessDenied):
            status = 401
        elif isinstance(exc, AccessError):
            status = 403
        elif isinstance(exc, MissingError):
            status = 404
        elif isinstance(exc, UserError):
            status = 422
        elif isinstance(exc, (psycopg2.OperationalError, ConcurrencyError)):
            # Still in conflict after Odoo's five tries, or no connection.
            return GuardError(503, "unavailable", headers={"Retry-After": "5"})
        else:
            return GuardError(500, "internal")
        default = "bad_request" if status < 500 else "internal"
        return GuardError(status, _CODE_OF_STATUS.get(status, default))

    def _lang(self, env):
        """What the reader accepts and is installed, else what Odoo would take."""
        env = env(user=SUPERUSER_ID)
        installed = [code for code, _name in env["res.lang"].get_installed()]
        accepted = self.request.httprequest.accept_languages
        return pick_language(accepted, installed) or get_lang(env).code

    def _message(self, error):
        """The text in the reader's language."""
        code = error.code
        if code not in _messages:
            code = _CODE_OF_STATUS.get(error.status, "bad_request")
        env = self.request.env
        if env is None or env.cr.closed:
            text = _messages[code]._translate("en_US")
            return text % error.params if error.params else text
        # The transaction is lost; a failed one could not be read any more.
        env.cr.rollback()
        env = env(user=SUPERUSER_ID, context={"lang": self._lang(env)})
        return render(env, _messages, code, error.params)


__all__ = [
    "CATALOGUE",
    "Endpoint",
    "Guard",
    "GuardError",
    "add_messages",
    "guarded",
    "json_response",
]
