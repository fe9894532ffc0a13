"""The networks that a model file can rebuild by itself."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import NamedTuple

import torch
from torch import nn

from bitfold.entropy_coding.streams import StreamReader, StreamWriter, damaged
from bitfold.errors import ShapeError
from bitfold.networks import PolytopeNet
from bitfold.networks.polytope_net import count_parameters
from bitfold.networks.shape import check_widths

# By their number in a file: only ever added to, at the end.
ACTIVATIONS = ("leaky_relu", "relu", "abs", "tanh", "gelu", "sine")
FINAL_ACTIVATIONS = ("none", "relu", "leaky_relu", "sigmoid")
#: A network may have so many numbers, and so many more for each byte of its file.
LEAST_NUMBERS, NUMBERS_PER_BYTE = 2**20, 2**12
_WIDTH_ORDER, _MOST_LAYERS = 3, 256


class Recipe(NamedTuple):
    """How to build a `PolytopeNet`; its arguments."""

    in_features: int
    widths: tuple[int, ...]
    out_features: int
    activation: str
    final_activation: str

    def build(self) -> nn.Module:
        """The network, its weights zero; no random state is touched."""
        network = PolytopeNet(*self, generator=torch.Generator())
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        return network

    @property
    def num_numbers(self) -> int:
        """Weights and biases."""
        return count_parameters(self.in_features, self.widths, self.out_features)


def recipe_of(module: nn.Module) -> Recipe | None:
    """How to build a module again, if bitfold can."""
    if type(module) is not PolytopeNet or not _is_untouched(module):
        return None
    recipe = Recipe(
        module.in_features,
        module.widths,
        module.out_features,
        module.activation,
        module.final_activation,
    )
    return recipe if len(recipe.widths) <= _MOST_LAYERS else None


def most_numbers(num_bytes: int) -> int:
    """How many weights and biases a file of that size may claim."""
    return LEAST_NUMBERS + NUMBERS_PER_BYTE * num_bytes


def write_recipe(writer: StreamWriter, recipe: Recipe) -> None:
    """Inputs, outputs, activations, and the layers' widths in runs."""
    writer.golomb(recipe.in_features - 1, 1)
    writer.golomb(recipe.out_features - 1, 1)
    writer.golomb(ACTIVATIONS.index(recipe.activation), 0)
    writer.golomb(FINAL_ACTIVATIONS.index(recipe.final_activation), 0)
    runs = [(width, len(list(same))) for width, same in groupby(recipe.widths)]
    writer.golomb(len(runs), 0)
    for width, length in runs:
        writer.golomb(width - 1, _WIDTH_ORDER)
        writer.golomb(length - 1, 1)


def read_recipe(reader: StreamReader, num_bytes: int) -> Recipe:
    """What `write_recipe` wrote; no larger than a file of so many bytes may claim."""
    reader.enter("recipe")
    in_features, out_features = reader.golomb(1) + 1, reader.golomb(1) + 1
    activation = _named(reader, ACTIVATIONS, "activation")
    final = _named(reader, FINAL_ACTIVATIONS, "final activation")
    widths = list[int]()
    for _ in range(reader.golomb(0)):
        width, length = reader.golomb(_WIDTH_ORDER) + 1, reader.golomb(1) + 1
        if length > _MOST_LAYERS - len(widths):
            raise damaged(f"expected at most {_MOST_LAYERS} layers, got more", reader.position)
        widths += [width] * length
    recipe = Recipe(in_features, tuple(widths), out_features, activation, final)
    try:
        check_widths(recipe.widths)
    except ShapeError as error:
        raise damaged(
            f"expected layers that can be built ({error}), got others", reader.position
        ) from None
    most = most_numbers(num_bytes)
    if recipe.num_numbers > most:
        raise damaged(
            f"expected at most {most:,} weights in a file of {num_bytes:,} bytes, "
            f"got {recipe.num_numbers:,}",
            reader.position,
        )
    return recipe


def _named(reader: StreamReader, names: tuple[str, ...], what: str) -> str:
    number = reader.golomb(0)
    if number >= len(names):
        raise damaged(f"expected {what} 0 to {len(names) - 1}, got {number}", reader.position)
    return names[number]


def _is_untouched(network: PolytopeNet) -> bool:
    """Whether it has the layers it was built with, and nothing else that is saved."""
    sizes = (network.in_features, *network.widths, network.out_features)
    shapes = [shape for ins, outs in pairwise(sizes) for shape in ((outs, ins), (outs,))]
    own = [tuple(item.shape) for item in network.parameters()]
    return own == shapes and next(network.buffers(), None) is None
