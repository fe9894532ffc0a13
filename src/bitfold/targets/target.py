"""Targets of training: the values or classes of the pixels of a picture or clip."""

import math
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import TargetError
from bitfold.runtime.strangers.library_noise import captured_noise
from bitfold.targets.classes import FlatColours, find_flat_colours
from bitfold.targets.drawn.builtin import builtin_names, draw_builtin, is_builtin, suggest_builtin
from bitfold.targets.frames import Frames, Pixels, to_eight_bits
from bitfold.targets.grid import Grid
from bitfold.targets.signature import identify_file

Task = Literal["regression", "classification"]

MAX_CLASSES = 64
AUTO_CLASSES = 16
AUTO_SHARE = 0.9
# Lossy codecs smear colour over several pixels on both sides of an edge.
AUTO_SHARE_LOSSY = 0.7

# Largest share of smooth edges in a picture that counts as black and white.
_MOST_BETWEEN = 0.05


@dataclass(frozen=True, eq=False)
class Target:
    """A picture or clip, and the task: regression or classification.

    Args:
        name: name of the built-in picture or of the file, without its suffix.
        pixels: (frames, height, width, 1 | 3) grey or RGB, uint8 or uint16.
        task: "regression" or "classification".
        is_clip: whether points have a time.
        frames_per_second: frame rate of a clip; None for a picture, or if unknown.
        class_colours: (K, 3) RGB for classification, 2 <= K <= 64; else None.
        classes: (num_pixels,) in [-1, K), -1 where left out, for classification; else None.
        frame_edges: of a clip whose frames are shown for different durations, the times between
            them as `Grid` has them; else None.

    Raises:
        TargetError: an array has another type or shape, or the parts contradict each other.

    >>> target = load_target("ring", size=16)
    >>> target.task, target.in_features, target.out_features, target.num_usable
    ('regression', 2, 1, 256)
    """

    name: str
    pixels: Pixels
    task: Task
    is_clip: bool = False
    frames_per_second: float | None = None
    class_colours: NDArray[np.uint8] | None = None
    classes: NDArray[np.int64] | None = None
    frame_edges: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        problem = _pixel_problem(self) or _task_problem(self)
        if problem:
            raise TargetError(f"Cannot use target {self.name!r}: {problem}. Make it again.")
        if self.frame_edges is not None:
            _ = self.grid  # refuses times that do not fit

    @cached_property
    def grid(self) -> Grid:
        """The map between pixels and coordinates."""
        frames, height, width, _ = self.pixels.shape
        return Grid(width, height, frames, self.is_clip, self.frame_edges)

    @property
    def in_features(self) -> int:
        """Inputs of a network that learns it: 2, or 3 for a clip."""
        return self.grid.num_dimensions

    @cached_property
    def is_two_valued(self) -> bool:
        """Whether the picture is grey and, except for edges, black and white."""
        if self.pixels.shape[-1] != 1:
            return False
        share = self.pixels / np.iinfo(self.pixels.dtype).max
        return bool(((share > 0.1) & (share < 0.9)).mean() <= _MOST_BETWEEN)

    @property
    def out_features(self) -> int:
        """Outputs of a network that learns it: 1 for grey, 3 for RGB, K for K classes."""
        if self.class_colours is not None:
            return len(self.class_colours)
        return int(self.pixels.shape[-1])

    @cached_property
    def num_left_out(self) -> int:
        """Pixels without a class; 0 for regression."""
        return 0 if self.classes is None else int(np.count_nonzero(self.classes < 0))

    @property
    def num_usable(self) -> int:
        """Pixels that may be sampled."""
        return self.grid.num_pixels - self.num_left_out

    @cached_property
    def usable(self) -> NDArray[np.int64]:
        """Pixels (num_usable,) that may be sampled, ascending: all, or those with a class."""
        if self.classes is None:
            return np.arange(self.grid.num_pixels, dtype=np.int64)
        return np.flatnonzero(self.classes >= 0).astype(np.int64, copy=False)

    def are_usable(self, indices: NDArray[np.integer]) -> bool:
        """Whether all of some pixel numbers (N,) are those of usable pixels."""
        is_inside = bool(((indices >= 0) & (indices < self.grid.num_pixels)).all())
        return is_inside and (self.classes is None or bool((self.classes[indices] >= 0).all()))

    def values(self, indices: NDArray[np.integer]) -> NDArray[np.float32] | NDArray[np.int64]:
        """Return the values that the network should have at some pixels.

        Args:
            indices: (N,) pixel numbers in [0, num_pixels).

        Returns:
            Regression: (N, out_features) float32 in [0, 1]. Classification: (N,) int64 classes,
            -1 at pixels that are not `usable`.

        Raises:
            IndexError: an index lies outside the picture.

        >>> load_target("disk", size=8).values(np.array([0, 35])).tolist()
        [[0.0], [1.0]]
        """
        if self.classes is not None:
            return np.asarray(self.classes[indices], np.int64)
        flat = self.pixels.reshape(-1, self.pixels.shape[-1])
        full = np.float32(np.iinfo(self.pixels.dtype).max)
        return np.asarray(flat[indices].astype(np.float32) / full, np.float32)

    def picture(self, frame: int = 0) -> NDArray[np.uint8]:
        """Return one frame as an RGB picture.

        Args:
            frame: in [0, frames).

        Returns:
            (height, width, 3) RGB, a copy.

        >>> load_target("disk", size=8).picture().shape
        (8, 8, 3)
        """
        shown = to_eight_bits(self.pixels[frame])
        return np.array(np.broadcast_to(shown, (*shown.shape[:2], 3)))


