"""Whatever tells the size of a network tells the size of its file on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

import bitfold
from bitfold.cli.main import main
from bitfold.experiments.comparison.entries import gather_entries
from bitfold.experiments.frontiers.training import measured_point
from bitfold.experiments.sweeps.member_end import MemberEnd
from bitfold.experiments.sweeps.member_run import MemberStop, MemberTask, run_member
from bitfold.training import Config


def config(folder: Path) -> Config:
    """Return a short training of a small ring with K."""
    return Config(
        target="ring", size=32, shape="[4]*2", epochs=3, batch_size=256, measure_folds=0,
        audit=False, output_dir=str(folder), kolmogorov_weight=0.003,
        kolmogorov_quantise="learned",
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> bitfold.Run:
    """Return a finished run."""
    return bitfold.train(config(tmp_path_factory.mktemp("runs") / "run"))


def test_a_member_of_a_sweep_has_the_size_of_its_file(tmp_path: Path) -> None:
    """The record of a member names a file of exactly its bytes."""
    end = run_member(MemberTask("a", config(tmp_path / "a")), [], MemberStop())
    assert isinstance(end, MemberEnd)
    assert end.file is not None
    assert end.num_bytes == (tmp_path / end.file).stat().st_size


def test_a_point_of_a_frontier_has_the_size_of_its_file(run: bitfold.Run, tmp_path: Path) -> None:
    """A point of a curve names a file of exactly its bytes."""
    point = measured_point(run, 0.003, tmp_path)
    assert point.file is not None
    assert point.num_bytes == (tmp_path / point.file).stat().st_size


def test_a_comparison_shows_the_size_of_the_file_that_compress_writes(
    run: bitfold.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run on its own is compared by the size of the file that `bitfold compress` writes."""
    path = tmp_path / "net.bitfold"
    assert main(["compress", str(run.path), "-o", str(path)]) == 0
    size = path.stat().st_size
    (total,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("total")]
    assert float(total.split()[1]) == size
    (entry,) = gather_entries([run.path])
    assert entry.end.num_bytes == size
