"""The colours of layers, on paper and on pictures."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ground = Literal["paper", "picture"]
"""What lines are drawn on: white paper, or the colours of a picture."""

# Turbo begins and ends almost black; only this part of it is used.
_FIRST_SHARE, _LAST_SHARE = 0.1, 0.95
# Brighter lines are hard to see on white paper; linear light, at most 1.
_LARGEST_LUMINANCE = 0.35
# Shares of red, green and blue in luminance: ITU-R BT.709, section 3.
_LUMINANCE_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
_GAMMA = 2.2


def layer_colours(count: int, ground: Ground) -> NDArray[np.float64]:
    """Give each layer a colour, from blue for the first to red for the last.

    A layer has the same hue on both grounds. On paper, colours that are too bright are darkened.

    Source: Mikhailov 2019, "Turbo, an improved rainbow colormap for visualization".

    Args:
        count: the number of layers, at least 0.
        ground: what the colours are drawn on.

    Returns:
        float64 (count, 3): red, green and blue, 0 to 1.

    >>> layer_colours(3, "picture").round(2).tolist()
    [[0.27, 0.35, 0.8], [0.71, 0.97, 0.21], [0.63, 0.07, 0.0]]
    >>> layer_colours(3, "paper").round(2).tolist()
    [[0.27, 0.35, 0.8], [0.49, 0.68, 0.15], [0.63, 0.07, 0.0]]
    """
    # matplotlib takes a third of a second to import, so it is imported only when needed.
    from matplotlib import colormaps  # noqa: PLC0415

    shares = np.linspace(_FIRST_SHARE, _LAST_SHARE, max(2, count))
    colours = np.asarray(colormaps["turbo"](shares)[:count, :3])
    if ground == "picture":
        return colours
    light = colours**_GAMMA
    dimming = np.minimum(1, _LARGEST_LUMINANCE / (light @ _LUMINANCE_WEIGHTS))
    return np.asarray((light * dimming[:, None]) ** (1 / _GAMMA))