def load_target(source: str | PathLike[str], *, size: int = 1024, task: str = "auto") -> Target:
    """Load a built-in picture, or a picture or clip from a file, and choose its task.

    "auto" is regression for grey, and for colour classification if 2 to 16 flat colours hold at
    least 90 % of the pixels (70 % in lossy formats, which smear edges). To load a file
    that has the name of a built-in picture, give a path such as ./ring.

    Args:
        source: a built-in name, "text:LETTERS", or a path; a `pathlib.Path` is a path always.
        size: side in pixels of a built-in picture, 8 to 8192; ignored for files.
        task: "auto", "regression" or "classification".

    Returns:
        The target; a file with a single frame is a picture, whatever its format.

    Raises:
        TargetError: the source cannot be found or decoded, is too large, or does not suit the task.

    >>> load_target("rgb-ring", size=64).class_colours.tolist()
    [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    """
    if isinstance(source, str) and is_builtin(source):
        return make_target(source, Frames(draw_builtin(source, size)[None]), task=task)
    path = Path(source)
    _check_known(str(source), path)
    noise: list[str] = []
    try:
        with captured_noise() as noise:
            frames = _read_frames(path)
    except TargetError as error:
        if noise:
            raise TargetError(f"{error} Its decoder said: {noise[0][:200]}.") from error
        raise
    return make_target(path.stem, frames, task=task)


def _read_frames(path: Path) -> Frames:
    # The decoders are slow to import, so they are imported only to load a file.
    from bitfold.targets.animation import read_animation  # noqa: PLC0415
    from bitfold.targets.picture import read_picture  # noqa: PLC0415
    from bitfold.targets.video import read_video  # noqa: PLC0415

    kind = identify_file(path)
    if kind in ("MP4", "WEBM"):
        return read_video(path, kind)
    return read_animation(path, kind) or read_picture(path, kind)


