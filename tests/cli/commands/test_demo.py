"""`bitfold demo`: a ring in a few hundred bytes."""

from pathlib import Path

import pytest

from bitfold.cli.main import main
from bitfold.experiments.demo import DEMO, demo_config


def test_the_demo_ends_with_a_ring_in_some_hundred_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo trains with K and learned steps at the given seed, and names the next commands."""
    config = demo_config(4, str(tmp_path))
    assert (config.target, config.seed, config.kolmogorov.is_quantised) == ("ring", 4, True)
    assert config.has_kolmogorov
    short = {"size": 32, "epochs": 20, "shape": "[6]*2", "points": 100, "validation_points": 50}
    monkeypatch.setattr("bitfold.experiments.demo.DEMO", {**DEMO, **short})
    assert main(["demo", "--output-dir", str(tmp_path / "run")]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    path = tmp_path / "run" / "ring.bitfold"
    assert f"The ring in {path.stat().st_size:,} bytes" in last
    assert last.split(": ")[1].split()[:3] == ["bitfold", "decompress", str(path)]
