"""The picture that a network holds, at any size."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from bitfold.errors import RenderError
from bitfold.model_file import read_model
from bitfold.networks import Picture, PolytopeNet
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.recording import NetworkView
from bitfold.render import VideoWriter
from bitfold.targets import Grid

# Pixels in one forward pass.
_CHUNK = 2**16
# Along each side of a pixel on an edge between two classes, as many points are drawn.
_EDGE_POINTS: Final = 4
# Of a clip whose file does not say them.
_USUAL_FRAMES, _USUAL_RATE = 50, 25.0


@torch.no_grad()
def draw_picture(view: NetworkView, width: int, height: int, time: float) -> NDArray[np.uint8]:
    """Evaluate a network at each pixel of a picture.

    Args:
        view: of a network with 2 inputs, or with 3 for a clip, on the CPU.
        width: in pixels.
        height: in pixels.
        time: the time within a clip, -0.5 to 0.5; ignored for 2 inputs.

    Returns:
        uint8 (height, width, 3).

    Example:
        >>> draw_picture(NetworkView(PolytopeNet(2, [4], 1), None), 8, 6, 0.0).shape
        (6, 8, 3)
    """
    grid, network = Grid(width, height), view.network
    picture = np.empty((height * width, 3), np.uint8)
    for start in range(0, len(picture), _CHUNK):
        pixels = np.arange(start, min(start + _CHUNK, len(picture)))
        points = torch.from_numpy(grid.coordinates(pixels))
        if view.in_features == 3:
            points = torch.cat([points, torch.full((len(points), 1), time, device="cpu")], 1)
        shown = view.colours(network(points).double().numpy())
        picture[pixels] = np.rint(255 * np.nan_to_num(shown)).astype(np.uint8)
    return picture.reshape(height, width, 3)


@torch.no_grad()
def draw_palette(network: PolytopeNet, width: int, height: int, time: float) -> NDArray[np.uint8]:
    """Draw the classes of a network in its palette, with smooth edges.

    A pixel between pixels of the same class gets its colour. Any other pixel is the mean of 16
    points within it.

    Args:
        network: with a palette in its ``picture``, and 2 inputs, or 3 for a clip.
        width: in pixels.
        height: in pixels.
        time: as for `draw_picture`.

    Returns:
        uint8 (height, width, 3).
    """
    assert network.picture is not None
    assert network.picture.palette is not None
    palette = np.array(network.picture.palette, np.float64)
    indices = np.arange(width * height)
    classes = np.empty(len(indices), np.int64)
    for part in np.array_split(indices, 1 + len(indices) // _CHUNK):
        classes[part] = _classes_at(network, _moved(part, width, height, (0.0, 0.0)), time)
    raster = classes.reshape(height, width)
    edges = np.flatnonzero(maximum_filter(raster, 3) != minimum_filter(raster, 3))
    picture = palette[classes]
    within = (np.arange(_EDGE_POINTS) + 0.5) / _EDGE_POINTS - 0.5
    for part in np.array_split(edges, 1 + len(edges) // _CHUNK):
        total = np.zeros((len(part), 3))
        for shift in product(within, within):
            total += palette[_classes_at(network, _moved(part, width, height, shift), time)]
        picture[part] = total / _EDGE_POINTS**2
    return np.rint(picture).astype(np.uint8).reshape(height, width, 3)


def _moved(
    pixels: NDArray[np.int64], width: int, height: int, shift: tuple[float, float]
) -> NDArray[np.float32]:
    """The centres of pixels, moved by shares of a pixel along x and y."""
    moved = Grid(width, height).coordinates(pixels)
    moved[:, 0] += shift[0] / width
    moved[:, 1] += shift[1] / height
    return moved


def _classes_at(
    network: PolytopeNet, points: NDArray[np.float32], time: float
) -> NDArray[np.int64]:
    given = torch.from_numpy(points)
    if network.in_features == 3:
        given = torch.cat([given, torch.full((len(given), 1), time, device="cpu")], 1)
    found: NDArray[np.int64] = network(given).argmax(1).numpy()
    return found


def check_picture_name(path: Path, network: PolytopeNet) -> None:
    """Refuse the name of a file that does not fit what a network shows.

    Raises:
        RenderError: it ends neither in ``.png`` nor, for a clip, in ``.mp4``.
    """
    endings = (".png",) if network.in_features == 2 else (".png", ".mp4")
    if path.suffix.lower() not in endings:
        what = "a picture" if network.in_features == 2 else "a clip"
        raise RenderError(
            f"Cannot write {what} into {path}: expected a name ending in {' or '.join(endings)}, "
            f"got {path.suffix or 'no ending'}. Rename it."
        )


def write_clip(
    network: PolytopeNet, path: Path, size: tuple[int, int], *, has_classes: bool = False
) -> int:
    """Write all frames of a clip's network as an mp4, evenly spaced.

    Args:
        network: with 3 inputs. Its `picture` has the number of frames and the rate; by default
            50 frames at 25 a second.
        path: of the mp4; written whole or not at all.
        size: width and height in pixels.
        has_classes: whether one or three outputs are classes too.

    Returns:
        The number of frames.

    Raises:
        RenderError: the file cannot be written.
    """
    picture = network.picture or Picture()
    count = picture.num_frames or _USUAL_FRAMES
    rate = min(max(picture.frames_per_second or _USUAL_RATE, 0.001), 240)
    width, height = size
    grid = Grid(width, height, count, is_clip=True)
    with VideoWriter(path, width=width, height=height, frames_per_second=rate) as writer:
        for frame in range(count):
            time = grid.frame_time(frame)
            writer.append(draw_network(network, width, height, time, has_classes=has_classes))
    return count


def read_picture_network(path: Path) -> PolytopeNet:
    """Read the network of a picture or clip from a model file.

    Raises:
        ModelFileError: the file cannot be read, or is damaged.
        RenderError: the file holds another kind of network.
    """
    network = read_model(path)
    is_ours = isinstance(network, PolytopeNet)
    if isinstance(network, PolytopeNet) and network.in_features in {2, 3}:
        return network
    got = f"{network.in_features} inputs" if is_ours else f"a {type(network).__name__}"
    raise RenderError(
        f"Cannot draw {path}: expected a network of a picture or clip, with 2 or 3 inputs, got "
        f"{got}. Read it with bitfold.read_model."
    )


def draw_network(
    network: PolytopeNet, width: int, height: int, time: float = 0.0, *, has_classes: bool = False
) -> NDArray[np.uint8]:
    """Draw the picture of a network without its run.

    A network with a palette shows its most likely classes in their own colours. Otherwise one
    output gives grey, three outputs give red, green and blue, and any other number gives the most
    likely class, each in a colour of its own.

    Args:
        network: with 2 inputs, or with 3 for a clip.
        width: in pixels.
        height: in pixels.
        time: the time within a clip, -0.5 to 0.5.
        has_classes: whether one or three outputs are classes too.

    Returns:
        uint8 (height, width, 3).
    """
    if network.picture is not None and network.picture.palette is not None:
        return draw_palette(network, width, height, time)
    is_classes = has_classes or network.out_features not in {1, 3}
    colours = layer_colours(network.out_features, "paper") if is_classes else None
    return draw_picture(NetworkView(network, colours), width, height, time)
