"""The commands of a page: small JSON objects, each field checked before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from bitfold.errors import WireError
from bitfold.runtime.strangers.bounded_json import parse_json, shortened
from bitfold.studio.wire.fields import (
    Choice,
    Field,
    Points,
    Real,
    Settings,
    Switch,
    Text,
    Whole,
)

#: The longest command: a stroke of 1,024 points, with all digits. To read it takes the server 2 ms.
MAX_BYTES: Final = 2**16
#: The fillings of faces that a page can ask for.
FACES: Final = ("value", "area", "slope", "identity", "none")
#: The tools that paint a target.
TOOLS: Final = ("brush", "eraser", "fill", "letter", "clear")
#: The files that a page can save.
FORMATS: Final = ("bitfold", "svg", "pdf", "png", "npz", "graphml", "mp4", "html")
#: Views that a page has at most.
MAX_VIEWS: Final = 4

_RUN = Text(200)
_VIEW = Whole(0, MAX_VIEWS - 1)
_EPOCH = Whole(0, 10**9)
_COORDINATE = Real(-1e6, 1e6)

#: Name to fields; each command has a field ``kind`` too.
COMMANDS: Final[Mapping[str, Mapping[str, Field]]] = MappingProxyType(
    {
        "hello": {"token": Text(200), "version": Whole(0, 10**6)},
        "open": {"run": _RUN},
        "close": {"run": _RUN},
        "play": {"run": _RUN, "epochs": Whole(1, 10**9, is_optional=True)},
        "pause": {"run": _RUN},
        "speed": {"run": _RUN, "epochs_per_second": Real(0.1, 1e6, is_optional=True)},
        "change": {"run": _RUN, "settings": Settings(64)},
        "paint": {
            "run": _RUN,
            "tool": Choice(TOOLS),
            "points": Points(1024),
            "radius": Real(0, 2),
            "colour": Text(16),
            "text": Text(8, is_optional=True),
            "begins": Switch(is_optional=True),
        },
        "undo": {"run": _RUN},
        "target": {"run": _RUN, "name": Text(64)},
        "look": {
            "run": _RUN,
            "view": _VIEW,
            "x": _COORDINATE,
            "y": _COORDINATE,
            "half": Real(1e-13, 16),
            "aspect": Real(0.05, 20),
            "time": Real(-0.5, 0.5, is_optional=True),
            "faces": Choice(FACES),
            "epoch": Whole(0, 10**9, is_optional=True),
        },
        "forget": {"view": _VIEW},
        "ack": {"view": _VIEW},
        "locate": {"view": _VIEW, "x": Real(-64, 64), "y": Real(-64, 64)},
        "bits": {"run": _RUN, "epoch": Whole(0, 10**9, is_optional=True)},
        "save": {"view": _VIEW, "format": Choice(FORMATS)},
        "cancel": {},
        "new": {"settings": Settings(64)},
        "branch": {"run": _RUN, "epoch": _EPOCH},
        "stop": {"run": _RUN},
        "delete": {"run": _RUN},
    }
)


@dataclass(frozen=True)
class Command:
    """A command whose fields have been checked.

    Args:
        kind: a name of `COMMANDS`.
        values: its fields; optional ones that are missing are None.
    """

    kind: str
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read_command(text: str) -> Command:
    """Check a command of a page.

    Raises:
        WireError: one line, which the page shows.

    >>> read_command('{"kind": "pause", "run": "ring"}').values["run"]
    'ring'
    >>> read_command('{"kind": "pause", "run": 3}')
    Traceback (most recent call last):
    bitfold.errors.WireError: Cannot read pause: field run: expected at most 200 characters, got 3.
    """
    if len(text) > MAX_BYTES:
        raise WireError(
            f"Cannot read a command: expected at most {MAX_BYTES:,} characters, got {len(text):,}."
        )
    try:
        found = parse_json(text)
    except ValueError:
        raise WireError("Cannot read a command: expected JSON, got another text.") from None
    if not isinstance(found, dict):
        raise WireError(f"Cannot read a command: expected an object, got {shortened(found)}.")
    kind = found.pop("kind", None)
    fields = COMMANDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise WireError(f"Cannot read a command: expected a known kind, got {shortened(kind)}.")
    for name in found:
        if name not in fields:
            raise WireError(f"Cannot read {kind}: it has no field {shortened(name)}.")
    for name, field in fields.items():
        value = found.get(name)
        problem = None if value is None and field.is_optional else field.problem(value)
        if problem is not None:
            raise WireError(f"Cannot read {kind}: field {name}: {problem}.")
    return Command(str(kind), MappingProxyType({name: found.get(name) for name in fields}))
