"""Dropped pictures: their limits, and what stays of those that are refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from bitfold.studio.server import pictures
from bitfold.studio.server.pictures import _kept
from tests.studio.test_server import parts_of, url

__all__ = ["url"]  # a fixture


def test_a_picture_that_is_too_large_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of too many bytes or pixels is refused before decoding, and no file is left."""
    address, token, folder = parts_of(url)
    base = address.replace("ws:", "http:").removesuffix("/socket")
    headers = {"x-bitfold-token": token, "x-name": "large.png"}
    request = Request(f"{base}/picture", bytes(2**26 + 1), headers, method="POST")
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=60)
    assert refused.value.code == 413
    assert "expected at most 67,108,864 bytes" in json.load(refused.value)["problem"]
    file = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(file, "PNG")
    told = _kept(folder / ".pictures" / "bomb.png", file.getvalue())
    assert told is not None
    assert "Cannot load" in told
    assert not list((folder / ".pictures").glob("*"))


def test_a_picture_of_one_colour_is_learned_and_stays(tmp_path: Path) -> None:
    """A picture of one colour is learned, and a broken one of its name does not take its place."""
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16), 128, np.uint8)).save(file, "PNG")
    assert _kept(tmp_path / "grey.png", file.getvalue()) is None
    told = _kept(tmp_path / "grey.png", b"no picture")
    assert told is not None
    assert told.startswith("Cannot load 'grey.png'")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [file.getvalue()]


def test_pictures_are_bounded_in_number_and_by_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures beyond a number, or beyond the disk's room, are refused in one line with advice."""
    file = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(file, "PNG")
    monkeypatch.setattr(pictures, "MOST_PICTURES", 1)
    assert _kept(tmp_path / "a.png", file.getvalue()) is None
    assert _kept(tmp_path / "a.png", file.getvalue()) is None
    assert "expected at most 1 pictures" in str(_kept(tmp_path / "b.png", file.getvalue()))
    (tmp_path / "file").write_bytes(b"")
    told = _kept(tmp_path / "file" / "c.png", file.getvalue())
    assert told is not None
    assert told.endswith("Make room on the disk.")
