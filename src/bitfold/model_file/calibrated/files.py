"""Files of tensors for a size, an error or a loss, by a search for lambda. Imports Numba."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import nn

from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.batches import Calibration, outputs_of
from bitfold.model_file.calibrated.layers import RoundedLayers
from bitfold.model_file.calibrated.moments import evaluation, observe
from bitfold.model_file.calibrated.search import first_within
from bitfold.model_file.calibrated.unaided import UnaidedTensors
from bitfold.model_file.planning.automatic import Planner, shortest_plan
from bitfold.model_file.planning.grids import OnGrid
from bitfold.model_file.syntax.plan import Plan
from bitfold.model_file.syntax.structure import Holder, tensors_of
from bitfold.runtime.display.notices import Notify
from bitfold.runtime.module_state import copied

# The search begins at this share of the power per bit, in octaves, and knows about how fast files
# get shorter and errors smaller, in octaves per octave of lambda.
_START, _FALL_OF_BYTES, _FALL_OF_ERRORS = -20.0, 0.35, 0.4


class RoundedFiles:
    """Files of a module or of tensors, of all sizes.

    Args:
        holder: a module, or tensors by name.
        grids: the tensors on grids for a share of the power that a bit is worth.
        rest_bits: of numbers that are written as they are.
        encode: makes a file of a plan.
        notify: is told of each file that is tried.
        guess: about the bits of the tensors for a share, see `guessed_bits`.
    """

    def __init__(
        self,
        holder: Holder,
        grids: Callable[[float], Mapping[str, OnGrid]],
        rest_bits: int,
        encode: Callable[[Plan], bytes],
        notify: Notify,
        *,
        guess: Callable[[float], float],
    ) -> None:
        self._holder, self._grids, self._guess = holder, grids, guess
        self._tensors: Final = tensors_of(holder)
        self._rest_bits, self._encode, self._notify = rest_bits, encode, notify
        self._num_tried = 0

    def file(self, place: float) -> tuple[bytes, Plan]:
        """The file for a share of 2^place."""
        grids = self._grids(2.0**place)
        chosen = [grids.get(item.name) for item, _ in self._tensors]
        plan, _ = shortest_plan(self._tensors, chosen, self._rest_bits)
        data = self._encode(plan)
        self._num_tried += 1
        self._notify(f"file {self._num_tried}: {len(data):,} bytes")
        return data, plan

    def within_bytes(self, num_bytes: int) -> bytes:
        """The most exact file of at most this size.

        Raises:
            ModelFileError: if there is none.
        """
        files = dict[float, bytes]()

        def value(place: float) -> float:
            files[place], _ = self.file(place)
            return len(files[place])

        found = first_within(
            value,
            num_bytes,
            _START,
            _FALL_OF_BYTES,
            guess_of=lambda place: self._guess(2.0**place) / 8,
        )
        if found is None:
            least = min(map(len, files.values()))
            raise ModelFileError(
                f"Cannot write a model in {num_bytes:,} bytes: expected at least about {least:,}, "
                "the shortest that was tried. Allow more, or rest_bits=16 if it has large buffers."
            )
        return files[found]

    def within_loss(self, loss: Callable[[nn.Module], float], bound: float) -> bytes:
        """The shortest file whose decoded module has at most a given loss.

        Raises:
            ModelFileError: if there is none.
        """
        files, losses = dict[float, bytes](), list[float]()

        def value(place: float) -> float:
            files[place], plan = self.file(-place)
            found = float(loss(self._decoded(plan)))
            losses.append(found)
            return max(found, 1e-30) if math.isfinite(found) else 1e30

        found = first_within(value, bound, -_START, _FALL_OF_ERRORS)
        if found is None:
            raise ModelFileError(
                f"Cannot write a model with a loss of at most {bound:g}: expected a bound of at "
                f"least about {min(losses):g}, the least that was tried. Allow more."
            )
        return files[found]

    def _decoded(self, plan: Plan) -> nn.Module:
        holder: nn.Module = self._holder  # type: ignore[assignment] # a module here
        decoded = copied(holder)
        with torch.no_grad():
            for tensor, (_, own) in zip(plan.tensors, tensors_of(decoded), strict=True):
                if tensor.raw is None and len(tensor.numbers):
                    own.copy_(torch.from_numpy(plan.values(tensor)).reshape(own.shape))
        return decoded.eval()


def blind_files(
    holder: Holder,
    planner: Planner,
    rest_bits: int,
    encode: Callable[[Plan], bytes],
    notify: Notify,
) -> RoundedFiles:
    """Files of a module or of tensors of which only the numbers are known."""
    tensors = UnaidedTensors(holder, planner)
    return RoundedFiles(
        holder, tensors.grids, rest_bits, encode, notify, guess=tensors.guessed_bits
    )


def calibrated_files(
    module: nn.Module,
    calibration: Calibration,
    rest_bits: int,
    encode: Callable[[Plan], bytes],
    notify: Notify,
) -> RoundedFiles:
    """Files of a module that are rounded with regard to inputs of it."""
    notify("looking at the inputs")
    moments = observe(module, calibration)
    power = max(moments.power, 1e-30)
    layers = RoundedLayers(module, moments)
    return RoundedFiles(
        module,
        lambda rate: layers.grids(rate * power),
        rest_bits,
        encode,
        notify,
        guess=lambda rate: layers.guessed_bits(rate * power),
    )


def change_of_outputs(module: nn.Module, calibration: Calibration) -> Callable[[nn.Module], float]:
    """A loss: the root mean square of the change of a module's outputs over that of outputs."""
    wanted = _outputs(module, calibration)
    power = math.sqrt(sum(float(w.square().sum()) for w in wanted)) or 1.0

    def change(decoded: nn.Module) -> float:
        pairs = zip(_outputs(decoded, calibration), wanted, strict=True)
        return math.sqrt(sum(float((a - b).square().sum()) for a, b in pairs)) / power

    return change


def _outputs(module: nn.Module, calibration: Calibration) -> list[torch.Tensor]:
    found = list[torch.Tensor]()
    with evaluation(module), torch.no_grad():
        for number, batch in enumerate(calibration):
            found += [part.float().cpu() for part in outputs_of(module, batch, number)]
    return found
