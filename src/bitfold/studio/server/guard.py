"""The one guard before all routes: whom the studio answers at all.

A page of another site that the user's browser shows can send requests to this machine. So the guard
looks at the host that the browser believes to talk to, at the page that asks, and at a token that
no other page knows. Whatever it does not know is denied.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

#: The header that carries the token in all requests but those for the page's own files.
TOKEN_HEADER: Final = "x-bitfold-token"
#: The only path of a WebSocket. Its first message carries the token.
SOCKET_PATH: Final = "/socket"
_READING: Final = frozenset({"GET", "HEAD"})
_DENIED, _MISDIRECTED = 403, 421
_POLICY_VIOLATION: Final = 1008  # RFC 6455, section 7.4.1


class Guard:
    """Lets through what comes from the studio's own page, and nothing else.

    Args:
        app: what is guarded.
        token: the secret of this server.
        hosts: the names, each with its port, by which browsers may reach the server.
        public: the paths of the page's own files, which need no token.
    """

    def __init__(
        self, app: ASGIApp, *, token: str, hosts: Collection[str], public: Collection[str]
    ) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = frozenset(hosts)
        schemes = ("http", "https")  # a tunnel may end a TLS connection before the server
        self._origins = frozenset(f"{scheme}://{host}" for scheme in schemes for host in hosts)
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or deny one connection."""
        if scope["type"] == "lifespan":  # comes from the server itself
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        elif scope["type"] == "http":
            status, text = problem
            await PlainTextResponse(text, status)(scope, receive, send)

    def _problem(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason of a denial; None to let it through."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _MISDIRECTED, "This host is not served here: see --allowed-host."
        if len(origins) > 1 or any(origin not in self._origins for origin in origins):
            return _DENIED, "This origin may not ask."
        is_allowed = {"websocket": self._is_socket, "http": self._may_ask}.get(scope["type"])
        if is_allowed is not None and is_allowed(scope):
            return None
        return _DENIED, "The token is missing or wrong."

    @staticmethod
    def _is_socket(scope: Scope) -> bool:
        return bool(scope["path"] == SOCKET_PATH)

    def _may_ask(self, scope: Scope) -> bool:
        """Whether a request is for the page's own files, or has the token."""
        if scope["path"] in self._public and scope["method"] in _READING:
            return True
        return self.is_token(Headers(scope=scope).get(TOKEN_HEADER, ""))

    def is_token(self, text: str) -> bool:
        """Compare a text with the token, in a time that tells nothing."""
        return hmac.compare_digest(text.encode("utf-8", "replace"), self._token)
