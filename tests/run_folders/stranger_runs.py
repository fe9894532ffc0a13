"""For tests of changed run folders: a command's call, and changes of a folder's files."""

from __future__ import annotations

import re
import signal
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bitfold.cli.main import main
from tests.run_folders.fuzzing.mutations import blocks_of

_MOST_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """A run and the folders around it.

    Args:
        run: the run's folder, which a stranger may change.
        outside: a folder with a file ``victim`` and an empty folder ``taken``.
        here: the current folder, which is empty.
        home: the user's; libraries may keep caches there.
    """

    run: Path
    outside: Path
    here: Path
    home: Path

    def is_untouched(self) -> bool:
        """Return whether no file outside the run was written."""
        outside = {path.name: path for path in self.outside.rglob("*")}
        return (
            outside.keys() == {"victim", "taken"}
            and outside["victim"].read_bytes() == b"precious\n"
            and not any(self.here.iterdir())
            and all(path.name.startswith(".") for path in self.home.iterdir())
            and [path.name for path in self.run.parent.iterdir()] == [self.run.name]
        )

    def set(self, line: str) -> None:
        """Set a line of TOML in the configuration, in the place of the setting's own line."""
        path, name = self.run / "config.toml", line.split(" ", maxsplit=1)[0]
        text = re.sub(rf"(?m)^{name} = .*\n", "", path.read_text(encoding="utf-8"))
        path.write_text(f"{line}\n{text}", encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        """Return the plain files of the run."""
        files = sorted(p for p in self.run.rglob("*") if p.is_file() and not p.is_symlink())
        return {str(p.relative_to(self.run)): p.read_bytes() for p in files}

    def rewrite_trajectory(self, change: Callable[[list[bytes]], Sequence[bytes]]) -> None:
        """Change the header and the records of the trajectory, with correct checksums."""
        path = self.run / "trajectory.bin"
        blocks = change(list(blocks_of(path.read_bytes())))
        checked = [
            struct.pack("<I", len(block)) + block + struct.pack("<I", zlib.crc32(block))
            for block in blocks
        ]
        path.write_bytes(b"BFTRAJ1\n" + b"".join(checked))


@dataclass(frozen=True)
class Said:
    """The result of a command.

    Args:
        code: its exit code.
        out: its standard output.
        err: its standard error.
    """

    code: int
    out: str
    err: str

    def is_refused(self) -> bool:
        """Return whether the command refused in one line that a terminal can show unchanged."""
        one_line = self.err.endswith("\n") and self.err[:-1].isprintable()
        return self.code == 2 and one_line and len(self.err) < 1500


#: A function that calls ``bitfold`` with some arguments.
Call = Callable[..., Said]


@contextmanager
def in_time(seconds: int = _MOST_SECONDS) -> Iterator[None]:
    """Fail if the block waits for ever, as a reader of a FIFO does."""

    def fail(*_: object) -> NoReturn:
        raise AssertionError(f"it waited for {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def exit_code(arguments: Sequence[str]) -> int:
    """Call ``bitfold``, and return its exit code for any kind of end."""
    try:
        with in_time():
            return main(arguments)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
