"""Tests of data-parallel training: two processes on the CPU against one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

WORKER = Path(__file__).with_name("distributed_worker.py")
EXACT = ["coordinate", "coordinate, soft", "coordinate, mse", "row_column", "per_tensor"]
DRAWN = ["sample", "sample, row_column", "noise"]
TYPES = ["float32", "float64"]

#: The results of one process, by case.
Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found, Found]:
    """Return the results of one process alone, and of two processes together."""
    folder = tmp_path_factory.mktemp("processes")
    roles = [(0, 1), (0, 2), (1, 2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(WORKER), str(rank), str(number), str(folder)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, number in roles
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
    finally:
        # A process that waits for a failed process would wait for ever.
        for process in processes:
            process.kill()
    return tuple(
        torch.load(folder / f"found-{rank}-of-{number}.pt", weights_only=True)
        for rank, number in roles
    )


def distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the largest difference, relative to the largest number."""
    return ((first - second).abs().max() / second.abs().max()).item()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", EXACT)
def test_two_processes_have_the_k_and_gradients_of_one(
    name: Any, dtype: Any, found: tuple[Found, Found, Found]
) -> None:
    """K and its gradients by network, predictor and ranges are the same on both processes."""
    alone, *together = (item[f"{name}, {dtype}"] for item in found)
    for one in together:
        assert one["values"][0] == pytest.approx(alone["values"][0], rel=1e-6)
        assert distance(one["network"], alone["network"]) < 1e-6
        assert distance(one["own"], alone["own"]) < 1e-6
        assert one["bits"] == pytest.approx(alone["bits"], rel=1e-9)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", [*EXACT, *DRAWN])
def test_replicas_stay_equal(name: Any, dtype: Any, found: tuple[Found, Found, Found]) -> None:
    """After 20 steps all trained parameters and each K are equal to the bit on both processes."""
    _, first, second = (item[f"{name}, {dtype}"] for item in found)
    assert torch.equal(first["trained"], second["trained"])
    assert first["values"] == second["values"]
    assert first["bits after"] == second["bits after"]


@pytest.mark.parametrize("name", EXACT)
def test_two_processes_train_as_one(name: Any, found: tuple[Found, Found, Found]) -> None:
    """In float64 20 steps lead to the same weights as those of one process."""
    alone, first, _ = (item[f"{name}, float64"] for item in found)
    assert distance(first["trained"], alone["trained"]) < 1e-9
    assert first["values"] == pytest.approx(alone["values"], rel=1e-9)


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_changes_from_step_to_step(
    name: Any, found: tuple[Found, Found, Found]
) -> None:
    """Samples and noise are new in each step, and both processes skip the same steps."""
    values = found[1][f"{name}, float64"]["values"]
    drawn = values[::2] if name == "noise" else values
    assert len(set(drawn)) == len(drawn)
    if name == "noise":
        assert set(values[1::2]) == {0.0}


@pytest.mark.parametrize("name", ["group", "group, noise"])
def test_a_group_may_be_named_before_replicas_are_equal(
    name: str, found: tuple[Found, Found, Found]
) -> None:
    """Given a group and unequal networks, all processes start with the values of the first one."""
    _, first, second = (item[name] for item in found)
    assert torch.equal(first["trained"], second["trained"])
    assert first["values"] == second["values"]
    if name == "group":
        assert distance(first["trained"], found[0][name]["trained"]) < 1e-9


@pytest.mark.parametrize("dtype", TYPES)
def test_hard_k_is_shared_too(dtype: Any, found: tuple[Found, Found, Found]) -> None:
    """The bits do not depend on the number of processes."""
    alone, *together = (item[f"hard, {dtype}"] for item in found)
    for one in together:
        assert one["values"][0] == pytest.approx(alone["values"][0], rel=1e-6)


@pytest.mark.parametrize("name", [*EXACT, "hard"])
def test_one_process_may_look_at_k_alone(name: Any, found: tuple[Found, Found, Found]) -> None:
    """Without gradients one process alone can compute K, and gets the same value."""
    alone, first, _ = (item[f"{name}, float64"] for item in found)
    assert first["looked at alone"] == pytest.approx(alone["values"][0], rel=1e-9)
    assert first["looked at alone"] == pytest.approx(first["values"][0], rel=1e-9)


def test_copies_share_the_work_as_well(found: tuple[Found, Found, Found]) -> None:
    """A copy of a loss shares its processes and gives the same K."""
    for item in found:
        for name in EXACT:
            case = item[f"{name}, float64"]
            assert case["copied"] == case["values"][0]


def test_processes_without_weights_join_in(found: tuple[Found, Found, Found]) -> None:
    """A module of one weight has the same K and gradient, although one process has no weight."""
    for predictor, alone in found[0]["tiny"].items():
        for one in found[1:]:
            torch.testing.assert_close(one["tiny"][predictor], alone, rtol=1e-6, atol=1e-8)
