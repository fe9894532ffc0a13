"""Tests of the check of Numba's internals, and of results without them."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import numba
import pytest
import torch
from numba.core import cgutils
from torch import nn

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.sums.fused import coordinate_sums
from bitfold.runtime import numba_internals

#: A slope is a difference of logits, off by their rounding of 1e-7, times 255 bins over a range of
#: 1, over 76 weights; some roundings meet.
SLOPE_ROUNDING = 5e-6

_NUMBERS = """
import bitfold, torch
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.Linear(5, 1))
for predictor in ("coordinate", "row_column"):
    loss = bitfold.KolmogorovLoss(network, predictor=predictor)
    print(f"{loss().item():.4f} {loss.bits().total:.1f}")
"""


@pytest.fixture
def fresh_check() -> Iterator[None]:
    """Forget what the check found, before a test and after it."""
    numba_internals.are_as_expected.cache_clear()
    yield
    numba_internals.are_as_expected.cache_clear()


@pytest.fixture
def untested_numba(monkeypatch: pytest.MonkeyPatch, fresh_check: None) -> None:
    """Let the installed Numba be newer than any that was tested."""
    monkeypatch.setattr(numba_internals, "NEWEST_TESTED", (0, 61))
    monkeypatch.setattr(numba, "__version__", "0.99.0")


def test_the_installed_numba_is_as_expected(
    caplog: pytest.LogCaptureFixture, fresh_check: None
) -> None:
    """The tests run the fast loops, and nothing is logged."""
    assert numba_internals.find_difference(numba.__version__) is None
    assert numba_internals.are_as_expected()
    assert caplog.records == []


@pytest.mark.parametrize("version", ["0.60.2", "0.99.0", "1.0.0"])
def test_an_untested_version_is_a_difference(version: str) -> None:
    """Older and newer ones alike; every tested minor version is none, whatever its patch level."""
    assert numba_internals.find_difference(version) == "an untested version"
    assert numba_internals.find_difference("0.61.0") is None
    assert numba_internals.find_difference("0.68.99rc1") is None


def test_missing_internals_are_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that is gone, or an array whose structure has other fields, is found."""
    with monkeypatch.context() as patch:
        patch.delattr(cgutils, "get_or_insert_function")
        found = numba_internals.find_difference(numba.__version__)
        assert found is not None and found.startswith("AttributeError")
    with monkeypatch.context() as patch:
        patch.delattr(cgutils, "create_struct_proxy")
        assert numba_internals.find_difference(numba.__version__) is not None
    with monkeypatch.context() as patch:
        patch.setattr(numba_internals, "_ARRAY_FIELDS", ("meminfo", "owner"))
        assert numba_internals.find_difference(numba.__version__) is not None


@pytest.mark.usefixtures("untested_numba")
def test_the_difference_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """One warning names the expected versions and the one that is installed."""
    with caplog.at_level(logging.WARNING, "bitfold"):
        assert not numba_internals.are_as_expected()
        assert not numba_internals.are_as_expected()
    (record,) = caplog.records
    assert "expected Numba 0.61 to 0.61 with known internals, got 0.99.0" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_interpreted_loops_give_the_same_numbers() -> None:
    """With NUMBA_DISABLE_JIT, which tools for coverage set, one line says that they are slow."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", _NUMBERS]
    compiled = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    environment["NUMBA_DISABLE_JIT"] = "1"
    plain = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert plain.stdout == compiled.stdout != ""
    assert plain.stderr.startswith("Cannot compile loops: expected NUMBA_DISABLE_JIT to be 0")
    assert len(plain.stderr.splitlines()) == 1


@pytest.mark.parametrize("targets", ["soft", "linear"])
def test_k_is_the_same_without_the_fused_loops(
    targets: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """K, its gradients and the bits come from PyTorch's operations then, to within rounding."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 9), nn.Linear(9, 4))
    loss = KolmogorovLoss(module, predictor="coordinate", targets=targets, weight_range=(-0.5, 0.5))

    def everything() -> tuple[float, list[torch.Tensor | None], float]:
        module.zero_grad()
        loss.zero_grad()
        nats = loss()
        nats.backward()
        parameters = [*module.parameters(), *loss.parameters()]
        return nats.item(), [item.grad for item in parameters], loss.bits().total

    fused = everything()
    request.getfixturevalue("untested_numba")
    monkeypatch.delattr(coordinate_sums, "array")  # which each fused sum begins with
    plain = everything()
    assert plain[0] == pytest.approx(fused[0], rel=1e-5)
    torch.testing.assert_close(plain[1], fused[1], rtol=1e-4, atol=SLOPE_ROUNDING)
    assert plain[2] == pytest.approx(fused[2], rel=1e-5)
