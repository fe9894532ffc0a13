"""The recipe of a network that a file can rebuild by itself, written and read."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise
from typing import NamedTuple

import torch
from torch import nn

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.errors import ShapeError
from bitfold.model_file.syntax.picture import (
    MAX_PALETTE,
    Palette,
    read_palette,
    read_picture,
    write_palette,
    write_picture,
    written_picture,
)
from bitfold.networks import Encoding, Picture, PolytopeNet
from bitfold.networks.encoding import (
    ENCODED_DIMENSIONS,
    MAX_LEVEL_FEATURES,
    MAX_LEVELS,
    MAX_OCTAVES,
)
from bitfold.networks.polytope_net import count_parameters
from bitfold.networks.shape import check_widths
from bitfold.runtime.sharding.sharded_modules import class_of

# Activations by their number in a file. New ones come at the end.
ACTIVATIONS = ("leaky_relu", "relu", "abs", "tanh", "gelu", "sine")
FINAL_ACTIVATIONS = ("none", "relu", "leaky_relu", "sigmoid")
# The number of the final activation in a file grows by the first of these with an encoding, by
# the second with a picture, and by the third with a palette. A final activation that is new gets a
# number from twice the third.
_WITH_ENCODING, _WITH_PICTURE, _WITH_PALETTE = 4, 8, 16
#: A network may have this many numbers, and more for each byte of its file.
LEAST_NUMBERS, NUMBERS_PER_BYTE = 2**20, 2**12
# Orders of the Golomb numbers.
_SIDE_ORDER, _NAME_ORDER, _RUNS_ORDER, _WIDTH_ORDER, _LENGTH_ORDER = 1, 0, 0, 3, 1
# Grids stand where the octaves would: their number is that of one octave too many.
_OCTAVES_ORDER, _LEVELS_ORDER = 2, 2
_MOST_LAYERS = 256


class Recipe(NamedTuple):
    """The arguments that build a `PolytopeNet`, and the picture that it shows.

    Attributes:
        picture: aspect and frames; None for a square picture, or where nothing is known.
        palette: the colours of the outputs if they are classes; None if nothing is known.
    """

    in_features: int
    widths: tuple[int, ...]
    out_features: int
    activation: str
    final_activation: str
    encoding: Encoding = Encoding()
    picture: Picture | None = None
    palette: Palette | None = None

    def build(self) -> nn.Module:
        """Build the network with zero weights; no random state changes."""
        network = PolytopeNet(
            self.in_features,
            self.widths,
            self.out_features,
            self.activation,
            self.final_activation,
            encoding=str(self.encoding),
            generator=torch.Generator(),
        )
        network.picture = self._shown()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        return network

    def _shown(self) -> Picture | None:
        if self.palette is None:
            return self.picture
        return replace(self.picture or Picture(), class_colours=self.palette, palette=self.palette)

    @property
    def num_numbers(self) -> int:
        """How many weights and biases the network has."""
        in_features, encoding = self.in_features, self.encoding
        num_encoded = encoding.num_features(in_features)
        of_layers = count_parameters(num_encoded, self.widths, self.out_features)
        return encoding.num_weights(in_features) + of_layers


def recipe_of(module: object) -> Recipe | None:
    """The recipe of a module; None if it is no `PolytopeNet` as it was built."""
    if class_of(module) is not PolytopeNet or not isinstance(module, PolytopeNet):
        return None
    if not _is_untouched(module):
        return None
    recipe = Recipe(
        module.in_features,
        module.widths,
        module.out_features,
        module.activation,
        module.final_activation,
        module.encoding,
        written_picture(module.picture),
        _palette_of(module),
    )
    return recipe if len(recipe.widths) <= _MOST_LAYERS else None


def _palette_of(module: PolytopeNet) -> Palette | None:
    palette = None if module.picture is None else module.picture.palette
    fits = palette is not None and len(palette) == module.out_features <= MAX_PALETTE
    return palette if fits else None


def most_numbers(num_bytes: int) -> int:
    """How many weights and biases a file of this size may claim."""
    return LEAST_NUMBERS + NUMBERS_PER_BYTE * num_bytes


def write_recipe(writer: StreamWriter, recipe: Recipe) -> None:
    """Append sides, activations and encoding, and the widths of layers as runs of equal ones."""
    writer.write_golomb(recipe.in_features - 1, _SIDE_ORDER)
    writer.write_golomb(recipe.out_features - 1, _SIDE_ORDER)
    writer.write_golomb(ACTIVATIONS.index(recipe.activation), _NAME_ORDER)
    final = FINAL_ACTIVATIONS.index(recipe.final_activation)
    with_picture = _WITH_PICTURE * (recipe.picture is not None)
    with_palette = _WITH_PALETTE * (recipe.palette is not None)
    encoding = recipe.encoding
    with_encoding = _WITH_ENCODING * (not encoding.is_none)
    writer.write_golomb(final + with_encoding + with_picture + with_palette, _NAME_ORDER)
    if encoding.num_octaves:
        writer.write_golomb(encoding.num_octaves - 1, _OCTAVES_ORDER)
    elif encoding.num_levels:
        writer.write_golomb(MAX_OCTAVES, _OCTAVES_ORDER)
        writer.write_golomb(encoding.num_levels - 1, _LEVELS_ORDER)
        writer.write_golomb(encoding.num_level_features - 1, _LEVELS_ORDER)
    if recipe.picture is not None:
        write_picture(writer, recipe.picture)
    if recipe.palette is not None:
        write_palette(writer, recipe.palette)
    runs = [(width, len(list(same))) for width, same in groupby(recipe.widths)]
    writer.write_golomb(len(runs), _RUNS_ORDER)
    for width, length in runs:
        writer.write_golomb(width - 1, _WIDTH_ORDER)
        writer.write_golomb(length - 1, _LENGTH_ORDER)


def read_recipe(reader: StreamReader, num_bytes: int) -> Recipe:
    """Read the recipe that `write_recipe` wrote.

    Raises:
        ModelFileError: if it is damaged, or larger than a file of ``num_bytes`` may claim.
    """
    reader.enter("recipe")
    in_features = reader.read_golomb(_SIDE_ORDER) + 1
    out_features = reader.read_golomb(_SIDE_ORDER) + 1
    activation = _named(reader, ACTIVATIONS, "activation")
    number = _number(reader, 2 * _WITH_PALETTE, "final activation")
    has_palette, number = divmod(number, _WITH_PALETTE)
    has_picture, number = divmod(number, _WITH_PICTURE)
    final, encoding = _read_final(reader, number, in_features)
    picture = read_picture(reader) if has_picture else None
    palette = read_palette(reader, out_features) if has_palette else None
    widths = list[int]()
    for _ in range(reader.read_golomb(_RUNS_ORDER)):
        width = reader.read_golomb(_WIDTH_ORDER) + 1
        length = reader.read_golomb(_LENGTH_ORDER) + 1
        if length > _MOST_LAYERS - len(widths):
            got = length + len(widths)
            raise damaged(f"expected at most {_MOST_LAYERS} layers, got {got}", reader.position)
        widths += [width] * length
    recipe = Recipe(
        in_features, tuple(widths), out_features, activation, final, encoding, picture, palette
    )
    try:
        check_widths(recipe.widths)
    except ShapeError as error:
        raise damaged(
            f"expected layers that can be built, got widths of which it is said: {error}",
            reader.position,
        ) from None
    most = most_numbers(num_bytes)
    if recipe.num_numbers > most:
        raise damaged(
            f"expected at most {most:,} weights in a file of {num_bytes:,} bytes, "
            f"got {recipe.num_numbers:,}",
            reader.position,
        )
    return recipe


def _read_final(reader: StreamReader, number: int, in_features: int) -> tuple[str, Encoding]:
    """The final activation of a number, and the encoding, which is read."""
    if number < _WITH_ENCODING:
        return FINAL_ACTIVATIONS[number], Encoding()
    num_octaves = reader.read_golomb(_OCTAVES_ORDER) + 1
    if num_octaves > MAX_OCTAVES + 1 or in_features not in ENCODED_DIMENSIONS:
        raise damaged(
            f"expected 1 to {MAX_OCTAVES} octaves, or grids, of 2 or 3 inputs, got {num_octaves} "
            f"of {in_features}",
            reader.position,
        )
    encoding = Encoding(num_octaves) if num_octaves <= MAX_OCTAVES else _read_grids(reader)
    return FINAL_ACTIVATIONS[number - _WITH_ENCODING], encoding


def _read_grids(reader: StreamReader) -> Encoding:
    levels = reader.read_golomb(_LEVELS_ORDER) + 1
    features = reader.read_golomb(_LEVELS_ORDER) + 1
    if levels > MAX_LEVELS or features > MAX_LEVEL_FEATURES:
        raise damaged(
            f"expected at most {MAX_LEVELS} levels of {MAX_LEVEL_FEATURES} features, got {levels} "
            f"of {features}",
            reader.position,
        )
    return Encoding(num_levels=levels, num_level_features=features)


def _named(reader: StreamReader, names: tuple[str, ...], what: str) -> str:
    return names[_number(reader, len(names), what)]


def _number(reader: StreamReader, count: int, what: str) -> int:
    number = reader.read_golomb(_NAME_ORDER)
    if number >= count:
        raise damaged(f"expected {what} 0 to {count - 1}, got {number}", reader.position)
    return number


def _is_untouched(network: PolytopeNet) -> bool:
    """Whether a network has the layers with which it was built, and saves nothing else."""
    sizes = (network.num_encoded, *network.widths, network.out_features)
    layers = [shape for ins, outs in pairwise(sizes) for shape in ((outs, ins), (outs,))]
    shapes = [*network.encoding.table_shapes(network.in_features), *layers]
    own = [tuple(item.shape) for item in network.parameters()]
    return own == shapes and next(network.buffers(), None) is None