def make_target(name: str, frames: Frames, *, task: str = "auto") -> Target:
    """Make a target from decoded frames.

    Args:
        name: name of the target.
        frames: grey or RGB pixels; several frames make a clip.
        task: "auto", "regression" or "classification".

    Returns:
        The target.

    Raises:
        TargetError: the task is unknown, or the frames have too few or too many flat colours.

    >>> make_target("noise", Frames(np.eye(9, dtype=np.uint8)[None, ..., None])).task
    'regression'
    """
    if task not in ("auto", "regression", "classification"):
        raise TargetError(
            f"Cannot load {name!r}: expected the task auto, regression or classification, got "
            f"{task!r}. Choose one of these."
        )
    is_grey = frames.pixels.shape[-1] == 1
    rate = frames.frames_per_second if frames.is_clip else None
    if task == "classification" or (task == "auto" and not is_grey):
        flat = find_flat_colours(frames.pixels, is_lossy=frames.is_lossy)
        if task == "classification":
            _check_classes(name, flat)
        if task == "classification" or _suits_classification(flat, frames.is_lossy):
            return Target(
                name, frames.pixels, "classification", frames.is_clip, rate,
                flat.colours, flat.classes, frames.edges,
            )  # fmt: skip
    return Target(name, frames.pixels, "regression", frames.is_clip, rate, frame_edges=frames.edges)


def _suits_classification(flat: FlatColours, is_lossy: bool) -> bool:
    least = AUTO_SHARE_LOSSY if is_lossy else AUTO_SHARE
    return 2 <= len(flat.colours) <= AUTO_CLASSES and flat.share >= least


def _check_known(source: str, path: Path) -> None:
    """Refuse a word that is neither a built-in name nor a file, and suggest a built-in name."""
    try:
        is_word = not path.suffix and len(path.parts) == 1 and not path.exists()
    except (OSError, ValueError):
        return  # identify_file explains the error in this path
    if is_word:
        near = suggest_builtin(source)
        advice = f"Did you mean {near!r}?" if near else "Check the name."
        raise TargetError(
            f"Cannot load {source!r}: expected a file, or one of {', '.join(builtin_names())}, got "
            f"neither. {advice}"
        )


def _check_classes(name: str, flat: FlatColours) -> None:
    number = len(flat.colours)
    if number > MAX_CLASSES:
        raise TargetError(
            f"Cannot classify the colours of {name!r}: expected at most {MAX_CLASSES} flat "
            f"colours, got {number}. Use `task='regression'`."
        )
    if number < 2:
        got = f"one, {tuple(flat.colours[0].tolist())}" if number else "none"
        raise TargetError(
            f"Cannot classify the colours of {name!r}: expected at least 2 flat colours, got "
            f"{got}. Use another picture or `task='regression'`."
        )


def _pixel_problem(target: Target) -> str | None:
    pixels = target.pixels
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or 0 in pixels.shape:
        return f"expected pixels (frames, height, width, 1 or 3), got shape {pixels.shape}"
    if pixels.dtype not in (np.uint8, np.uint16):
        return f"expected pixels of uint8 or uint16, got {pixels.dtype}"
    if not target.is_clip and len(pixels) != 1:
        return f"expected one frame in a picture, got {len(pixels)}"
    rate = target.frames_per_second
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        return f"expected a positive number of frames a second, got {rate}"
    return None


def _task_problem(target: Target) -> str | None:
    colours, classes = target.class_colours, target.classes
    if target.task not in ("regression", "classification"):
        return f"expected the task regression or classification, got {target.task!r}"
    if target.task == "regression":
        return None if colours is None and classes is None else "expected no classes, got some"
    if colours is None or classes is None:
        return "expected classes and their colours, got none"
    size = math.prod(target.pixels.shape[:3])
    return _class_problem(colours, classes, size)


def _class_problem(colours: NDArray[np.uint8], classes: NDArray[np.int64], size: int) -> str | None:
    if colours.dtype != np.uint8 or colours.ndim != 2 or colours.shape[1] != 3:
        return f"expected class colours (K, 3) of uint8, got {colours.shape} of {colours.dtype}"
    if not 2 <= len(colours) <= MAX_CLASSES:
        return f"expected 2 to {MAX_CLASSES} classes, got {len(colours)}"
    if classes.dtype != np.int64 or classes.shape != (size,):
        return f"expected {size} classes of int64, got {classes.shape} of {classes.dtype}"
    if classes.min() < -1 or classes.max() >= len(colours):
        return f"expected classes in [-1, {len(colours)}), got {classes.min()} to {classes.max()}"
    return None
