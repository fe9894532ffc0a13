"""The guard before all routes: which connections are answered."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Scope

from bitfold.studio.hub.hub import Hub
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.server.app import make_app
from bitfold.studio.server.assets import Assets
from bitfold.studio.server.guard import Guard

TOKEN, HOST = "the-token-of-the-tests", "127.0.0.1:8123"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "odd")
PUBLIC = {"/", "/studio.js", "/studio.css"}


@pytest.fixture
def guard(tmp_path: Any) -> Guard:
    """Return the studio's whole application."""
    files = dict.fromkeys(PUBLIC, ("text/plain", b"public"))
    app = make_app(Hub(RunsFolder(tmp_path)), Assets(files), token=TOKEN, hosts=[HOST])
    assert isinstance(app, Guard)
    return app


def scope_of(kind: str = "http", path: str = "/", method: str = "GET", **headers: str) -> Scope:
    """Return a connection as a server describes it, with the right ``host`` by default."""
    given = {"host": HOST, **headers}
    pairs = [(n.replace("_", "-").encode(), v.encode("latin-1")) for n, v in given.items()]
    return {
        "type": kind, "path": path, "raw_path": path.encode(), "query_string": b"",
        "method": method, "headers": pairs, "scheme": "http", "root_path": "",
        "server": ("127.0.0.1", 8123), "client": ("127.0.0.1", 5), "http_version": "1.1",
        "subprotocols": [], "asgi": {"version": "3.0"}, "extensions": {},
    }  # fmt: skip


def answer(guard: Guard, scope: Scope) -> list[Message]:
    """Return everything that is sent to a client that connects and then sends nothing."""
    sent: list[Message] = []
    coming: list[Message] = [
        {"type": "websocket.connect"}
        if scope["type"] == "websocket"
        else {"type": "http.request", "body": b"", "more_body": False}
    ]

    async def receive() -> Message:
        gone = {"type": "websocket.disconnect", "code": 1000}
        return coming.pop(0) if coming else gone

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent


def status(guard: Guard, scope: Scope) -> int:
    """Return the status of an HTTP answer."""
    return int(answer(guard, scope)[0]["status"])


def all_paths(guard: Guard) -> set[str]:
    """Return the paths of all routes, and some unknown paths."""
    app = guard._app
    assert isinstance(app, Starlette)
    found = {r.path for r in app.routes if isinstance(r, Route | WebSocketRoute)}
    return found | {"/socket/", "//", "/../", "/save", "/%2e%2e/", "/studio.js/x", "/STUDIO.JS"}


def test_without_the_token_nothing_but_reading_the_page_is_answered(guard: Guard) -> None:
    """Without the token only the page itself can be read; every other route is denied."""
    for path in all_paths(guard):
        for method in METHODS:
            is_public = path in PUBLIC and method in {"GET", "HEAD"}
            found = status(guard, scope_of(path=path, method=method))
            assert found == (200 if is_public else 403), (path, method)


def test_with_a_token_that_is_almost_right_nothing_is_answered(guard: Guard) -> None:
    """A token's prefix, its other case, and characters beyond ASCII are refused."""
    for token in (TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "", "\xfc" * 22):
        assert status(guard, scope_of(path="/none", x_bitfold_token=token)) == 403
    assert status(guard, scope_of(path="/none", x_bitfold_token=TOKEN)) == 404


