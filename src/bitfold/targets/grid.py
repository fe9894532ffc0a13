"""The one place that maps between pixels and coordinates."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import ConfigError, TargetError


@dataclass(frozen=True)
class Window:
    """A rectangle of the plane; the default is exactly the picture.

    Args:
        x0: left edge, in coordinates; a picture spans [-0.5, 0.5].
        y0: upper edge; y grows downwards.
        x1: right edge, above ``x0``.
        y1: lower edge, above ``y0``.

    Raises:
        ConfigError: an edge is not finite, or the rectangle is empty.

    >>> Window(-1.0, -1.0, 1.0, 1.0).x1
    1.0
    """

    x0: float = -0.5
    y0: float = -0.5
    x1: float = 0.5
    y1: float = 0.5

    def __post_init__(self) -> None:
        edges = (self.x0, self.y0, self.x1, self.y1)
        if not (all(map(math.isfinite, edges)) and self.x0 < self.x1 and self.y0 < self.y1):
            raise ConfigError(
                f"Cannot use this window: expected finite x0 < x1 and y0 < y1, got {edges}. "
                "Give its left, upper, right and lower edge."
            )


@dataclass(frozen=True)
class Grid:
    """The pixels of a picture or clip as points: centres of cells that fill [-0.5, 0.5].

    x = (column + 0.5) / width - 0.5; y and t likewise over rows, downwards, and over frames.
    Pixels are numbered (frame * height + row) * width + column.

    Args:
        width: columns, at least 1.
        height: rows, at least 1.
        num_frames: frames, at least 1; exactly 1 unless it is a clip.
        is_clip: whether points have a third coordinate, t.
        frame_edges: num_frames + 1 times, ascending from -0.5 to 0.5, between which each frame is
            shown; None if each is shown equally long.

    Raises:
        TargetError: a side is below 1, a picture has several frames, or the times do not ascend.

    >>> grid = Grid(width=4, height=2)
    >>> grid.coordinates(np.array([0, 7])).tolist()
    [[-0.375, -0.25], [0.375, 0.25]]
    >>> grid.indices(np.array([[-0.3, -0.2], [9.0, 9.0]])).tolist()
    [0, 7]
    """

    width: int
    height: int
    num_frames: int = 1
    is_clip: bool = False
    frame_edges: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.num_frames) < 1:
            raise TargetError(
                "Cannot lay a grid: expected at least 1 column, row and frame, got "
                f"{self.width} x {self.height} x {self.num_frames}. Use a picture with pixels."
            )
        if self.num_frames > 1 and not self.is_clip:
            raise TargetError(
                f"Cannot lay a grid: expected 1 frame for a picture, got {self.num_frames}. "
                "Set is_clip for a clip."
            )
        if self.frame_edges is not None:
            _check_edges(self.frame_edges, self.num_frames)

    @property
    def num_dimensions(self) -> int:
        """Coordinates of a point: 3 for a clip, else 2."""
        return 3 if self.is_clip else 2

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames together."""
        return self.width * self.height * self.num_frames

    def coordinates(self, indices: NDArray[np.integer]) -> NDArray[np.float32]:
        """Map pixels to the coordinates of their centres.

        Args:
            indices: (N,) pixel numbers in [0, num_pixels).

        Returns:
            (N, num_dimensions) x, y and, for a clip, t, each inside (-0.5, 0.5).

        Raises:
            TargetError: an index lies outside the grid.

        >>> Grid(2, 1, num_frames=2, is_clip=True).coordinates(np.array([3])).tolist()
        [[0.25, 0.0, 0.25]]
        """
        if indices.size and not (indices.min() >= 0 and indices.max() < self.num_pixels):
            raise TargetError(
                f"Cannot place pixels: expected indices in [0, {self.num_pixels}), got "
                f"{indices.min()} to {indices.max()}. Take them from this target."
            )
        rows, columns = np.divmod(indices, self.width)
        frames, rows = np.divmod(rows, self.height)
        axes = [_centre(columns, self.width), _centre(rows, self.height)]
        if self.is_clip:
            axes.append(self._frame_times[frames])
        return np.stack(axes, axis=1).astype(np.float32)

    def frame_time(self, frame: int) -> float:
        """Return the time t in (-0.5, 0.5) in the middle of a frame.

        >>> Grid(1, 1, 4, is_clip=True).frame_time(0)
        -0.375
        >>> Grid(1, 1, 2, is_clip=True, frame_edges=(-0.5, 0.25, 0.5)).frame_time(1)
        0.375
        """
        return float(self._frame_times[frame])

    def frame_at(self, time: float) -> int:
        """Return the frame shown at a finite time; times outside go to the first or last.

        >>> Grid(1, 1, 4, is_clip=True).frame_at(-0.375), Grid(1, 1, 4, is_clip=True).frame_at(7.0)
        (0, 3)
        >>> Grid(1, 1, 2, is_clip=True, frame_edges=(-0.5, 0.25, 0.5)).frame_at(0.2)
        0
        """
        return int(self._frames_at(np.array([time]))[0])

    @cached_property
    def _frame_times(self) -> NDArray[np.float64]:
        if self.frame_edges is None:
            return _centre(np.arange(self.num_frames), self.num_frames)
        edges = np.array(self.frame_edges)
        return np.asarray((edges[:-1] + edges[1:]) / 2)

    def _frames_at(self, times: NDArray[np.floating]) -> NDArray[np.int64]:
        if self.frame_edges is None:
            return _cell(times, self.num_frames)
        inner = np.array(self.frame_edges[1:-1])
        return np.searchsorted(inner, times, side="right").astype(np.int64)

    def indices(self, coordinates: NDArray[np.floating]) -> NDArray[np.int64]:
        """Map points to the pixels that hold them; points outside go to the nearest border pixel.

        Args:
            coordinates: (N, num_dimensions) points; infinities are outside.

        Returns:
            (N,) pixel numbers.

        Raises:
            TargetError: the shape is another one, or a coordinate is NaN.

        >>> Grid(3, 1).indices(np.array([[0.0, 0.0]])).tolist()
        [1]
        """
        if coordinates.ndim != 2 or coordinates.shape[1] != self.num_dimensions:
            raise TargetError(
                f"Cannot find pixels: expected points (N, {self.num_dimensions}), got shape "
                f"{coordinates.shape}. Give one row a point."
            )
        if np.isnan(coordinates).any():
            raise TargetError(
                "Cannot find pixels: expected numbers, got NaN. Leave such points out."
            )
        columns = _cell(coordinates[:, 0], self.width)
        rows = _cell(coordinates[:, 1], self.height)
        if not self.is_clip:
            return rows * self.width + columns
        frames = self._frames_at(coordinates[:, 2])
        return (frames * self.height + rows) * self.width + columns


