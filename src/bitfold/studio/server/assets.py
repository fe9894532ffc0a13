"""The files of the page, as they were built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.responses import Response

from bitfold.errors import StudioError
from bitfold.studio.built_page import PAGE

#: Sent with every file: the page loads nothing from elsewhere, and no other page embeds it.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_INDEX: Final = "index.html"
# Those of the system differ: Windows may call a script text, which browsers then refuse to run.
_KINDS: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True)
class Assets:
    """The page's files, held in memory.

    Args:
        files: path of the request to type and bytes.
    """

    files: Mapping[str, tuple[str, bytes]]

    @classmethod
    def built(cls, folder: Path | None = None) -> Assets:
        """Read the files that the build left in a folder, by default the package's `PAGE`.

        Raises:
            StudioError: the page was not built.
        """
        folder = folder or PAGE
        if not (folder / _INDEX).is_file():
            raise StudioError(
                f"Cannot serve the studio: expected a built page in {folder}, got none. Run "
                "`python tools/build_page.py` in a checkout, or install a wheel."
            )
        files = {}
        for path in sorted(folder.iterdir()):
            kind = _KINDS.get(path.suffix)
            if kind is not None:
                files["/" if path.name == _INDEX else f"/{path.name}"] = (kind, path.read_bytes())
        return cls(files)

    def response(self, path: str) -> Response:
        """Return the file of a path that is one of `files`."""
        kind, data = self.files[path]
        return Response(data, media_type=kind, headers=dict(HEADERS))
