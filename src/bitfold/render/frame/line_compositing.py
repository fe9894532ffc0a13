"""Lines drawn over a picture; each pixel is mixed by the share that lines cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import LIGHT_LUMA

# Panels with such long sides are usually shown scaled down, where thinner folds would fade.
TWO_PIXEL_FOLDS_FROM_PX = 1024
THREE_PIXEL_FOLDS_FROM_PX = 2048
# Lines that cover more of a panel than this hide the picture under them.
_MOST_COVERED = 0.25


@dataclass(frozen=True, eq=False)
class LineOverlay:
    """Lines to draw over a panel.

    Args:
        cover: uint8 (H, W), the share of each pixel that lines cover, in 1/255.
        numbers: uint8 (H, W), row of the palette for the line that covers most of the pixel.
        palette: uint8 (k, 3), colours of lines; None: one colour, chosen when drawing.
    """

    cover: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.uint8] | None = None
    palette: npt.NDArray[np.uint8] | None = None

    @classmethod
    def of_folds(cls, folds: npt.NDArray[np.bool_]) -> LineOverlay:
        """Make lines from a mask of folds, with the thickness that the panel's size needs.

        >>> LineOverlay.of_folds(np.eye(2, dtype=np.bool_)).cover.tolist()
        [[255, 0], [0, 255]]
        """
        return cls(thickened(folds).astype(np.uint8) * np.uint8(255))

    def lightened(self) -> LineOverlay:
        """Return lines so light that, in all, they cover at most a quarter of the panel.

        A network with fine grids folds nearly every pixel, and the picture must stay visible.

        >>> LineOverlay.of_folds(np.ones((2, 2), np.bool_)).lightened().cover.tolist()
        [[63, 63], [63, 63]]
        """
        covered = float(self.cover.mean()) / 255
        if covered <= _MOST_COVERED:
            return self
        lighter = (self.cover * (_MOST_COVERED / covered)).astype(np.uint8)
        return LineOverlay(lighter, self.numbers, self.palette)

    def draw(
        self, panel: npt.NDArray[np.uint8], colour: tuple[int, int, int] | None = None
    ) -> None:
        """Draw the lines over a panel.

        Args:
            panel: uint8 (H, W, 3), changed in place.
            colour: colour of lines without a palette; None: black on light, white on dark pixels.

        >>> panel = np.zeros((1, 2, 3), np.uint8)
        >>> LineOverlay(np.array([[255, 51]], np.uint8)).draw(panel, (200, 100, 0))
        >>> panel.tolist()
        [[[200, 100, 0], [40, 20, 0]]]
        """
        # Numba takes 0.4 s to import, so it is imported only for drawing.
        from bitfold.render.frame.line_kernels import mix  # noqa: PLC0415

        palette, numbers = self.palette, self.numbers
        if palette is None or numbers is None:
            palette = np.array([] if colour is None else [colour], np.uint8).reshape(-1, 3)
            numbers = np.zeros_like(self.cover)
        mix(panel, self.cover, numbers, palette, LIGHT_LUMA)


def thickened(folds: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Thicken folds according to the size of the panel.

    Args:
        folds: bool (H, W).

    Returns:
        bool (H, W). Folds become 2 pixels thick if the shorter side has 1024 pixels or more, and 3
        pixels from 2048 on; smaller masks are returned as they are.

    >>> thickened(np.eye(2, dtype=np.bool_)).tolist()
    [[True, False], [False, True]]
    """
    shorter = min(folds.shape)
    if shorter < TWO_PIXEL_FOLDS_FROM_PX:
        return folds
    thick = folds.copy()
    thick[1:] |= folds[:-1]
    thick[:, 1:] |= folds[:, :-1]
    if shorter >= THREE_PIXEL_FOLDS_FROM_PX:
        thick[:-1] |= folds[1:]
        thick[:, :-1] |= folds[:, 1:]
    return thick
