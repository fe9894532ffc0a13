"""The names of encodings: what a network's inputs become before its first layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bitfold.errors import ConfigError, ShapeError

#: More octaves than this are finer than float32's coordinates.
MAX_OCTAVES: Final = 20
MAX_LEVELS, MAX_LEVEL_FEATURES = 8, 16
#: Each vertex folds as a neuron of its own. A fifth level has 4,225 of them on 8,192 triangles.
MAX_EXACT_VERTICES: Final = 2048
#: Cells along a side of a grid's first level; each further level has twice as many.
FIRST_CELLS: Final = 4
_TRIANGLE = re.compile(r"triangle:([0-9]{1,9})")
_GRID = re.compile(r"grid:([0-9]{1,9})x([0-9]{1,9})")
#: Coordinates of a picture, and of a clip.
ENCODED_DIMENSIONS: Final = (2, 3)


@dataclass(frozen=True)
class Encoding:
    """What a network's inputs become before its first layer.

    Args:
        num_octaves: octaves of triangle waves, 0 to 20; 0: none. See `TriangleWaves`.
        num_levels: levels of grids, 0 to 8; 0: none. See `GridFeatures`.
        num_level_features: features of each level, 1 to 16; 0 without grids.

    >>> Encoding.parse("triangle:7").num_features(2), Encoding.parse("grid:6x2").num_features(2)
    (30, 14)
    >>> str(Encoding.parse("none"))
    'none'
    """

    num_octaves: int = 0
    num_levels: int = 0
    num_level_features: int = 0

    @classmethod
    def parse(cls, text: str) -> Encoding:
        """Read ``none``, ``triangle:OCTAVES`` or ``grid:LEVELSxFEATURES``.

        Raises:
            ConfigError: the text is none of them, or a number is out of bounds.
        """
        if text == "none":
            return cls()
        if isinstance(text, str):
            if (found := _TRIANGLE.fullmatch(text)) is not None:
                return cls(_bounded(text, "octaves", found[1], MAX_OCTAVES))
            if (found := _GRID.fullmatch(text)) is not None:
                levels = _bounded(text, "levels", found[1], MAX_LEVELS)
                return cls(0, levels, _bounded(text, "features", found[2], MAX_LEVEL_FEATURES))
        raise ConfigError(
            f"Cannot use encoding {text!r}: expected none, triangle:OCTAVES or "
            "grid:LEVELSxFEATURES. Give for example triangle:7 or grid:5x2."
        )

    def __str__(self) -> str:
        if self.num_levels:
            return f"grid:{self.num_levels}x{self.num_level_features}"
        return f"triangle:{self.num_octaves}" if self.num_octaves else "none"

    @property
    def is_none(self) -> bool:
        """Whether the first layer gets the coordinates alone."""
        return not (self.num_octaves or self.num_levels)

    def num_features(self, in_features: int) -> int:
        """Return the inputs of the first layer: each coordinate, its waves, and grids' features.

        Raises:
            ShapeError: there is an encoding, and a point has neither 2 nor 3 coordinates.
        """
        if not self.is_none and in_features not in ENCODED_DIMENSIONS:
            raise ShapeError(
                f"Cannot encode inputs with {self}: expected 2 coordinates of a picture or 3 of a "
                f"clip, got {in_features}. Use the encoding none."
            )
        return in_features * (1 + 2 * self.num_octaves) + self.num_levels * self.num_level_features

    def in_features(self, num_features: int) -> int:
        """Return the coordinates of a point, given the inputs of the first layer.

        >>> Encoding.parse("grid:6x2").in_features(14)
        2
        """
        return (num_features - self.num_levels * self.num_level_features) // (
            1 + 2 * self.num_octaves
        )

    def has_exact_folds(self, in_features: int) -> bool:
        """Whether exact polytopes are found: the finest grid may have 2,048 vertices.

        >>> [Encoding(0, levels, 1).has_exact_folds(2) for levels in (4, 5)]
        [True, False]
        """
        side = self.cells[-1] + 1 if self.num_levels else 0
        return bool(side**in_features <= MAX_EXACT_VERTICES)

    @property
    def cells(self) -> tuple[int, ...]:
        """The cells along a side of each level's grid.

        >>> Encoding.parse("grid:3x1").cells
        (4, 8, 16)
        """
        return tuple(FIRST_CELLS * 2**level for level in range(self.num_levels))

    def table_shapes(self, in_features: int) -> list[tuple[int, int]]:
        """Return the shapes of the grids' tables of features; empty without grids.

        >>> Encoding.parse("grid:2x3").table_shapes(2)
        [(15, 5), (27, 9)]
        """
        features, dimensions = self.num_level_features, in_features - 1
        return [(features * (cells + 1) ** dimensions, cells + 1) for cells in self.cells]

    def num_weights(self, in_features: int) -> int:
        """Return the number of features in all tables.

        >>> Encoding.parse("grid:2x3").num_weights(2)
        318
        """
        return sum(rows * columns for rows, columns in self.table_shapes(in_features))

    @property
    def num_cells(self) -> int:
        """The cells into which the encoding alone cuts a picture, or a frame of a clip.

        The waves of n octaves bend at the multiples of 2^-(n + 1); grids have two triangles a cell.

        >>> [Encoding(num_octaves).num_cells for num_octaves in (0, 1, 5, 7)]
        [1, 16, 4096, 65536]
        >>> Encoding.parse("grid:3x2").num_cells
        512
        """
        if self.num_levels:
            return 2 * self.cells[-1] ** 2
        return 4 ** (self.num_octaves + 1) if self.num_octaves else 1


def _bounded(text: str, what: str, digits: str, most: int) -> int:
    number = int(digits)
    if not 1 <= number <= most:
        raise ConfigError(
            f"Cannot use encoding {text!r}: expected 1 to {most} {what}, got {number}. Give a "
            "number between."
        )
    return number


def most_visible_octaves(longest_side: int) -> int:
    """Return the octaves that pixels can show: the last has two pixels or more in a period.

    Args:
        longest_side: of the picture or clip, in pixels or frames.

    >>> [most_visible_octaves(side) for side in (1, 2, 255, 256)]
    [0, 1, 7, 8]
    """
    return longest_side.bit_length() - 1
