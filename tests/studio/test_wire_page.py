"""The page on the wire names what the server sends and what a page may say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from bitfold.studio.wire.commands import COMMANDS
from bitfold.studio.wire.message import TYPES, VERSION, Message, decode
from tests.studio.test_server import LOOK, Page, page_of, parts_of, url

__all__ = ["url"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "studio-wire.md").read_text(encoding="utf-8")
FRONT_END = ROOT / "frontend" / "src"


def rows() -> dict[str, str]:
    """Return what the table of messages says of each kind."""
    found: dict[str, str] = {}
    for line in re.findall(r"^\| `.*", DOCS, re.M):
        kinds, _, text = line[2:].partition(" | ")
        for kind in re.findall(r"`(\w+)`", kinds):
            found[kind] = found.get(kind, "") + text
    return found


def heard(url: str) -> list[Message]:
    """Return all messages of a conversation that makes the server say everything."""
    said: list[Message] = []
    with page_of(url) as page:
        recording(page, said)
        page.say("open", run="ring")
        page.say("look", run="ring", **LOOK)
        page.hear("partition")
        page.say("look", run="ring", **{**LOOK, "faces": "slope"})
        page.hear("partition", lambda m: m.facts["faces"] == "slope")
        page.say("locate", view=0, x=0, y=0)
        page.hear("place")
        page.say("change", run="ring", settings={"kolmogorov_targets": "cut", "audit": True})
        page.hear("changes", lambda m: bool(m.facts["changes"]))
        page.say("play", run="ring", epochs=1)
        page.hear("audit")
        page.hear("marks", lambda m: bool(m.facts["marks"]))
        page.say("bits", run="ring")
        page.hear("bits")
        page.say("save", view=0, format="npz")
        page.hear("file")
        page.say("branch", run="ring", epoch=0)
        page.hear("began")
        page.say("nonsense")
        page.hear("refused")
    return said


def recording(page: Page, said: list[Message]) -> None:
    """Keep each message that a page hears."""
    socket = page._socket
    receive = socket.recv

    def recv(timeout: float | None = None) -> Any:
        data = receive(timeout=timeout)
        assert isinstance(data, bytes)
        said.append(decode(data))
        return data

    socket.recv = recv  # type: ignore[method-assign, assignment] # listens in


def test_each_message_is_described_with_its_facts_and_arrays(url: str) -> None:
    """Each kind, fact and array that the server sends stands in the page on the wire."""
    described = rows()
    messages = heard(url)
    missing = set()
    for message in messages:
        assert message.kind in described, message.kind
        text = described[message.kind]
        if message.kind == "partition":
            text += DOCS[DOCS.index("A partition is given") :]
        names = {*message.facts, *message.arrays} - {"kind", "version", "client"}
        missing |= {(message.kind, name) for name in names if f"`{name}`" not in text}
    assert missing == set()
    kinds = {message.kind for message in messages}
    assert {"hello", "runs", "moment", "target", "settings", "points"} <= kinds
    types = re.search(r"`type` \(([^)]*)\)", DOCS)
    assert types is not None
    assert set(re.findall(r"\w+", types[1].replace(" or ", " ").replace("`", ""))) == set(TYPES)
    assert f"describes version {VERSION}." in DOCS


def test_the_page_hears_and_says_what_the_wire_has() -> None:
    """Kinds of messages and of commands have the same names in TypeScript as in Python."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in FRONT_END.rglob("*.ts")}
    text = "\n".join(sources.values())
    listened = set(re.findall(r'message\.kind === "(\w+)"', text))
    listened |= set(re.findall(r'case "(\w+)":', sources["receive.ts"]))
    assert listened <= set(rows())
    spoken = set(re.findall(r'(?:send\(|command = )\{\s*kind: "(\w+)"', text))
    assert spoken <= set(COMMANDS)
    assert {"paint", "look", "branch", "save", "locate"} <= spoken


def test_messages_are_not_compressed(url: str) -> None:
    """A client that offers compression gets none: it would cost more than loopback does."""
    with connect(parts_of(url)[0]) as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
