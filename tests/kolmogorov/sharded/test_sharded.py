"""K of a module that FSDP2 divides among 2 or 3 processes, against K of one process."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

WORKER = Path(__file__).with_name("sharded_worker.py")
ROOT = WORKER.parents[3]
#: The worker's cases; the first two also run in float64.
CASES = ["per_tensor", "row_column", "fixed range", "coordinate"]
IN_FLOAT64 = [f"{name}, float64" for name in CASES[:2]]
ALL = [f"{name}, float32" for name in CASES] + IN_FLOAT64
#: The tolerance of float32 sums in another order.
ROUNDING = 1e-6

#: The results of one process, part by part.
Found = dict[str, dict[str, Any]]


@pytest.fixture(
    scope="module", params=[pytest.param(2, marks=pytest.mark.slow), 3], ids=["two", "three"]
)
def found(request: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """Return the results of all processes."""
    return results_of(WORKER, request.param, tmp_path_factory.mktemp("processes"))


def results_of(worker: Path, number: int, folder: Path) -> list[Any]:
    """Run a worker as several processes together, and return the results of each."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", str(worker), str(rank), str(number), str(folder)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
        )
        for rank in range(number)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=400)
            assert process.returncode == 0, errors
    finally:
        # A process that waits for a failed process would wait for ever.
        for process in processes:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()
    return [torch.load(folder / f"found-{rank}.pt") for rank in range(number)]


def distance(first: list[Tensor], second: list[Tensor]) -> float:
    """Return the largest difference, relative to the second argument's largest number."""
    pairs = list(zip(first, second, strict=True))
    largest = max(float(other.abs().max()) for _, other in pairs)
    return max(float((one - other).abs().max()) for one, other in pairs) / largest


def pairs(found: list[Found], name: str) -> list[tuple[Any, Any]]:
    """Return each process's results of a whole module and of a divided one."""
    return [item["compare"][name] for item in found]


@pytest.mark.parametrize("name", ALL)
def test_k_and_its_gradients_are_those_of_one_process(name: str, found: list[Found]) -> None:
    """K and its gradients by shards, predictor and steps are those of one process."""
    for one, divided in pairs(found, name):
        assert float(divided["K"]) == pytest.approx(float(one["K"]), rel=ROUNDING)
        assert distance(divided["gradients"], one["gradients"]) < ROUNDING
        assert distance(divided["own"], one["own"]) < ROUNDING


@pytest.mark.parametrize("name", ALL)
def test_bits_and_report_are_those_of_one_process(name: str, found: list[Found]) -> None:
    """All processes get the same items and the same table, counts and decoded weights."""
    for one, divided in pairs(found, name):
        assert divided["bits"] == pytest.approx(one["bits"], rel=1e-12)
        assert divided["report"] == one["report"]
        assert divided["outside"] == one["outside"]
        assert divided["coverage"] == one["coverage"]
        assert divided["weight bits"] == pytest.approx(one["weight bits"], rel=1e-12)
        assert distance(divided["decoded"], one["decoded"]) == 0


@pytest.mark.parametrize("name", ALL)
def test_the_file_is_that_of_one_process(name: str, found: list[Found]) -> None:
    """Byte for byte, with frozen tensors and buffers; every process gets its size."""
    for one, divided in pairs(found, name):
        assert divided["file"] == one["file"]
        assert divided["num_bytes"] == one["num_bytes"] == len(one["file"])


@pytest.mark.parametrize("name", IN_FLOAT64)
def test_training_is_that_of_one_process(name: str, found: list[Found]) -> None:
    """Some float64 steps of Adam on a task and K give the weights and scales of one process."""
    for one, divided in pairs(found, name):
        assert divided["trained K"] == pytest.approx(one["trained K"], rel=1e-9)
        assert distance(divided["trained"], one["trained"]) < 1e-9


@pytest.mark.parametrize("name", ALL)
def test_the_parameters_of_k_stay_equal(name: str, found: list[Found]) -> None:
    """The loss's parameters stay equal to the bit in all processes, without being sent again."""
    first, *others = (divided["trained"] for _, divided in pairs(found, name))
    assert all(distance(other, first) == 0 for other in others)


@pytest.mark.parametrize("name", ["mixed precision", "checkpointed", "replicas", "kept gathered"])
def test_k_does_not_depend_on_how_the_task_is_computed(name: str, found: list[Found]) -> None:
    """Narrow types in the task, recomputed layers, replicas of shards, and parameters that stay
    gathered between forward and backward change neither K nor what its gradient adds.
    """
    # Subtracting the task's gradient leaves its rounding: in bfloat16 it has 8 bits.
    rounding = 1e-2 if name == "mixed precision" else 1e-5
    for item in found:
        plain, other = item["check_variants"][name]
        assert float(other["K"]) == pytest.approx(float(plain["K"]), rel=ROUNDING)
        assert other["names"] == plain["names"]
        assert other["bits"] == pytest.approx(plain["bits"], rel=1e-12)
        assert distance(other["gradients"], plain["gradients"]) < rounding


