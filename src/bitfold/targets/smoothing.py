"""The training points smoothed by a Gaussian kernel: the baseline that a network should beat.

The estimate at q is sum_i k(q, p_i) v_i / sum_i k(q, p_i) with k = exp(-|q - p_i|^2 / (2 sigma^2)),
over the training pixels p_i, in pixels of the picture; in a clip one frame counts as one pixel.
For classes, v_i is one-hot and the largest estimate wins.

Points are sparse beside sigma, so all kernels may underflow; there the sum is taken relative to the
nearest point, over as many neighbours as count.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bitfold.errors import ConfigError
from bitfold.targets.grid import Grid, Window, window_axes
from bitfold.targets.split import Split
from bitfold.targets.target import Target

# Kernels are cut where they fall below exp(-18) = 1.5e-8.
CUT_SIGMAS = 6.0
# A sum above exp(-8) has near points. There, the cut of kernels and the rounding of the fast
# convolution (about 1e-15) change the estimate by less than half a level of 8 bits.
SAFE_WEIGHT = math.exp(-8.0)
# Neighbours are added until the weight of the farthest, relative to the nearest, is at most this.
NEGLIGIBLE_WEIGHT = 1e-5
FIRST_NEIGHBOURS = 4
MAX_NEIGHBOURS = 8_192
QUERY_BLOCK = 2**21
# Smaller sigmas all give the nearest point, and larger ones the plain mean.
SMALLEST_SIGMA_PX = 1e-3
LARGEST_SIGMA_PX = 1e6


def kernel_smoothed(
    target: Target,
    split: Split,
    sigma_px: float,
    *,
    frame: int = 0,
    width: int,
    height: int,
) -> NDArray[np.uint8]:
    """Draw the kernel estimate of a picture, or of one frame of a clip, from the training points.

    The estimate is computed at the pixels of the picture or of the raster, whichever is smaller.
    Points are moved to the nearest pixel centre.

    Source: Nadaraya 1964, Watson 1964, with a Gaussian kernel.

    Args:
        target: the picture or clip.
        split: its training points are used.
        sigma_px: width of the kernel, in pixels of the picture, above 0.
        frame: number of the clip's frame.
        width: columns of the result.
        height: rows of the result.

    Returns:
        (height, width, 3) RGB; for classification the colour of the most likely class.

    Raises:
        ConfigError: sigma is not a finite number above 0, or a side is below 1.

    >>> from bitfold.targets.split import sample_split
    >>> from bitfold.targets.target import load_target
    >>> target = load_target("disk", size=32)
    >>> split = sample_split(target, points=500, batch_size=100, seed=0)
    >>> kernel_smoothed(target, split, 1.0, width=32, height=32)[16, 16].tolist()
    [255, 255, 255]
    """
    sigma_px = _usable_sigma(sigma_px)
    xs, ys = window_axes(Window(), width, height)
    grid = target.grid
    raster = Grid(min(width, grid.width), min(height, grid.height))
    estimate = _raster_estimate(target, split, sigma_px, frame, raster)
    drawn = _as_colours(target, estimate).reshape(raster.height, raster.width, 3)
    columns = raster.indices(np.stack([xs, np.full(width, -0.5)], axis=1))
    rows = raster.indices(np.stack([np.full(height, -0.5), ys], axis=1)) // raster.width
    return np.ascontiguousarray(drawn[rows][:, columns])


def kernel_baseline_error(target: Target, split: Split, sigma_px: float) -> float:
    """Measure how well the kernel estimate predicts the validation points.

    Exact, except that kernels below 1e-5 of the nearest are left out. With more than about 8,000
    points within 6 sigma, only a part of the training points is used: the first ones, in their
    random order.

    Source: Nadaraya 1964, Watson 1964, with a Gaussian kernel.

    Args:
        target: the picture or clip.
        split: training points to smooth and validation points to predict.
        sigma_px: width of the kernel, in pixels of the picture, above 0.

    Returns:
        Mean squared error in [0, 1] for regression; the share of wrong classes for classification.

    Raises:
        ConfigError: sigma is not a finite number above 0.

    >>> from bitfold.targets.split import sample_split
    >>> from bitfold.targets.target import load_target
    >>> target = load_target("disk", size=32)
    >>> split = sample_split(target, points=500, batch_size=100, seed=0)
    >>> kernel_baseline_error(target, split, 1.0) < 0.02
    True
    """
    sigma_px = _usable_sigma(sigma_px)
    grid = target.grid
    density = len(split.training) / grid.num_pixels
    reach = CUT_SIGMAS * sigma_px
    ball = 4 / 3 * math.pi * reach**3 if grid.is_clip else math.pi * reach**2
    expected = min(density * ball, float(len(split.training)))
    thinning = min(1.0, MAX_NEIGHBOURS / max(expected, 1.0))
    training = split.training[: math.ceil(thinning * len(split.training))]
    estimate = _nearest_estimate(
        _positions(grid, split.validation),
        _positions(grid, training),
        _regressands(target, training),
        sigma_px,
        FIRST_NEIGHBOURS + math.ceil(expected * thinning),
    )
    if target.classes is not None:
        wrong = estimate.argmax(axis=1) != target.classes[split.validation]
        return float(np.mean(wrong))
    wanted = target.values(split.validation).astype(np.float64)
    return float(np.mean((estimate - wanted) ** 2))


def _usable_sigma(sigma_px: float) -> float:
    if not (math.isfinite(sigma_px) and sigma_px > 0):
        raise ConfigError(
            f"Cannot smooth: expected a sigma above 0 pixels, got {sigma_px}. Use for example 3."
        )
    return min(max(sigma_px, SMALLEST_SIGMA_PX), LARGEST_SIGMA_PX)


def _positions(grid: Grid, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Column, row and, for a clip, frame (N, dimensions) of some pixels."""
    rows, columns = np.divmod(indices, grid.width)
    frames, rows = np.divmod(rows, grid.height)
    return np.stack([columns, rows, frames][: grid.num_dimensions], axis=1).astype(np.float64)


