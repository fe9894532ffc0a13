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

#: A slope is a difference of logits, each rounded by 1e-7, times 255 bins over a range of 1, over
#: 76 weights; several roundings may add up.
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
    """Forget the result of the check before and after a test."""
    numba_internals.are_as_expected.cache_clear()
    yield
    numba_internals.are_as_expected.cache_clear()


@pytest.fixture
def untested_numba(monkeypatch: pytest.MonkeyPatch, fresh_check: None) -> None:
    """Pretend that the installed Numba is newer than any tested one."""
    monkeypatch.setattr(numba_internals, "NEWEST_TESTED", (0, 61))
    monkeypatch.setattr(numba, "__version__", "0.99.0")


def test_the_installed_numba_is_as_expected(
    caplog: pytest.LogCaptureFixture, fresh_check: None
) -> None:
    """With the installed Numba, the tests run the fast loops and no line is logged."""
    assert numba_internals.find_difference(numba.__version__) is None
    assert numba_internals.are_as_expected()
    assert caplog.records == []


@pytest.mark.parametrize("version", ["0.60.2", "0.99.0", "1.0.0"])
def test_an_untested_version_is_a_difference(version: str) -> None:
    """Untested minor versions, older or newer, are a difference; patch levels do not matter."""
    assert numba_internals.find_difference(version) == "an untested version"
    assert numba_internals.find_difference("0.61.0") is None
    assert numba_internals.find_difference("0.68.99rc1") is None


def test_missing_internals_are_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing function, or an array with other fields, is a difference."""
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
    """One warning names the expected versions and the installed one."""
    with caplog.at_level(logging.WARNING, "bitfold"):
        assert not numba_internals.are_as_expected()
        assert not numba_internals.are_as_expected()
    (record,) = caplog.records
    assert "expected Numba 0.61 to 0.61 with known internals, got 0.99.0" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_interpreted_loops_give_the_same_numbers() -> None:
    """With NUMBA_DISABLE_JIT, results are the same, and one line says that loops are slow."""
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
    """Without the fused loops, PyTorch's operations give the same K, gradients and bits."""
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
    monkeypatch.delattr(coordinate_sums, "array")  # each fused sum begins with this function
    plain = everything()
    assert plain[0] == pytest.approx(fused[0], rel=1e-5)
    torch.testing.assert_close(plain[1], fused[1], rtol=1e-4, atol=SLOPE_ROUNDING)
    assert plain[2] == pytest.approx(fused[2], rel=1e-5)
