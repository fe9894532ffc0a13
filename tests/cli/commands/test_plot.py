"""`bitfold plot`: losses and folds of runs."""

from pathlib import Path

import pytest
from PIL import Image

from bitfold.cli.main import main


def test_plot_of_several_runs(trained: Path, tmp_path: Path) -> None:
    """Several runs go into one figure, PNG or SVG by its name."""
    figure = tmp_path / "losses.svg"
    assert main(["plot", str(trained), str(trained), "-o", str(figure)]) == 0
    assert "<svg" in figure.read_text()[:2000]


def test_plot_of_folds(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one run into its folder, of several into a file by name; a slip is one line."""
    assert main(["plot", str(trained), "--what", "folds"]) == 0
    assert capsys.readouterr().out.strip() == str(trained / "folds.png")
    with Image.open(trained / "folds.png") as picture:
        assert picture.width > 1500
    figure = tmp_path / "folds.svg"
    assert main(["plot", str(trained), str(trained), "--what", "folds", "-o", str(figure)]) == 0
    assert "pattern flips" in figure.read_text()
    with pytest.raises(SystemExit, match="2"):
        main(["plot", str(trained), "--what", "fold"])
