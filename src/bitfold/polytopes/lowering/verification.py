"""A check that a lowered module gives the module's outputs, and treats each input by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bitfold.errors import PolytopeError
from bitfold.polytopes.lowering.bounds import Bounded
from bitfold.polytopes.lowering.lowered import Lowered
from bitfold.polytopes.lowering.program import Execution, Program
from bitfold.polytopes.tracing.operation import Operation
from bitfold.polytopes.tracing.pieces import Pieces

_SEED = 0
_NUM_INPUTS = 4
# Units of rounding of float64 and of bfloat16. An accelerator, or a CPU that was allowed to, may
# multiply float32 numbers in bfloat16; TF32 lies between.
_UNIT, _COARSE_UNIT = 2.0**-53, 2.0**-8
# A fraction of a result's largest element: far above rounding in float64, and far below the effect
# of inputs of size 1.
_MIXED = 1e-6


def verify(
    lowered: Lowered, module: nn.Module, example: Tensor, items: Mapping[str, Tensor]
) -> None:
    """Compare the outputs of a lowered module with those of the module, on a few inputs.

    Outputs may differ by rounding: by the bound of `bounds.Bounds`, scaled to the unit of rounding
    of the coarsest type that the module works in.

    Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1.

    Args:
        lowered: the lowered module.
        module: in evaluation mode.
        example: one input, without a batch, of the type and on the device that the module takes.
        items: the module's parameters and buffers by name.

    Raises:
        PolytopeError: outputs differ by more, or an operation mixes the inputs of a batch.
    """
    with torch.no_grad():
        _verify_rows(Program(lowered, _stirred(items)), example)
        inputs = _inputs_like(example)
        # Type and device one after the other: not every device has float64.
        given = inputs.clone().to(example.dtype).to(example.device)
        found = module(given).cpu().double().reshape(len(inputs), -1)
        run = Bounded(Program(lowered, items), inputs, inputs.abs().amax(0))
        outputs = run.run()
        # Twice, for terms that are quadratic in the unit.
        slack = 2 * run.error(lowered.output) * (_unit_of(lowered, example) / _UNIT)
    off = (found - outputs).abs() - slack
    # float16 may overflow where float64 does not.
    off = torch.where(found.isfinite(), off, -torch.inf)
    worst = int(off.argmax())
    if off.flatten()[worst] > 0:
        row, column = divmod(worst, off.shape[1])
        raise PolytopeError(
            "Cannot find exact polytopes: expected the operations that were traced to give the "
            f"module's outputs, got {outputs[row, column]:.6g} instead of {found[row, column]:.6g} "
            f"(output {column}). Use a module without random numbers, memory of earlier calls, "
            "branches on values or views that are written to."
        )


def _inputs_like(example: Tensor) -> Tensor:
    """Return the example, noise around it, and noise of two sizes: float64 (4, ...), on the CPU."""
    generator = torch.Generator().manual_seed(_SEED)
    noise = torch.randn(
        (_NUM_INPUTS, *example.shape), generator=generator, dtype=torch.float64, device="cpu"
    )
    size = torch.tensor([0.0, 1.0, 1.0, 4.0], device="cpu").reshape(-1, *[1] * example.ndim)
    centre = torch.tensor([1.0, 1.0, 0.0, 0.0], device="cpu").reshape(-1, *[1] * example.ndim)
    inputs = centre * example.detach().cpu().double() + size * noise
    # Rounded to the module's own type, so that both get the same inputs.
    return inputs.to(example.dtype).double()


def _unit_of(lowered: Lowered, example: Tensor) -> float:
    """Return the unit of rounding of the coarsest type that the module works in."""
    kinds = {example.dtype}
    for operation in lowered.operations:
        leaves = tree_leaves((operation.args, dict(operation.kwargs)))
        kinds |= {leaf for leaf in leaves if isinstance(leaf, torch.dtype)}
    unit = max(torch.finfo(kind).eps / 2 for kind in kinds if kind.is_floating_point)
    is_exact = example.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    return unit if is_exact or kinds == {torch.float64} else max(unit, _COARSE_UNIT)


def _stirred(items: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of which none is 0, so that none hides the effect of an operation."""
    generator = torch.Generator().manual_seed(_SEED)
    found = {}
    for name, item in items.items():
        if item.is_floating_point():
            fan_in = max(1, item[0].numel()) if item.ndim > 1 and len(item) else 1
            more = 0.5 + torch.rand(
                item.shape, generator=generator, dtype=torch.float64, device="cpu"
            )
            item = item.detach().cpu().double() + more / fan_in  # noqa: PLW2901
        found[name] = item
    return found


class _Straight(Execution):
    """Runs a program without its bends: an inactive neuron would hide its inputs."""

    def bend(self, source: int, pieces: Pieces) -> Any:
        del pieces
        return self.values[source]


def _verify_rows(program: Program, example: Tensor) -> None:
    """Refuse operations whose result for an input depends on other inputs of the batch."""
    first, second = _inputs_like(example)[1:].clone(), _inputs_like(example)[1:].flip(0) + 1.0
    runs = [_Straight(program, first.clone())]
    for row in range(len(first)):
        others = second.clone()
        others[row] = first[row]
        runs.append(_Straight(program, others))
    lowered = program.lowered
    for number, operation in enumerate(lowered.operations):
        if not operation.is_derived:
            continue
        for run in runs:
            run.follow(number, operation)
        whole, *found = [run.values[number + 1] for run in runs]
        if isinstance(whole, Tensor) and whole.is_floating_point() and whole.numel():
            rows = torch.stack([some[row] for row, some in enumerate(found)])
            if (rows - whole).abs().max() > _MIXED * whole.abs().max():
                _refuse(operation)
        for run in runs:
            for index in lowered.forgotten[number]:
                run.forget(index)


def _refuse(operation: Operation) -> None:
    where = f" in {operation.place!r}" if operation.place else ""
    raise PolytopeError(
        f"Cannot find polytopes: expected each input to be worked on by itself, got "
        f"{operation.name}{where}, which mixes those of a batch. Wrap the module in one that does."
    )
