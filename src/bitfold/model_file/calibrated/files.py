"""Plans of a module for a size or an error, with regard to calibration inputs. Imports Numba."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import nn

from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.batches import Calibration, outputs_of
from bitfold.model_file.calibrated.layers import RoundedLayers
from bitfold.model_file.calibrated.moments import evaluation, observe
from bitfold.model_file.calibrated.search import first_within
from bitfold.model_file.planning.automatic import shortest_plan
from bitfold.model_file.syntax.plan import Plan
from bitfold.model_file.syntax.structure import tensors_of

# The search begins at this share of the outputs' power per bit, in octaves, and knows about how
# fast files get shorter and errors smaller, in octaves per octave of lambda.
_START, _FALL_OF_BYTES, _FALL_OF_ERRORS = -20.0, 0.35, 0.4


class CalibratedFiles:
    """Files of a module, of all sizes.

    Args:
        module: any module.
        calibration: inputs of it.
        rest_bits: of numbers that are written as they are.
        encode: makes a file of a plan.
    """

    def __init__(
        self,
        module: nn.Module,
        calibration: Calibration,
        rest_bits: int,
        encode: Callable[[Plan], bytes],
    ) -> None:
        moments = observe(module, calibration)
        self._module, self._calibration = module, calibration
        self._rounded = RoundedLayers(module, moments)
        self._tensors = tensors_of(module)
        self._rest_bits, self._encode = rest_bits, encode
        self._power = max(moments.power, 1e-30)

    def file(self, place: float) -> tuple[bytes, Plan]:
        """The file for the lambda of 2^place times the outputs' power."""
        grids = self._rounded.grids(self._power * 2.0**place)
        chosen = [grids.get(item.name) for item, _ in self._tensors]
        plan, _ = shortest_plan(self._tensors, chosen, self._rest_bits)
        return self._encode(plan), plan

    def within_bytes(self, num_bytes: int) -> bytes:
        """The most exact file of at most this size.

        Raises:
            ModelFileError: if there is none.
        """
        files = dict[float, bytes]()

        def value(place: float) -> float:
            files[place], _ = self.file(place)
            return len(files[place])

        found = first_within(value, num_bytes, _START, _FALL_OF_BYTES)
        if found is None:
            least = min(map(len, files.values()))
            raise ModelFileError(
                f"Cannot write a model in {num_bytes:,} bytes: expected at least about {least:,}, "
                "the shortest that was tried. Allow more, or rest_bits=16 if it has large buffers."
            )
        return files[found]

    def within_tolerance(self, tolerance: float) -> bytes:
        """The shortest file whose outputs differ by at most a tolerance.

        Args:
            tolerance: root mean square of the change of outputs on the calibration inputs over that
                of the outputs.

        Raises:
            ModelFileError: if there is none.
        """
        wanted = self._outputs(self._module)
        power = math.sqrt(sum(float(w.square().sum()) for w in wanted)) or 1.0

        def error_of(decoded: nn.Module) -> float:
            pairs = zip(self._outputs(decoded), wanted, strict=True)
            return math.sqrt(sum(float((a - b).square().sum()) for a, b in pairs)) / power

        return self.within_loss(error_of, tolerance)

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
        decoded = copy.deepcopy(self._module)
        with torch.no_grad():
            for tensor, (_, own) in zip(plan.tensors, tensors_of(decoded), strict=True):
                if tensor.raw is None and len(tensor.numbers):
                    own.copy_(torch.from_numpy(plan.values(tensor)).reshape(own.shape))
        return decoded

    def _outputs(self, module: nn.Module) -> list[torch.Tensor]:
        found = list[torch.Tensor]()
        with evaluation(module), torch.no_grad():
            for number, batch in enumerate(self._calibration):
                found += [part.float().cpu() for part in outputs_of(module, batch, number)]
        return found
