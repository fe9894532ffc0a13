"""The JSON file in which an experiment records its plan and what is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from bitfold.errors import ConfigError, RunError
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.strangers.bounded_json import parse_json
from bitfold.runtime.strangers.plain_files import read_plain

_Record = TypeVar("_Record")
# Of JSON, an empty list takes 3 bytes and, once it is parsed, more than 60; so does a short text.
_BYTES_PER_CONTAINER, _BYTES_PER_VALUE = 32, 16


@dataclass(frozen=True)
class StoredRecord(Generic[_Record]):
    """Where and in which form a kind of experiment keeps its record.

    Args:
        name: of the file, in the experiment's folder.
        what: the experiment, with its article, for errors.
        form: the ``format`` that the file names.
        version: of the format.
        parse: turns the content into a record, and refuses with ValueError, TypeError, KeyError,
            AttributeError or `ConfigError` what is none. A stranger may have written it.
        max_bytes: of the file.
        advice: the end of the error about a damaged file.
    """

    name: str
    what: str
    form: str
    version: int
    parse: Callable[[dict[str, Any]], _Record]
    max_bytes: int
    advice: str = "Move it away to begin anew."

    def write(
        self, folder: Path, content: Mapping[str, Any], *, indent: int | None = 1, sync: bool = True
    ) -> None:
        """Write the content, whole or not at all.

        Args:
            folder: of the experiment.
            content: of the file, besides format and version; strict JSON.
            indent: of each level; None writes one line, which takes a tenth of the time.
            sync: whether the file must outlast a loss of power too.

        Raises:
            RunError: the folder cannot be written, or `read` would refuse the file by its size.
        """
        whole = {"format": self.form, "version": self.version, **content}
        data = (json.dumps(whole, indent=indent, allow_nan=False) + "\n").encode()
        if len(data) > self.max_bytes:
            raise RunError(
                f"Cannot write {folder / self.name}: expected at most {self.max_bytes:,} bytes, "
                f"got {len(data):,}. Use several folders."
            )
        try:
            write_atomically(folder / self.name, data, sync=sync)
        except OSError as error:
            raise RunError(
                f"Cannot write {folder / self.name}: {error.strerror}. Make room, then give the "
                "same command again."
            ) from None

    def read(self, folder: Path) -> _Record | None:
        """Read the record in a folder; None if there is none.

        Raises:
            RunError: the record is damaged, or has another version.
        """
        path = folder / self.name
        try:
            data = read_plain(path, self.max_bytes)
            if data.count(b"[") + data.count(b"{") > self.max_bytes // _BYTES_PER_CONTAINER:
                raise ValueError("it has too many lists")
            if data.count(b",") > self.max_bytes // _BYTES_PER_VALUE:
                raise ValueError("it has too many values")
            content = parse_json(data)
            if (content.pop("format"), content.pop("version")) != (self.form, self.version):
                raise ValueError("another format or version")
            return self.parse(content)
        except FileNotFoundError:
            return None
        except (OSError, ConfigError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunError(
                f"Cannot read {path}: expected the record of {self.what}, version {self.version}, "
                f"got another file ({str(error)[:100]}). {self.advice}"
            ) from None
