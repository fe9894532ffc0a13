"""The picture that a network holds, at any size."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bitfold.recording import NetworkView
from bitfold.targets import Grid

# Pixels whose colours are worked out at a time.
_CHUNK = 2**16


@torch.no_grad()
def draw_picture(view: NetworkView, width: int, height: int, time: float) -> NDArray[np.uint8]:
    """Ask a network for each pixel of a picture.

    Args:
        view: of a network of 2 inputs, or 3 for a clip, on the CPU.
        width: in pixels.
        height: in pixels.
        time: of a clip, -0.5 to 0.5.

    Returns:
        uint8 (height, width, 3).
    """
    grid, network = Grid(width, height), view.network
    picture = np.empty((height * width, 3), np.uint8)
    first = next(item for item in network.parameters() if item.ndim == 2)
    for start in range(0, len(picture), _CHUNK):
        pixels = np.arange(start, min(start + _CHUNK, len(picture)))
        points = torch.from_numpy(grid.coordinates(pixels))
        if first.shape[1] == 3:
            points = torch.cat([points, torch.full((len(points), 1), time)], 1)
        shown = view.colours(network(points).double().numpy())
        picture[pixels] = np.rint(255 * np.nan_to_num(shown)).astype(np.uint8)
    return picture.reshape(height, width, 3)
