"""Decoders' messages: one line if the picture cannot be read, and otherwise none."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitfold.errors import TargetError
from bitfold.targets import load_target


def damaged_tiff(path: Path, kind: str) -> Path:
    """Return a TIFF with wrong bytes among its pixels, for which libtiff prints a message."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF", compression=kind)
    data = bytearray(stream.getvalue())
    start = 900 if kind == "jpeg" else 300
    data[start : start + 300] = bytes(byte ^ 0x5A for byte in data[start : start + 300])
    path.write_bytes(data)
    return path


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_noise_of_a_picture_that_cannot_be_read_is_in_the_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The decoder's message is in the error's line, and standard error stays clean."""
    path = damaged_tiff(tmp_path / "a.tif", "tiff_lzw")
    with pytest.raises(TargetError, match=r"Its decoder said: .*not yet in table") as caught:
        load_target(str(path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_noise_of_a_picture_that_is_read_is_not_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If the picture can be read, libtiff's message about an odd marker is not printed."""
    target = load_target(str(damaged_tiff(tmp_path / "a.tif", "jpeg")))
    assert target.pixels.shape == (1, 64, 64, 3)
    assert capfd.readouterr().err == ""
