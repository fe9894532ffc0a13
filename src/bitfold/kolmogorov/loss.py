"""The Kolmogorov loss: the description length of a module's weights, as a loss to minimise."""

import math
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.bins import Bins
from bitfold.kolmogorov.code_length import KINDS
from bitfold.kolmogorov.description import Description
from bitfold.kolmogorov.out_of_range import confine, decode, escape_bits, overshoot_bins
from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.predictor import CoordinatePredictor
from bitfold.kolmogorov.soft_targets import SoftTargets
from bitfold.kolmogorov.transmission import FLOAT_BITS, check_precision, sent, sent_bits

PREDICTORS = ("coordinate",)
TARGETS = ("soft",)


class KolmogorovLoss(nn.Module):
    """K: what it costs to code a module's weights under what a predictor says of them.

    Calling it gives K in nats per weight, with a gradient to the module's weights and to the
    predictor. The module is referred to, not registered: ``parameters()`` and ``state_dict()`` hold
    the predictor alone. Copy the two together, ``copy.deepcopy((module, loss))``; a copy of
    the loss alone refers to a copy of the module of its own.

    Outside ``weight_range`` a weight is coded as the edge bin and an escape code of how far out it
    is: in K it costs what it would at the edge plus 2 ln(1 + overshoot in bins) nats, whatever the
    kind, so that K is finite for all finite weights and pulls them back.

    Source: the seed program's loss; code lengths, escape and count of bits are ours.

    Args:
        module: any module with trainable parameters; they are looked up once, here.
        predictor: ``"coordinate"``, from the normalised position to the code's parameters.
        predictor_shape: widths of its hidden layers, 1 to 32 of them of 1 to 4,096.
        kind: ``"cross_entropy"`` (nats), ``"mse"`` (unitless), ``"gaussian_nll"`` or
            ``"laplacian_nll"`` (nats: density times the width of a bin).
        bins: values that a weight can take, 2 to 65,536.
        weight_range: the first and the last of them.
        targets: ``"soft"``, how a weight is shared among bins (`cross_entropy`).
        temperature: of the soft targets, in bins, > 0.
        predictor_bits: precision in which the predictor is sent, 2 to 16 or 32 (float32). It plays
            no part in K.
        generator: for the predictor's initial values, on the CPU; None uses the global one.

    Raises:
        KolmogorovError: if a setting is out of bounds or not among those listed, or if the module
            has no trainable parameters or some that cannot be described (see `ParameterTable`).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> network = nn.Linear(10, 10)
        >>> kolmogorov = KolmogorovLoss(network, generator=generator)
        >>> kolmogorov().backward()
        >>> network.weight.grad.shape
        torch.Size([10, 10])
        >>> sorted(kolmogorov.bits().items)
        ['out_of_range', 'predictor', 'ranges', 'weights']
    """

    positions: Tensor

    def __init__(
        self,
        module: nn.Module,
        *,
        predictor: str = "coordinate",
        predictor_shape: Sequence[int] = (5, 5),
        kind: str = "cross_entropy",
        bins: int = 256,
        weight_range: tuple[float, float] = (-3.0, 3.0),
        targets: str = "soft",
        temperature: float = 0.1,
        predictor_bits: int = 8,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_name("predictor", predictor, PREDICTORS)
        _check_name("kind", kind, tuple(KINDS))
        _check_name("targets", targets, TARGETS)
        check_precision(predictor_bits)
        self.predictor_bits = predictor_bits
        self.bins = Bins(bins, *weight_range)
        self.code_length = KINDS[kind](self.bins, SoftTargets(temperature, bins))
        self.table = ParameterTable(module)
        self.predictor = CoordinatePredictor(
            predictor_shape, self.code_length.num_outputs, generator=generator
        )
        self.register_buffer("positions", self.table.positions(), persistent=False)
        self.to(self.positions.device, self.table.dtype())

    @property
    def num_weights(self) -> int:
        """How many weights are described; tied ones count once."""
        return self.table.num_weights

    def forward(self) -> Tensor:
        """K of the module as it is now.

        Returns:
            Nats per weight (`mse`: mean square plus nats of escape), 0-d.

        Raises:
            KolmogorovError: if the module's parameters were replaced, resized, added or removed
                since this loss was made, or moved to another device.
        """
        weights = self._weights()
        # Code lengths need the predictor's own precision, whatever the task is computed in.
        with torch.autocast(weights.device.type, enabled=False):
            prediction = self.predictor(self.positions)
            within, escapes = confine(weights, self.bins)
            nats = self.code_length.summed_nats(within, prediction)
            return (nats + escapes.sum()) / self.num_weights

    def out_of_range_count(self) -> Tensor:
        """How many weights lie outside ``weight_range``: int64, 0-d, on the module's device."""
        weights = self._weights().detach()
        return ((weights < self.bins.minimum) | (weights > self.bins.maximum)).sum()

    def num_out_of_range(self) -> int:
        """How many weights lie outside ``weight_range``."""
        return int(self.out_of_range_count())

    def bits(self) -> Description:
        """The whole description length of the weights, in hard bits and itemised.

        - ``weights``: each weight's nearest bin under the predictor *as sent*;
        - ``out_of_range``: the escape codes, at least one bit for each weight in an edge bin;
        - ``predictor``: its tensors at ``predictor_bits``, each with a float32 offset and step;
        - ``ranges``: the two limits of the bins in float32;
        - ``residual_variance`` (`mse`): in float32;
        - ``frozen_and_buffers``, if there are any: frozen parameters and saved buffers in float32.

        The settings themselves (architecture, kind, number of bins, predictor's shape) are taken as
        known to the decoder.

        Returns:
            The items; NaN bits for the weights while one of them is not finite.

        Raises:
            KolmogorovError: as calling does.
        """
        coded = self._coded_bits()
        values = torch.stack(list(coded.values())).tolist()
        items = dict(zip(coded, values, strict=True))
        return Description(items | self._side_items(), self.num_weights)

    def bits_tensor(self) -> Tensor:
        """Total of `bits` without host synchronisation: 0-d, on the module's device."""
        coded = self._coded_bits()
        return coded["weights"] + coded["out_of_range"] + sum(self._side_items().values())

    def decoded_state(self) -> dict[str, Tensor]:
        """The module's state as a decoder of `bits` would get it.

        Returns:
            By name, fit for ``module.load_state_dict``: each trainable parameter moved to its
            nearest value of the grid (also beyond the range, where the escape code says how far);
            tied ones under each of their names; frozen parameters and saved buffers rounded to
            float32.

        Raises:
            KolmogorovError: as calling does.
        """
        weights = _exact(self._weights().detach())
        nearest = self.bins.nearest(weights)
        values = decode(nearest, overshoot_bins(weights, self.bins), self.bins)
        decoded = self.table.split(values)
        by_parameter = dict(zip(self.table.parameters, decoded.values(), strict=True))
        module = self.table.module
        for name, item in chain(
            module.named_parameters(remove_duplicate=False),
            ((name, module.get_buffer(name)) for name in self.table.buffers),
        ):
            found = by_parameter.get(item) if isinstance(item, nn.Parameter) else None
            decoded[name] = _as_float32(item.detach()) if found is None else found
        return decoded

    def _weights(self) -> Tensor:
        self.table.check()
        weights = self.table.flatten()
        if weights.device != self.positions.device:
            raise KolmogorovError(
                f"Cannot describe a module: expected it on {self.positions.device} where its "
                f"predictor is, got {weights.device}. Move the KolmogorovLoss there too."
            )
        return weights.to(self.positions.dtype)

    @torch.no_grad()
    def _coded_bits(self) -> dict[str, Tensor]:
        """Bits of what depends on the weights' values: 0-d tensors."""
        weights = _exact(self._weights())
        parameters = {
            name: sent(item, self.predictor_bits)
            for name, item in self.predictor.named_parameters()
        }
        with torch.autocast(weights.device.type, enabled=False):
            prediction = torch.func.functional_call(self.predictor, parameters, self.positions)
            nats = self.code_length.bin_nats(self.bins.nearest(weights), prediction)
        return {
            "weights": nats.to(weights.dtype).sum() / math.log(2),
            "out_of_range": escape_bits(weights, self.bins).sum(),
        }

    def _side_items(self) -> dict[str, float]:
        """Bits of what does not depend on the weights' values."""
        items = {
            "predictor": float(sent_bits(self.predictor.parameters(), self.predictor_bits)),
            "ranges": 2.0 * FLOAT_BITS,
        }
        if self.code_length.side_bits:
            items["residual_variance"] = float(self.code_length.side_bits)
        if self.table.frozen or self.table.buffers:
            items["frozen_and_buffers"] = float(FLOAT_BITS * self.table.num_frozen_values())
        return items


def _check_name(setting: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise KolmogorovError(
            f"Cannot make a Kolmogorov loss: expected {setting} to be one of "
            f"{', '.join(known)}, got {name!r}. Choose one of these."
        )


def _exact(weights: Tensor) -> Tensor:
    """Weights in float64 where the device has it: bins and counts of bits then do not round."""
    return weights if weights.device.type == "mps" else weights.to(torch.float64)


def _as_float32(values: Tensor) -> Tensor:
    return values.float().to(values.dtype) if values.is_floating_point() else values.clone()