def _regressands(target: Target, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values (N, outputs) in [0, 1], one-hot for classes."""
    values = target.values(indices)
    if target.classes is not None:
        return np.eye(target.out_features)[values]
    return values.astype(np.float64)


def _as_colours(target: Target, estimate: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Turn estimates (N, outputs) into RGB (N, 3)."""
    if target.class_colours is not None:
        return np.asarray(target.class_colours[estimate.argmax(axis=1)], np.uint8)
    levels = np.rint(np.clip(estimate, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.array(np.broadcast_to(levels, (len(levels), 3)))


def _raster_estimate(
    target: Target, split: Split, sigma_px: float, frame: int, raster: Grid
) -> NDArray[np.float64]:
    """Estimate (pixels of the raster, outputs): by convolution, and by neighbours where far."""
    grid = target.grid
    points = _positions(grid, split.training)
    values = _regressands(target, split.training)
    weights = np.ones(len(points))
    if grid.is_clip:
        weights = np.exp(-((points[:, 2] - frame) ** 2) / (2 * sigma_px**2))
    plane = grid.coordinates(split.training)[:, :2]
    cells = raster.indices(plane)
    sigmas = (sigma_px * raster.width / grid.width, sigma_px * raster.height / grid.height)
    total = _spread(cells, weights, sigmas, raster)
    estimate = np.empty((raster.num_pixels, values.shape[1]))
    near = total >= SAFE_WEIGHT
    for output in range(values.shape[1]):
        summed = _spread(cells, weights * values[:, output], sigmas, raster)
        estimate[near, output] = summed[near] / total[near]
    far = np.flatnonzero(~near)
    corners = raster.coordinates(far).astype(np.float64)
    queries = (corners + 0.5) * (grid.width, grid.height) - 0.5
    if grid.is_clip:
        queries = np.concatenate([queries, np.full((len(far), 1), float(frame))], axis=1)
    estimate[far] = _nearest_estimate(queries, points, values, sigma_px, FIRST_NEIGHBOURS)
    return estimate


def _spread(
    cells: NDArray[np.int64],
    weights: NDArray[np.float64],
    sigmas: tuple[float, float],
    raster: Grid,
) -> NDArray[np.float64]:
    """Sum kernels of height `weights` at `cells` over the raster (num_pixels,)."""
    summed = np.zeros((raster.height, raster.width))
    np.add.at(summed.reshape(-1), cells, weights)
    for axis, sigma in ((1, sigmas[0]), (0, sigmas[1])):
        radius = min(math.ceil(CUT_SIGMAS * sigma), summed.shape[axis] - 1)
        kernel = np.exp(-(np.arange(-radius, radius + 1.0) ** 2) / (2 * sigma**2))
        shaped = kernel[None, :] if axis == 1 else kernel[:, None]
        summed = _convolve(summed, shaped, axis)
    return summed.ravel()


def _convolve(
    image: NDArray[np.float64], kernel: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    """Convolve along one axis and keep the image's size, whichever of the two is longer."""
    # SciPy takes 0.9 s to import, so it is imported only for smoothing.
    from scipy.signal import oaconvolve  # noqa: PLC0415

    full = oaconvolve(image, kernel, mode="full", axes=axis)
    start = kernel.size // 2
    middle = np.take(full, np.arange(start, start + image.shape[axis]), axis=axis)
    return np.asarray(middle, np.float64)


def _nearest_estimate(
    queries: NDArray[np.float64],
    points: NDArray[np.float64],
    values: NDArray[np.float64],
    sigma_px: float,
    neighbours: int,
) -> NDArray[np.float64]:
    """Estimate (Q, outputs) relative to each query's nearest point, over at least `neighbours`."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - as above

    tree = cKDTree(points)
    estimate = np.empty((len(queries), values.shape[1]))
    waiting = np.arange(len(queries))
    while len(waiting):
        neighbours = min(neighbours, len(points))
        step = max(1, QUERY_BLOCK // neighbours)
        left: list[NDArray[np.int64]] = []
        for start in range(0, len(waiting), step):
            rows = waiting[start : start + step]
            found = tree.query(queries[rows], k=np.arange(1, neighbours + 1), workers=-1)
            distance, index = np.asarray(found[0]), np.asarray(found[1])
            excess = distance**2 - distance[:, :1] ** 2
            weights = np.exp(-excess / (2 * sigma_px**2))
            weighted = np.einsum("qk,qko->qo", weights, values[index])
            estimate[rows] = weighted / weights.sum(axis=1, keepdims=True)
            left.append(rows[weights[:, -1] > NEGLIGIBLE_WEIGHT])
        if neighbours >= min(len(points), MAX_NEIGHBOURS):
            break
        waiting = np.concatenate(left)
        neighbours *= 4
    return estimate