def window_axes(
    window: Window, width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lay a raster over a window and give the coordinates of its pixel centres.

    Args:
        window: the rectangle that the raster fills.
        width: columns of the raster, at least 1.
        height: rows of the raster, at least 1.

    Returns:
        x (width,) rightwards and y (height,) downwards.

    Raises:
        ConfigError: a side is below 1.

    >>> xs, ys = window_axes(Window(), 2, 1)
    >>> xs.tolist(), ys.tolist()
    ([-0.25, 0.25], [0.0])
    """
    if min(width, height) < 1:
        raise ConfigError(
            f"Cannot lay a raster: expected sides of at least 1, got {width} x {height}. "
            "Ask for a larger picture."
        )
    xs = window.x0 + (np.arange(width) + 0.5) / width * (window.x1 - window.x0)
    ys = window.y0 + (np.arange(height) + 0.5) / height * (window.y1 - window.y0)
    return xs, ys


def window_positions(window: Window, coordinates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map points to fractions of a window, x rightwards and y downwards.

    Args:
        window: the rectangle that [0, 1] x [0, 1] stands for.
        coordinates: (N, 2 or more) points, of which x and y are used.

    Returns:
        (N, 2) fractions; outside [0, 1] for points outside the window.

    >>> window_positions(Window(), np.array([[-0.5, 0.0], [1.0, 0.5]])).tolist()
    [[0.0, 0.5], [1.5, 1.0]]
    """
    origin = np.array([window.x0, window.y0])
    extent = np.array([window.x1, window.y1]) - origin
    return np.asarray((coordinates[:, :2].astype(np.float64) - origin) / extent, np.float64)


def _check_edges(edges: tuple[float, ...], num_frames: int) -> None:
    ascends = all(early < late for early, late in pairwise(edges))  # false beside a NaN
    if len(edges) != num_frames + 1 or not ascends or (edges[0], edges[-1]) != (-0.5, 0.5):
        raise TargetError(
            f"Cannot lay a grid: expected {num_frames + 1} times that ascend from -0.5 to 0.5, got "
            f"{len(edges)} others. Leave `frame_edges` out for frames that are evenly spaced."
        )


def _centre(cells: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    return (cells + 0.5) / count - 0.5


def _cell(positions: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    scaled = np.floor((positions.astype(np.float64) + 0.5) * count)
    return np.clip(scaled, 0, count - 1).astype(np.int64)