def test_tokens_are_compared_in_constant_time(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests and the socket's first message compare tokens by the constant-time function."""
    asked: list[bytes] = []

    def compare(given: bytes, own: bytes) -> bool:
        asked.append(given)
        return given == own

    monkeypatch.setattr(hmac, "compare_digest", compare)
    status(guard, scope_of(path="/none", x_bitfold_token="first"))
    assert not guard.is_token("second")
    assert asked == [b"first", b"second"]


def test_the_token_is_in_no_log(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    """The log of an accepted or refused request does not have the token."""
    with caplog.at_level("DEBUG"):
        for path in all_paths(guard):
            status(guard, scope_of(path=path, method="POST", x_bitfold_token=TOKEN))
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8123", "127.0.0.1", "127.0.0.1:80",
        "127.0.0.1:8123.evil.example",
        "127.0.0.1:8123/..", "evil.example@127.0.0.1:8123", "127.0.0.1:8123,evil.example", "",
    ],
)  # fmt: skip
def test_another_host_is_misdirected(guard: Guard, host: str) -> None:
    """Another host name is refused, against DNS rebinding."""
    assert status(guard, scope_of(host=host)) == 421


def test_two_hosts_are_misdirected(guard: Guard) -> None:
    """Two host headers are refused, since servers and proxies may read either."""
    scope = scope_of()
    scope["headers"] = [(b"host", HOST.encode()), (b"host", b"evil.example")]
    assert status(guard, scope) == 421


@pytest.mark.parametrize(
    "origin",
    [
        "null", "http://evil.example", "http://127.0.0.1:8123.evil.example", "http://127.0.0.1",
        "http://127.0.0.1:81234", "http://127.0.0.1:8123/", "ws://127.0.0.1:8123", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_origin_is_refused(guard: Guard, origin: str, kind: str) -> None:
    """Another origin is refused with the right token and host; so are near matches and null."""
    path = "/" if kind == "http" else "/socket"
    found = answer(guard, scope_of(kind, path, origin=origin, x_bitfold_token=TOKEN))
    assert found[0].get("status") == 403 or found == [{"type": "websocket.close", "code": 1008}]


def test_an_origin_is_never_compared_with_the_host_header(guard: Guard) -> None:
    """The origin is not compared with the host header, since an attacker may set both."""
    scope = scope_of(host="evil.example:8123", origin="http://evil.example:8123")
    assert status(guard, scope) == 421


def test_a_name_that_the_user_allows_is_served(tmp_path: Any) -> None:
    """Another name, as of a tunnel, is a host and an origin exactly as it was given."""
    files = Assets({"/": ("text/plain", b"public")})
    allowed = "box.example:8000"
    guard = make_app(Hub(RunsFolder(tmp_path)), files, token=TOKEN, hosts=[HOST, allowed])
    assert isinstance(guard, Guard)
    for scheme in ("http", "https"):
        scope = scope_of(host=allowed, origin=f"{scheme}://{allowed}")
        assert status(guard, scope) == 200
    for other in ("box.example", "box.example:80000", "a.box.example:8000"):
        assert status(guard, scope_of(host=other)) == 421


def test_only_one_path_is_a_socket(guard: Guard) -> None:
    """Only one path is a socket, and a token in a header opens no other path."""
    for path in all_paths(guard) - {"/socket"}:
        found = answer(guard, scope_of("websocket", path, x_bitfold_token=TOKEN))
        assert found == [{"type": "websocket.close", "code": 1008}], path


def test_other_kinds_of_connections_get_nothing(guard: Guard) -> None:
    """Unknown kinds of connections, such as a later server's, are denied."""
    assert answer(guard, scope_of("webtransport")) == []


def test_decisions_are_about_the_path_of_the_scope(guard: Guard) -> None:
    """The guard decides by the scope's path, which a malformed host cannot change."""
    scope = scope_of(path="/none", host=f"{HOST}/studio.js?")
    assert status(guard, scope) == 421


def test_every_file_of_the_page_has_its_policy(guard: Guard) -> None:
    """Every file of the page has a policy against foreign sources and embedding."""
    for path in PUBLIC:
        start = answer(guard, scope_of(path=path))[0]
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "'unsafe-eval'" not in policy
        assert "script-src" not in policy  # default-src covers it
        assert headers["x-content-type-options"] == "nosniff"
        assert not any(name.startswith("access-control") for name in headers)
        assert "set-cookie" not in headers
