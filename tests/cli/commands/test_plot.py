"""`bitfold plot`: losses and folds of runs."""

from pathlib import Path

import pytest
from PIL import Image

from bitfold.cli.main import main


def test_plot_of_several_runs(trained: Path, tmp_path: Path) -> None:
    """Several runs go into one figure, a PNG or SVG by the file's name."""
    figure = tmp_path / "losses.svg"
    assert main(["plot", str(trained), str(trained), "-o", str(figure)]) == 0
    assert "<svg" in figure.read_text()[:2000]


def test_plot_of_folds(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One run's folds go into its folder, several runs' into a named file; errors are one line."""
    assert main(["plot", str(trained), "--what", "folds"]) == 0
    assert capsys.readouterr().out.strip() == str(trained / "folds.png")
    with Image.open(trained / "folds.png") as picture:
        assert picture.width > 1500
    figure = tmp_path / "folds.svg"
    assert main(["plot", str(trained), str(trained), "--what", "folds", "-o", str(figure)]) == 0
    assert "pattern flips" in figure.read_text()
    with pytest.raises(SystemExit, match="2"):
        main(["plot", str(trained), "--what", "fold"])
