"""What a network that learned a picture shows: its aspect, its frames, its classes."""

from dataclasses import dataclass

# Denominators up to here are tried; a picture has at most 2**26 pixels.
_MOST_PARTS = 2**13
_SEEN_PX = 1024


@dataclass(frozen=True)
class Picture:
    """The picture or clip that a network's inputs and outputs stand for.

    Args:
        width: in pixels, or in any unit that the height has too.
        height: like the width.
        num_frames: frames of a clip; 0 for a picture.
        frames_per_second: of a clip, where known.
        class_colours: red, green and blue, 0 to 255, in which frames show each class; None where
            the outputs are grey or RGB.
        palette: the picture's own colours of the classes, which a model file keeps: the network is
            then drawn in them wherever it is read. None: a file does not say that there are
            classes.
    """

    width: int = 1
    height: int = 1
    num_frames: int = 0
    frames_per_second: float | None = None
    class_colours: tuple[tuple[int, int, int], ...] | None = None
    palette: tuple[tuple[int, int, int], ...] | None = None

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    def size_px(self, longer_side: int) -> tuple[int, int]:
        """Return width and height in pixels, of which the longer one is given.

        >>> Picture(3, 2).size_px(1024)
        (1024, 683)
        """
        longer = max(self.width, self.height)
        # Rounded half up in whole numbers, the same on every machine.
        sides = [
            max(1, (2 * side * longer_side + longer) // (2 * longer))
            for side in (self.width, self.height)
        ]
        return sides[0], sides[1]

    def simplest_sides(self) -> tuple[int, int]:
        """Return the smallest width and height of nearly this aspect.

        They give the same `size_px` at the own size, and one within a pixel up to 1,024 pixels.

        >>> Picture(1024, 683).simplest_sides()
        (3, 2)
        """
        shorter, longer = sorted((self.width, self.height))
        most_px = max(longer, _SEEN_PX)
        for parts in range(1, _MOST_PARTS + 1):
            near = max(1, (2 * shorter * parts + longer) // (2 * longer))
            # The ratio is off by less than half a pixel of the longest side.
            if 2 * most_px * abs(near * longer - shorter * parts) < parts * longer:
                break
        return (parts, near) if self.width >= self.height else (near, parts)
