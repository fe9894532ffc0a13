"""Lines that are laid over a picture, each pixel by the share of it that they cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bitfold.render.colours import LIGHT_LUMA

# A panel whose shorter side reaches this is shown scaled down, where thinner folds would fade.
TWO_PIXEL_FOLDS_FROM_PX = 1024
THREE_PIXEL_FOLDS_FROM_PX = 2048


@dataclass(frozen=True, eq=False)
class Ink:
    """Lines on a panel.

    Args:
        cover: uint8 (H, W), the share of each pixel that lines cover, in 255ths.
        numbers: uint8 (H, W), the line that covers most of a pixel, as a row of the palette.
        palette: uint8 (k, 3), colours; None: a colour that suits the panel, for all lines.
    """

    cover: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.uint8] | None = None
    palette: npt.NDArray[np.uint8] | None = None

    @classmethod
    def of_folds(cls, folds: npt.NDArray[np.bool_]) -> Ink:
        """Pixels that lie on folds, as thick as a panel of this size needs.

        >>> Ink.of_folds(np.eye(2, dtype=np.bool_)).cover.tolist()
        [[255, 0], [0, 255]]
        """
        return cls(thickened(folds).astype(np.uint8) * np.uint8(255))

    def draw(
        self, panel: npt.NDArray[np.uint8], colour: tuple[int, int, int] | None = None
    ) -> None:
        """Lay the lines over a panel.

        Args:
            panel: uint8 (H, W, 3), changed in place.
            colour: where there is no palette; None: black on light and white on dark ground.

        >>> panel = np.zeros((1, 2, 3), np.uint8)
        >>> Ink(np.array([[255, 51]], np.uint8)).draw(panel, (200, 100, 0))
        >>> panel.tolist()
        [[[200, 100, 0], [40, 20, 0]]]
        """
        # Numba takes 0.4 s to import: only those who draw wait for it.
        from bitfold.render.frame.line_kernels import mix  # noqa: PLC0415

        palette, numbers = self.palette, self.numbers
        if palette is None or numbers is None:
            palette = np.array([] if colour is None else [colour], np.uint8).reshape(-1, 3)
            numbers = np.zeros_like(self.cover)
        mix(panel, self.cover, numbers, palette, LIGHT_LUMA)


def thickened(folds: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Make folds as thick as a panel of this size needs.

    Args:
        folds: bool (H, W).

    Returns:
        bool (H, W): itself below 1024 pixels of the shorter side; two pixels thick from there, and
        three from 2048.

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
