"""Which pixels are trained on, and which validate."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import SamplingError
from bitfold.targets.target import Target

DEFAULT_POINTS = 5000
# Share of a small picture that is used for validation if the default number does not fit.
SHRUNK_VALIDATION_SHARE = 5


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint pixel indices; their order is random and part of the split.

    Args:
        training: (N,) pixel indices.
        validation: (M,) pixel indices.
    """

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def sample_split(
    target: Target,
    *,
    points: int | Literal["all"] | None = None,
    validation_points: int | None = None,
    batch_size: int,
    seed: int,
) -> Split:
    """Draw training and validation pixels without replacement, decided by the seed.

    Defaults shrink to fit: where 5,000 points and a batch do not, a fifth of the pixels, but at
    most a batch, validates and the rest, but at most 5,000, trains.

    The generator is NumPy's PCG64 (O'Neill 2014), the same on every platform.

    Args:
        target: its `usable` pixels are drawn from.
        points: for training, at least 1; "all" for every usable pixel that does not validate;
            None for 5,000 or what fits.
        validation_points: at least 1; None for as many as a batch or what fits.
        batch_size: at least 1.
        seed: at least 0.

    Returns:
        At least one pixel in each part.

    Raises:
        SamplingError: a number is below its bound, or more pixels are asked for than are usable.

    >>> from bitfold.targets.target import load_target
    >>> split = sample_split(load_target("ring", size=8), batch_size=1024, seed=0)
    >>> len(split.training), len(split.validation)
    (52, 12)
    """
    bounds = (("points", points, 1), ("validation points", validation_points, 1))
    for what, number, least in (*bounds, ("a batch", batch_size, 1), ("a seed", seed, 0)):
        if isinstance(number, int) and number < least:
            raise SamplingError(
                f"Cannot sample {what}: expected at least {least}, got {number}. Ask for more."
            )
    num_training, num_validation = _share_out(target, points, validation_points, batch_size)
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = generator.choice(target.num_usable, num_training + num_validation, replace=False)
    pixels = drawn if target.classes is None else target.usable[drawn]
    pixels = pixels.astype(np.int64, copy=False)
    return Split(pixels[:num_training].copy(), pixels[num_training:].copy())


def _share_out(
    target: Target, points: int | Literal["all"] | None, validation: int | None, batch_size: int
) -> tuple[int, int]:
    """Decide how many pixels train and how many validate."""
    usable = target.num_usable
    if validation is None:
        if isinstance(points, int):
            room = usable - points
        elif points is None and DEFAULT_POINTS + batch_size <= usable:
            room = batch_size
        else:
            room = max(1, usable // SHRUNK_VALIDATION_SHARE)
        validation = max(1, min(batch_size, room))
    if points == "all":
        points = max(1, usable - validation)
    elif points is None:
        points = max(1, min(DEFAULT_POINTS, usable - validation))
    if points + validation > usable:
        raise SamplingError(
            f"Cannot sample {points} training and {validation} validation points: expected at most "
            f"{usable} together, the pixels of {target.name!r} that can be used, got "
            f"{points + validation}. Ask for fewer."
        )
    return points, validation
