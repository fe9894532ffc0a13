"""Coding of runs with K: the weights that K describes, or plain codes of the network's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import bitfold
from bitfold.cli.main import main
from bitfold.errors import ModelFileError
from bitfold.experiments import CodedRun, Goal, code_run
from bitfold.experiments.run_rounding import RunRounding

SMALL: dict[str, Any] = {
    "target": "disk", "size": 64, "shape": "[16]*3", "epochs": 150, "seed": 3,
    "learning_rate": 0.01, "kolmogorov_lr": 0.01, "measure_folds": 0, "audit": False,
}  # fmt: skip
BY_SCALES = {"kolmogorov_range": "auto", "kolmogorov_targets": "linear", "kolmogorov_weight": 0.003}
KINDS: dict[str, dict[str, Any]] = {
    "row_column": BY_SCALES,
    "per_tensor": BY_SCALES,
    "coordinate": {"kolmogorov_weight": 0.001},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train a run with each predictor."""
    folder = tmp_path_factory.mktemp("runs")
    for name, settings in KINDS.items():
        changes = {"kolmogorov_predictor": name, **settings, "output_dir": str(folder / name)}
        bitfold.train(bitfold.Config(**SMALL, **changes))
    return {name: folder / name for name in KINDS}


def compressed(path: Path, *given: str) -> bytes:
    """Return the file that a command writes."""
    output = path.with_name("net.bitfold")
    assert main(["compress", str(path), "-o", str(output), *given]) == 0
    return output.read_bytes()


@pytest.mark.parametrize("name", ["row_column", "per_tensor"])
def test_weights_are_those_that_k_describes(name: str, runs: dict[str, Path]) -> None:
    """By default the file decodes to K's weights and is at most as long as K says."""
    data = compressed(runs[name])
    kolmogorov = bitfold.load_run(runs[name]).kolmogorov()
    expected = kolmogorov.decoded_state()
    assert len(data) < 1.01 * kolmogorov.bits().total / 8 + 16
    network = bitfold.read_model(runs[name].with_name("net.bitfold"))
    # Plain codes may have sorted the neurons.
    for key, item in network.state_dict().items():
        assert torch.equal(item.flatten().sort()[0], expected[key].float().flatten().sort()[0])
    assert data == compressed(runs[name], "--as-trained")
    assert data != compressed(runs[name], "--anew")


