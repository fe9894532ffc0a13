"""The measurements of a report."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch import Tensor

from bitfold.bounds import bound
from bitfold.experiments.coded_run import CodedRun
from bitfold.experiments.quality import Quality, QualityMeter, spread_pixels
from bitfold.model_file import Baseline, ModelFileInfo, baselines, model_info
from bitfold.networks import PolytopeNet
from bitfold.training import Run

# About the number of pixels that are measured; most pictures have fewer, and are measured whole.
_MAX_PIXELS = 2**20
#: Probability that the bound of a report does not hold.
DELTA = 0.05


@dataclass(frozen=True)
class Comparison:
    """A network and the network that its file decodes to, at the same pixels.

    Args:
        where: which pixels, in words.
        num_pixels: their number.
        itself: quality of the network in float32.
        decoded: quality of the decoded network.
    """

    where: str
    num_pixels: int
    itself: Quality
    decoded: Quality


@dataclass(frozen=True)
class Promise:
    """The bound on the error that follows from the size of the file.

    Args:
        error: the largest error of the decoded network, with probability 1 - delta.
        guess: the error of the best constant answer over the whole picture.
        covers_all: whether every pixel was learned or kept for validation, so that no pixel is
            left for the bound to be about.
    """

    error: float
    guess: float
    covers_all: bool

    @property
    def is_vacuous(self) -> bool:
        """Whether a constant answer does as well."""
        return self.error >= self.guess


@dataclass(frozen=True, eq=False)
class Facts:
    """The measurements of a report.

    Args:
        run: the run.
        epoch: the epoch of the network.
        network: the network in float32.
        coded: its file.
        info: what the bytes of the file are for.
        picture: quality over the whole picture.
        training: quality at the training points.
        validation: quality at the validation points.
        promise: the bound for pixels that were not learned.
        rows: other compressors, each with the quality of the network that it decodes to.
    """

    run: Run
    epoch: int
    network: PolytopeNet
    coded: CodedRun
    info: ModelFileInfo
    picture: Comparison
    training: Comparison
    validation: Comparison
    promise: Promise
    rows: tuple[tuple[Baseline, Quality], ...]

    @property
    def num_weights(self) -> int:
        """The number of weights and biases of the network."""
        return sum(item.numel() for item in self.network.parameters())

    @property
    def num_bytes(self) -> int:
        """The size of the file."""
        return len(self.coded.data)

    @property
    def longest(self) -> int:
        """The size of the longest of all files that are compared."""
        return max(1, self.num_bytes, *(row.num_bytes for row, _ in self.rows))


def gather_facts(run: Run, coded: CodedRun) -> Facts:
    """Measure the newest network of a run, and its file.

    Args:
        run: a run of any task.
        coded: the file of that network.
    """
    epoch, network, target = run.epochs()[-1], run.network(), run.target
    everywhere = QualityMeter(target, spread_pixels(target, _MAX_PIXELS))
    is_all = everywhere.num_pixels == target.num_usable
    name = "all pixels" if is_all else "pixels, evenly spread"
    picture, training, validation = (
        _compare(where, meter, network, coded)
        for where, meter in (
            (name, everywhere),
            ("training points", QualityMeter(target, run.split.training)),
            ("validation points", QualityMeter(target, run.split.validation)),
        )
    )
    return Facts(
        run=run,
        epoch=epoch,
        network=network,
        coded=coded,
        info=_info(coded.data),
        picture=picture,
        training=training,
        validation=validation,
        promise=_promise(run, coded, training),
        rows=_rows(network, coded, everywhere),
    )


def _compare(where: str, meter: QualityMeter, network: PolytopeNet, coded: CodedRun) -> Comparison:
    itself, decoded = meter.measure(network), meter.measure(coded.network)
    return Comparison(where, meter.num_pixels, itself, decoded)


def _info(data: bytes) -> ModelFileInfo:
    with TemporaryDirectory(prefix="bitfold-") as folder:
        path = Path(folder) / "net.bitfold"
        path.write_bytes(data)
        return model_info(path)


def _promise(run: Run, coded: CodedRun, training: Comparison) -> Promise:
    target, num_points = run.target, training.num_pixels
    seen = training.decoded.bounded_error
    error = bound(8 * len(coded.data), seen, num_points, DELTA) if math.isfinite(seen) else 1.0
    values = target.values(spread_pixels(target, _MAX_PIXELS))
    if target.task == "regression":
        guess = float(np.square(values - values.mean(0, dtype=np.float64)).mean())
    else:
        guess = 1 - float(np.bincount(values.astype(np.int64)).max() / len(values))
    learned = len(run.split.training) + len(run.split.validation)
    return Promise(error, guess, covers_all=learned >= target.num_usable)


def _rows(
    network: PolytopeNet, coded: CodedRun, meter: QualityMeter
) -> tuple[tuple[Baseline, Quality], ...]:
    trial = copy.deepcopy(network)

    def quality(state: Mapping[str, Tensor]) -> Quality:
        trial.load_state_dict(dict(state))
        return meter.measure(trial)

    rows = baselines(network.state_dict(), coded.network.state_dict())
    return tuple((row, quality(row.state)) for row in rows)
