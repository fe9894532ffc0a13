"""`bitfold picture`: its panel, its page and its refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitfold.cli.main import main


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Return a drawing of two colours."""
    pixels = np.full((16, 16, 3), 230, np.uint8)
    pixels[4:12, 6:14] = (200, 30, 40)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.slow
def test_a_quality_that_is_out_of_reach_keeps_the_best_file(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If no file reaches the quality, the nearest file is kept and named, with exit code 1."""
    output = picture.parent / "a.bitfold"
    words = ["picture", str(picture), "-o", str(output), "--psnr", "99", "--minutes", "0.01"]
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "The goal was not reached: the nearest file has" in said
    assert f" {output.stat().st_size:,} bytes" in said
    assert "JPEG" in said
    assert "the best so far" in said
    assert (picture.parent / "a.html").exists()


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [("--bytes", "3", "expected at least 40"), ("--minutes", "0", "expected more than 0")],
)
def test_what_cannot_be_is_refused_in_one_line(
    option: str, value: str, line: str, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A size of three bytes, and a time of zero, are refused in one line."""
    words = ["picture", str(picture), "-o", str(picture.parent / "a.bitfold"), option, value]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