@pytest.mark.parametrize("name", ["row_column", "per_tensor"])
def test_k_and_plain_codes_compete(
    name: str, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The shorter of K and plain codes is written, and both lengths are printed."""
    data = compressed(runs[name])
    told = capsys.readouterr().out
    kolmogorov = bitfold.load_run(runs[name]).kolmogorov()
    by_k = bitfold.write_model(tmp_path / "k", kolmogorov.table.module, kolmogorov)
    if f"by the run's own K ({name})" in told:
        assert data == (tmp_path / "k").read_bytes()
        (length,) = re.findall(r"plain codes take ([\d,]+) bytes", told)
        assert int(length) >= len(data)
    else:
        assert "by plain codes, which are shorter" in told
        assert f"({name}) takes {by_k:,} bytes" in told
        assert len(data) < by_k
    assert "as decoded" in told
    assert "of the network itself" in told


def test_a_k_that_is_shorter_is_what_codes(
    runs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If names make plain codes longer than K, the file is the one that K describes."""

    def write(*arguments: Any, **options: Any) -> int:
        return bitfold.write_model(*arguments, **options, names="tolerance" in options)

    monkeypatch.setattr("bitfold.experiments.coded_run.write_model", write)
    data = compressed(runs["row_column"], "--as-trained")
    kolmogorov = bitfold.load_run(runs["row_column"]).kolmogorov()
    bitfold.write_model(tmp_path / "k", kolmogorov.table.module, kolmogorov)
    assert data == (tmp_path / "k").read_bytes()
    told = capsys.readouterr().out
    assert "coded as trained, by the run's own K (row_column); plain codes take" in told


def test_sizes_and_qualities_take_what_meets_them_better(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A size gets the better network and a quality the shorter file, of K's weights and others."""
    run = bitfold.load_run(runs["row_column"])
    trained = code_run(run, as_trained=True)
    length = len(trained.data)
    assert length > len(code_run(run, goal=Goal(length - 20)).data)
    assert "as K was trained it takes" in code_run(run, goal=Goal(length - 20)).how
    assert len(code_run(run, goal=Goal(error=0.25)).data) <= length
    for goal in (Goal(4 * length), Goal(length)):
        anew = code_run(run, goal=goal, as_trained=False)
        errors = [_error(run, one.network) for one in (code_run(run, goal=goal), anew, trained)]
        assert errors[0] == min(errors)


@pytest.mark.parametrize(("is_longer", "is_worse"), [(True, True), (True, False), (False, True)])
def test_what_k_describes_is_left_only_if_it_is_longer_and_worse(
    is_longer: bool, is_worse: bool, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The own weights replace K's if K's file is longer and worse, unless one insists on K's."""
    run = bitfold.load_run(runs["row_column"])
    anew = RunRounding(run.target, run.network()).plain("anew")
    network = run.new_network() if is_worse else run.network()
    trained = CodedRun(anew.data[:9] + anew.data[9:] * (1 + is_longer), network, "as trained")
    monkeypatch.setattr("bitfold.experiments.run_coding._as_trained", lambda *_: trained)
    found = code_run(run)
    if is_longer and is_worse:
        assert found.data == anew.data
        told = f"as K was trained it takes {len(trained.data):,} bytes"
        assert found.how == f"coded anew, which is shorter and no worse; {told}"
    else:
        assert found is trained
    assert code_run(run, as_trained=True) is trained


def test_a_k_that_cannot_be_written_falls_back(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A K that has no file format is coded anew, with the reason; --as-trained refuses."""

    def refuse(*_: Any, **options: Any) -> int:
        if options.get("kolmogorov") is None:
            return bitfold.write_model(*_, **options)
        raise ModelFileError("Cannot write a model file: expected one thing, got another. Do so.")

    monkeypatch.setattr("bitfold.experiments.coded_run.write_model", refuse)
    path = runs["row_column"]
    data = compressed(path)
    expected = "coded anew, as the run's own K cannot be written (expected one thing, got another)"
    assert expected in capsys.readouterr().out.splitlines()
    assert data == compressed(path, "--anew")
    assert main(["compress", str(path), "-o", str(path / "x"), "--as-trained"]) == 2
    assert not (path / "x").exists()


def test_every_run_with_k_has_a_file(runs: dict[str, Path]) -> None:
    """Every run with K can be written, also with the coordinate predictor."""
    data = compressed(runs["coordinate"])
    assert len(data) < 32 * bitfold.load_run(runs["coordinate"]).kolmogorov().num_weights / 8


def test_frames_without_their_predictor_are_coded_anew(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An epoch of the trajectory, which has no K, is coded anew; --as-trained says so."""
    compressed(runs["row_column"], "--epoch", "2")
    assert "coded anew, as no checkpoint of that epoch holds K" in capsys.readouterr().out
    given = ["--epoch", "2", "--as-trained", "-o", str(tmp_path / "x")]
    assert main(["compress", str(runs["row_column"]), *given]) == 2
    assert "Cannot load K" in capsys.readouterr().err
    sent = shutil.copytree(runs["row_column"], tmp_path / "sent")
    shutil.rmtree(sent / "checkpoints")
    compressed(sent)
    assert "no checkpoint" in capsys.readouterr().out


def test_as_trained_goes_with_no_size(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--as-trained with a size is refused in one line with exit code 2."""
    for wanted in (["--bytes", "100"], ["--psnr", "10"], ["--error", "0"]):
        given = ["-o", str(tmp_path / "x"), "--as-trained", *wanted]
        assert main(["compress", str(runs["row_column"]), *given]) == 2
        assert "expected --as-trained by itself" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["compress", "RUN", "-o", "x", "--as-trained", "--anew"])


def test_some_hundred_bytes_are_the_whole_picture_in_a_fresh_process(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    """In a fresh process the file alone gives the 1024 x 1024 pixels of K's decoded network."""
    path = Path(shutil.copy(runs["row_column"].with_name("net.bitfold"), tmp_path / "net.bitfold"))
    data = compressed(runs["row_column"])
    path.write_bytes(data)
    assert 100 < len(data) < 1000
    command = ["decompress", "net.bitfold", "-o", "p.png", "--size", "1024"]
    ran = subprocess.run(
        [sys.executable, "-m", "bitfold", *command],
        cwd=tmp_path, capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert ran.stdout == f"1024 x 1024 pixels from {len(data)} bytes\np.png\n"
    shown = np.asarray(Image.open(tmp_path / "p.png"), dtype=float) / 255
    assert shown.shape == (1024, 1024, 3)
    run = bitfold.load_run(runs["row_column"])
    network = run.new_network()
    network.load_state_dict(run.kolmogorov().decoded_state())
    axis = (np.arange(1024) + 0.5) / 1024 - 0.5
    points = np.stack([one.ravel() for one in np.meshgrid(axis, axis)], 1).astype(np.float32)
    expected = network(torch.from_numpy(points)).detach().clamp(0, 1).view(1024, 1024, 1).numpy()
    assert np.abs(shown - expected).max() < 0.6 / 255
    # The picture shows the disk, so it is not blank.
    wanted = run.target.picture()[:, :, 0] / 255
    small = shown[8::16, 8::16, 0]
    assert np.square(small - wanted).mean() < 0.5 * wanted.var()


def _error(run: bitfold.Run, network: torch.nn.Module) -> float:
    points = torch.from_numpy(run.target.grid.coordinates(run.target.usable))
    wanted = torch.from_numpy(run.target.values(run.target.usable))
    with torch.no_grad():
        return float((network(points) - wanted).square().mean())
