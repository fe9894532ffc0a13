"""The names of encodings: what a network's inputs become before its first layer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bitfold.errors import ConfigError, ShapeError

#: More octaves than this are finer than float32's coordinates.
MAX_OCTAVES: Final = 20
_SPELLING: Final = re.compile(r"triangle:([0-9]{1,9})")
#: Coordinates of a picture, and of a clip.
ENCODED_DIMENSIONS: Final = (2, 3)


@dataclass(frozen=True)
class Encoding:
    """What a network's inputs become before its first layer.

    Args:
        num_octaves: octaves of triangle waves, 0 to 20; 0: the coordinates alone. See
            `TriangleWaves`.

    >>> Encoding.parse("triangle:7").num_features(2)
    30
    >>> str(Encoding.parse("none"))
    'none'
    """

    num_octaves: int = 0

    @classmethod
    def parse(cls, text: str) -> Encoding:
        """Read ``none`` or ``triangle:OCTAVES``.

        Raises:
            ConfigError: the text is neither, or the octaves are not 1 to 20.
        """
        if text == "none":
            return cls()
        found = _SPELLING.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ConfigError(
                f"Cannot use encoding {text!r}: expected none or triangle:OCTAVES. Give for "
                "example triangle:7."
            )
        num_octaves = int(found[1])
        if not 1 <= num_octaves <= MAX_OCTAVES:
            raise ConfigError(
                f"Cannot use encoding {text!r}: expected 1 to {MAX_OCTAVES} octaves, got "
                f"{num_octaves}. Give a number between."
            )
        return cls(num_octaves)

    def __str__(self) -> str:
        return f"triangle:{self.num_octaves}" if self.num_octaves else "none"

    def num_features(self, in_features: int) -> int:
        """Return the inputs of the first layer: each coordinate, and two waves in each octave.

        Raises:
            ShapeError: there are waves, and a point has neither 2 nor 3 coordinates.
        """
        if self.num_octaves and in_features not in ENCODED_DIMENSIONS:
            raise ShapeError(
                f"Cannot encode inputs with {self}: expected 2 coordinates of a picture or 3 of a "
                f"clip, got {in_features}. Use the encoding none."
            )
        return in_features * self.num_features_each

    @property
    def num_features_each(self) -> int:
        """The features of one coordinate: itself, and two waves in each octave."""
        return 1 + 2 * self.num_octaves

    @property
    def num_cells(self) -> int:
        """The cells into which the waves alone cut a picture, or a frame of a clip.

        The waves of n octaves bend at the multiples of 2^-(n + 1).

        >>> [Encoding(num_octaves).num_cells for num_octaves in (0, 1, 5, 7)]
        [1, 16, 4096, 65536]
        """
        return 4 ** (self.num_octaves + 1) if self.num_octaves else 1


def most_visible_octaves(longest_side: int) -> int:
    """Return the octaves that pixels can show: the last has two pixels or more in a period.

    Args:
        longest_side: of the picture or clip, in pixels or frames.

    >>> [most_visible_octaves(side) for side in (1, 2, 255, 256)]
    [0, 1, 7, 8]
    """
    return longest_side.bit_length() - 1
