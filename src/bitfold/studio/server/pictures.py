"""Pictures that are dropped on a page."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bitfold.errors import BitfoldError
from bitfold.targets import load_target

#: A larger file is refused before it is read.
MAX_BYTES: Final = 2**26
#: Pictures that are kept for one folder of runs.
MOST_PICTURES: Final = 1000
_MOST_CHARACTERS = 60
_TOO_LARGE, _UNUSABLE = 413, 422


async def take_picture(request: Request, folder: Path) -> Response:
    """Keep a picture, if it can be learned; answer with the name by which a page may ask for it.

    Args:
        request: its body is the file, and its header ``x-name`` the file's name.
        folder: of the dropped pictures.
    """
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            text = f"Cannot take the picture: expected at most {MAX_BYTES:,} bytes, got more."
            return JSONResponse({"problem": text}, _TOO_LARGE)
    name = _safe_name(request.headers.get("x-name", ""))
    problem = await asyncio.to_thread(_kept, folder / name, bytes(data))
    if problem is not None:
        return JSONResponse({"problem": problem}, _UNUSABLE)
    return JSONResponse({"name": name})


def _kept(path: Path, data: bytes) -> str | None:
    """Keep a picture; return why not if it cannot be learned."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() and sum(1 for _ in path.parent.iterdir()) >= MOST_PICTURES:
            return (
                f"Cannot take {path.name}: expected at most {MOST_PICTURES} pictures, got another. "
                f"Delete some from {path.parent}."
            )
        return _checked(path, data)
    except OSError as error:
        return f"Cannot keep {path.name}: {error.strerror}. Make room on the disk."


def _checked(path: Path, data: bytes) -> str | None:
    """Put a picture in its place once it can be read: an earlier one of this name stays until then.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        given = Path(folder, path.name)
        given.write_bytes(data)
        try:
            load_target(str(given))
        except BitfoldError as error:
            return str(error).replace(str(given), path.name)
        given.replace(path)
    return None


def _safe_name(given: str) -> str:
    """Return a name of letters, digits, dots and dashes, with the ending of the one given.

    >>> _safe_name("../../My photo (1).JPG")
    'My-photo--1-.JPG'
    """
    name = PurePosixPath(given.replace("\\", "/")).name or "picture"
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in name)
    return kept.lstrip(".-")[-_MOST_CHARACTERS:] or "picture"
