"""PolytopeNet: the fully connected network that learns a picture."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from bitfold.errors import ShapeError
from bitfold.networks.activations import (
    ACTIVATIONS,
    FINAL_ACTIVATIONS,
    activation_gain,
    unknown_activation,
)
from bitfold.networks.encoding import Encoding
from bitfold.networks.grid_features import GridFeatures
from bitfold.networks.picture import Picture
from bitfold.networks.shape import check_widths, format_shape, parse_shape
from bitfold.networks.triangle_waves import TriangleWaves
from bitfold.runtime.light_torch.blank_layers import blank_linear

MAX_PARAMETERS: Final = 200_000_000
INITIAL_BIAS: Final = 0.1


class PolytopeNet(nn.Module):
    """A fully connected network whose hidden neurons fold the input space.

    Source: weights from He et al. 2015, "Delving deep into rectifiers", section 2.2: normal with
    standard deviation gain / sqrt(fan_in), for the gain of the hidden activation, in every layer
    including the last. Biases are 0.1.

    Args:
        in_features: coordinates of a point, at least 1.
        shape: widths of the hidden layers, as text such as ``[10]*8`` or as numbers; it may be
            empty.
        out_features: outputs, at least 1.
        activation: of hidden layers: leaky_relu (slope 0.01), relu, abs, tanh, gelu or sine.
        final_activation: of the last layer: none, relu, leaky_relu or sigmoid.
        encoding: of the coordinates before the first layer: none; triangle:OCTAVES for 1 to 20
            octaves of `TriangleWaves`, which have no weights; or grid:LEVELSxFEATURES for 1 to 8
            levels of 1 to 16 `GridFeatures` each, which are weights. It is the first of
            ``layers``. The attribute of this name is an `Encoding`.
        generator: a CPU generator that draws the weights; None: the global one.

    Attributes:
        picture: the picture or clip that inputs and outputs stand for; None if that is unknown. It
            changes how the network is drawn, and nothing that it computes.

    Raises:
        ShapeError: if the shape does not parse, is out of bounds or needs more than 200 million
            parameters, if in_features or out_features is not a positive integer, or if coordinates
            other than 2 or 3 are to be encoded.
        ConfigError: if an activation or an encoding is unknown.

    Guarantees: the same generator state gives the same weights on the same version of PyTorch;
    with a generator, the global random state is not touched.

    >>> network = PolytopeNet(2, "[10]*8", 1, generator=torch.Generator().manual_seed(0))
    >>> network.widths, network.num_parameters
    ((10, 10, 10, 10, 10, 10, 10, 10), 811)
    >>> network(torch.zeros(5, 2)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_features: int,
        shape: str | Sequence[int],
        out_features: int,
        activation: str = "leaky_relu",
        final_activation: str = "none",
        *,
        encoding: str = "none",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise unknown_activation("activation", activation, ACTIVATIONS)
        if final_activation not in FINAL_ACTIVATIONS:
            raise unknown_activation("final activation", final_activation, FINAL_ACTIVATIONS)
        self.in_features = _check_features("in_features", in_features)
        self.widths = parse_shape(shape) if isinstance(shape, str) else check_widths(shape)
        self.out_features = _check_features("out_features", out_features)
        self.activation = activation
        self.final_activation = final_activation
        self.encoding = Encoding.parse(encoding)
        self.num_encoded = self.encoding.num_features(in_features)
        self.num_parameters = self.encoding.num_weights(in_features) + count_parameters(
            self.num_encoded, self.widths, out_features
        )
        if self.num_parameters > MAX_PARAMETERS:
            message = (
                f"Cannot build a network of shape {format_shape(self.widths)}: expected at most "
                f"{MAX_PARAMETERS:,} parameters, got {self.num_parameters:,}. Use narrower layers."
            )
            raise ShapeError(message)
        self.picture: Picture | None = None
        self.layers = self._build(generator)

    def _build(self, generator: torch.Generator | None) -> nn.Sequential:
        gain = activation_gain(self.activation)
        sizes = (self.num_encoded, *self.widths, self.out_features)
        layers: list[nn.Module] = []
        encoding, size = self.encoding, self.in_features
        if encoding.num_octaves:
            layers.append(TriangleWaves(size, encoding.num_octaves))
        elif encoding.num_levels:
            layers.append(
                GridFeatures(size, encoding.num_levels, encoding.num_level_features, generator)
            )
        for fan_in, fan_out in pairwise(sizes):
            layer = blank_linear(fan_in, fan_out)
            nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(fan_in), generator=generator)
            nn.init.constant_(layer.bias, INITIAL_BIAS)
            layers += [layer, ACTIVATIONS[self.activation]()]
        layers.pop()
        if self.final_activation != "none":
            layers.append(FINAL_ACTIVATIONS[self.final_activation]())
        return nn.Sequential(*layers)

    def forward(self, points: Tensor) -> Tensor:
        """Evaluate the network.

        Args:
            points: float (N, in_features).

        Returns:
            float (N, out_features).

        Raises:
            ShapeError: if the points have another shape.
        """
        if points.ndim != 2 or points.shape[1] != self.in_features:
            message = (
                f"Cannot evaluate the network: expected points of shape (N, {self.in_features}), "
                f"got {tuple(points.shape)}. Give one row for each point."
            )
            raise ShapeError(message)
        outputs: Tensor = self.layers(points)
        return outputs

    def extra_repr(self) -> str:
        """Name the shape, activations and encoding in the module's repr."""
        encoding = f", encoding={str(self.encoding)!r}" if not self.encoding.is_none else ""
        return (
            f"{self.in_features}, {format_shape(self.widths)!r}, {self.out_features}, "
            f"activation={self.activation!r}, final_activation={self.final_activation!r}{encoding}"
        )


def count_parameters(in_features: int, widths: Sequence[int], out_features: int) -> int:
    """Count the weights and biases of a fully connected network without building it.

    >>> count_parameters(2, [10] * 8, 1)
    811
    """
    sizes = (in_features, *widths, out_features)
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))


def tensor_shapes(
    in_features: int, widths: Sequence[int], out_features: int, encoding: str = "none"
) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a `PolytopeNet`'s tensors, without building it.

    >>> tensor_shapes(2, [], 1)
    {'layers.0.weight': (1, 2), 'layers.0.bias': (1,)}
    >>> tensor_shapes(2, [], 1, "triangle:1")
    {'layers.1.weight': (1, 6), 'layers.1.bias': (1,)}
    >>> tensor_shapes(2, [], 1, "grid:1x3")
    {'layers.0.tables.0': (15, 5), 'layers.1.weight': (1, 5), 'layers.1.bias': (1,)}
    """
    shapes: dict[str, tuple[int, ...]] = {}
    encoded = Encoding.parse(encoding)
    first = 0 if encoded.is_none else 1
    for number, shape in enumerate(encoded.table_shapes(in_features)):
        shapes[f"layers.0.tables.{number}"] = shape
    sizes = (encoded.num_features(in_features), *widths, out_features)
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        # Between two layers stands an activation.
        shapes[f"layers.{first + 2 * number}.weight"] = fan_out, fan_in
        shapes[f"layers.{first + 2 * number}.bias"] = (fan_out,)
    return shapes


def _check_features(name: str, number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        message = (
            f"Cannot build a network: expected {name} of at least 1, got {number!r}. "
            "Give a whole number."
        )
        raise ShapeError(message)
    return number