def test_k_of_a_part_goes_on_while_its_divided_parent_is_gathered(found: list[Found]) -> None:
    """A part of a divided module, or all of it, keeps its K between forward and backward."""
    for item in found:
        parent = item["divide_parent"]
        for name in ("part", "whole"):
            before, after = parent[name]
            assert torch.equal(after, before)
        assert float(parent["part"][0]) == pytest.approx(float(parent["plain"]), rel=ROUNDING)


def test_gathered_parameters_are_looked_up_in_one_walk(found: list[Found]) -> None:
    """A check walks all modules once, not once a parameter, and sees a replaced parameter."""
    for item in found:
        parent = item["divide_parent"]
        assert parent["walks"] == 1
        assert "expected the parameters it had" in parent["replaced"]


def test_weights_of_two_bytes_are_described(found: list[Found]) -> None:
    """K of a module in bfloat16 is computed in float32 and equals one process's."""
    for item in found:
        one, divided = item["check_variants"]["bfloat16"]
        assert divided["K"].dtype == torch.float32
        assert float(divided["K"]) == pytest.approx(float(one["K"]), rel=ROUNDING)
        assert divided["bits"] == pytest.approx(one["bits"], rel=1e-12)


def test_draws_keep_processes_equal(found: list[Found]) -> None:
    """With samples, noise and skipped steps all processes skip the same steps and stay equal."""
    (first, first_own), *others = (item["check_variants"]["drawn"] for item in found)
    assert first[1] == first[3] == 0 != first[0] != first[2] != 0
    for nats, own in others:
        assert nats == first
        assert distance(own, first_own) == 0


def test_training_resumes_from_a_distributed_checkpoint(found: list[Found]) -> None:
    """From a checkpoint, weights, scales, steps and the noise to come continue to the bit."""
    for item in found:
        nats, trained = item["resume"]["undisturbed"]
        nats_again, trained_again = item["resume"]["resumed"]
        assert nats_again == nats
        assert distance(trained_again, trained) == 0


def test_files_are_read_into_divided_modules(found: list[Found]) -> None:
    """Whole, divided and gathered modules get the decoded state of the loss, buffers too."""
    for item in found:
        exchanged = item["exchange_files"]
        for name in ("whole", "divided", "gathered"):
            assert distance(exchanged[name], exchanged["decoded"]) == 0


def test_predictors_are_fitted_to_divided_modules(found: list[Found]) -> None:
    """Fitting by each process's own draws reaches the bits of one process, to within a percent."""
    for item in found:
        exchanged = item["exchange_files"]
        assert exchanged["fitted"] == pytest.approx(exchanged["fitted alone"], rel=0.01)
        assert exchanged["chosen"] == exchanged["chosen alone"]


def test_a_divided_network_is_written_with_its_recipe(found: list[Found]) -> None:
    """So that a reader builds it by itself, as one of one process."""
    for item in found:
        alone, divided = item["exchange_files"]["recipes"]
        assert divided == alone


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("damaged", "expected checksum"),
        ("missing", "Cannot read .*missing: No such file"),
        ("another", "Cannot read a model file into this module: expected "),
        ("no folder", "Cannot write .*: No such file or directory. Free some space"),
        ("not finite", r"Cannot write '0\.weight': expected finite weights .* 1 that are not\. "),
        ("not finite at first", r"Cannot describe parameter '0\.weight': .* NaN or infinite"),
    ],
)
def test_all_processes_get_the_same_error(name: str, told: str, found: list[Found]) -> None:
    """All processes get the same error, even of one process; none hangs and no module changes."""
    messages = {item["exchange_files"][name] for item in found}
    assert len(messages) == 1
    (message,) = messages
    assert "\n" not in message
    assert re.search(told, message), message
    for item in found:
        exchanged = item["exchange_files"]
        assert distance(exchanged["after errors"], exchanged["divided"]) == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("quantise", "Cannot train with rounded weights: expected all weights in each process"),
        ("quantised", "Cannot compute with rounded weights: expected all weights in each process"),
        ("kind", "expected predictor='row_column', 'per_tensor' or 'coordinate' .* got coordinate"),
        ("own predictor", "expected predictor='row_column', .* got Even. Choose one of these"),
        ("adaptive", "expected predictor='row_column', .* got adaptive. Choose one of these"),
        ("group", "expected no process_group beside parameters that fully_shard divides"),
        ("replaced", "Cannot describe FSDPLinear: expected the parameters it had .* replaced"),
        ("columns", "Cannot describe parameter .weight.: expected whole rows .* got .*Shard"),
        ("tensor parallel", "got .*Shard.*fully_shard alone, without tensor parallelism"),
        ("half", r"parameter '0\.weight': .* beside '1\.weight', which is divided"),
        ("attached", "expected both divided by fully_shard or both whole, got one of each"),
        ("attached to parts", "expected both divided by fully_shard or both whole"),
        ("without a loss", "expected a KolmogorovLoss beside a module that fully_shard divides"),
        ("tensors", "got a DTensor, whose numbers lie in other tensors"),
    ],
)
def test_what_does_not_go_with_divided_modules_is_refused(
    name: str, told: str, found: list[Found]
) -> None:
    """Features that divided modules lack are refused in one line with an alternative."""
    for item in found:
        message = item["refuse"][name]
        assert "\n" not in message
        assert re.search(told, message), message
