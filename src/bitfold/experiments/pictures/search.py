"""`compress_picture`: from a picture to the smallest good file, within minutes."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitfold.errors import ConfigError, ModelFileError, RunError
from bitfold.experiments.coded_run import CodedRun
from bitfold.experiments.frontiers.training import train_point
from bitfold.experiments.goal import Goal
from bitfold.experiments.network_picture import draw_network
from bitfold.experiments.picture_settings import MOST_LOST, lost_share
from bitfold.experiments.pictures.finer_classes import TIMES, finer_classes
from bitfold.experiments.pictures.plan import check_goal, next_trial, usual_bytes
from bitfold.experiments.pictures.record import SearchRecord, Trial, read_search, recorded_db
from bitfold.experiments.pictures.similarity import psnr_db
from bitfold.experiments.run_coding import code_run
from bitfold.model_file import read_model
from bitfold.networks import PolytopeNet
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.decibels import psnr_of
from bitfold.runtime.strangers.user_paths import absolute_path
from bitfold.targets import Target, load_target
from bitfold.training import Config, Event, Run, RunFolder, load_run

#: In the folder of a search: the picture as it stands.
SHOWN: Final = "picture.png"
#: In the folder of a search for a drawing: its classes within pixels, from which networks learn.
LEARNED: Final = "learned.png"
# So many pixels are learned quickly enough.
_MOST_LEARNED_PX: Final = 2**20
_STOPPED = ("interrupted", "terminated", "unsaved")
# By task: points in a step, and the learning rate. Edges between classes are found in many steps.
_STEPS: Final = {"regression": (2048, 5e-3), "classification": (512, 1e-2)}


@dataclass(frozen=True)
class TrialStarted:
    """A trial of a search begins, or goes on.

    Args:
        number: from 1.
        trial: what is trained.
    """

    number: int
    trial: Trial


@dataclass(frozen=True)
class TrialEnded:
    """A trial is trained and measured.

    Args:
        number: from 1.
        trial: with its size and PSNR.
        is_best: whether its file is the best so far, and lies at the output's path.
    """

    number: int
    trial: Trial
    is_best: bool


SearchEvent = TrialStarted | TrialEnded | Event
SearchListener = Callable[[SearchEvent], None]


@dataclass(frozen=True, eq=False)
class PictureFile:
    """The outcome of a search.

    Args:
        path: of the best ``.bitfold`` file; it exists if ``best`` is not None.
        folder: of the search, with its record, the last run and the picture as it stands.
        record: what was tried.
        original: the picture, uint8 (height, width, 3).
        exit_code: 0; or that of the signal, or of the full disk, that stopped the search.
    """

    path: Path
    folder: Path
    record: SearchRecord
    original: NDArray[np.uint8]
    exit_code: int = 0

    @property
    def best(self) -> Trial | None:
        """The trial whose file is kept; None before the first."""
        return None if self.record.best is None else self.record.trials[self.record.best]

    @property
    def reaches_goal(self) -> bool:
        """Whether the file has the wanted size or PSNR."""
        return self.best is not None and self.record.reaches(self.best)

    def decoded(self) -> NDArray[np.uint8]:
        """Return the picture that the file decodes to, uint8 (height, width, 3)."""
        return decoded_picture(self.path, self.original.shape[1], self.original.shape[0])


def decoded_picture(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """Draw the picture of a model file at a size, uint8 (height, width, 3)."""
    network = read_model(path)
    assert isinstance(network, PolytopeNet)
    return draw_network(network, width, height)


def compress_picture(
    source: str | Path,
    output: str | Path,
    goal: Goal | None = None,
    minutes: float = 5.0,
    *,
    listeners: Sequence[SearchListener] = (),
) -> PictureFile:
    """Search for the best network of a picture within a size, or the smallest one of a PSNR.

    Shapes, encodings and lambdas are tried in turn, each for a share of the minutes; then the best
    is trained for the rest. The best file so far lies at ``output`` at any time. The folder
    ``OUTPUT.search`` holds the record, so that the same call goes on where it was stopped.

    Args:
        source: path of the picture, or the name of a built-in one.
        output: the ``.bitfold`` file.
        goal: a size or a PSNR over all pixels; None for 0.3 bits a pixel.
        minutes: of training in all, more than 0.
        listeners: called with `TrialStarted`, all events of each training, and `TrialEnded`.

    Returns:
        The outcome. Its ``exit_code`` is not 0 if the search was stopped.

    Raises:
        ConfigError: the size is too small for any picture, there are no minutes, or the target is
            a clip; or a search for something else lies in the folder.
        TargetError: the picture cannot be loaded.
        RunError: the folder cannot be written, or its record is damaged.
    """
    path = absolute_path(output)
    target = load_target(str(source), task="regression")
    record = _record_for(path, str(source), target, goal or Goal(), minutes)
    folder = _folder_of(path)
    place = RunFolder(folder)
    place.make()
    with place.lock():
        record.write(folder)
        record, exit_code = _search(path, folder, record, target, listeners)
    return PictureFile(path, folder, record, target.picture(), exit_code)


def _folder_of(path: Path) -> Path:
    return path.with_name(path.name + ".search")


def _record_for(
    path: Path, source: str, target: Target, goal: Goal, minutes: float
) -> SearchRecord:
    if target.is_clip:
        raise ConfigError(
            f"Cannot compress {source}: expected a picture, got a clip of {target.grid.num_frames} "
            "frames. Use bitfold train, then bitfold compress."
        )
    if not (minutes > 0 and math.isfinite(minutes)):
        raise ConfigError(f"Cannot use `minutes`: expected more than 0, got {minutes}.")
    if goal.error is not None:
        goal = Goal(psnr_db=psnr_of(goal.error))
    if goal == Goal():
        goal = Goal(num_bytes=usual_bytes(target.grid.num_pixels))
    is_flat = _as_drawing(source) is not None
    new = SearchRecord(str(absolute_path(source)), goal, minutes, is_flat=is_flat)
    check_goal(new)
    before = read_search(_folder_of(path))
    if before is None:
        return new
    if (before.target, before.goal) != (new.target, new.goal):
        raise ConfigError(
            f"Cannot continue the search in {_folder_of(path)}: expected the same picture and "
            f"goal, got {source} and {goal}. Choose another output, or delete the folder."
        )
    return replace(before, minutes=minutes)


def _as_drawing(source: str) -> Target | None:
    """A picture with its classes, if it is a drawing that is learned well as classes."""
    found = load_target(source)
    is_flat = found.class_colours is not None and lost_share(found) <= MOST_LOST
    return found if is_flat else None


def _learned_path(record: SearchRecord, folder: Path) -> str:
    """The picture that networks learn: the original, or a drawing's classes within its pixels."""
    target = _as_drawing(record.target) if record.is_flat else None
    if target is None:
        return record.target
    path = folder / LEARNED
    times = min(TIMES, max(1, math.isqrt(_MOST_LEARNED_PX // target.grid.num_pixels)))
    with io.BytesIO() as file:
        Image.fromarray(finer_classes(target, times)).save(file, "PNG")
        _write(path, file.getvalue())
    return str(path)


def _search(
    path: Path,
    folder: Path,
    record: SearchRecord,
    target: Target,
    listeners: Sequence[SearchListener],
) -> tuple[SearchRecord, int]:
    learned = _learned_path(record, folder)
    while True:
        trial = record.trials[-1] if record.trials and not record.trials[-1].is_done else None
        trial = trial or next_trial(record, target.grid.num_pixels)
        if trial is None:
            return record, 0
        record = record.with_trial(trial)
        record.write(folder)
        number = len(record.trials)
        _tell(listeners, TrialStarted(number, trial))
        run = folder / f"trial-{number}"
        ended = train_point(_config(learned, trial, run), listeners)
        if ended.reason in _STOPPED:
            return record, ended.exit_code
        done, coded, pixels = _measured(load_run(run), record, trial, target.picture())
        record = record.with_trial(done)
        is_best = record.is_better(done)
        if is_best:
            _keep(path, folder, coded, pixels)
            record = replace(record, best=number - 1)
        record.write(folder)
        _tell(listeners, TrialEnded(number, done, is_best))


def _config(learned: str, trial: Trial, run: Path) -> Config:
    batch_size, rate = _STEPS[trial.task]
    aim = None if trial.target_bits is None else f"bits:{trial.target_bits}"
    return Config(
        target=learned,
        task=trial.task,
        shape=trial.shape,
        encoding=trial.encoding,
        points="all",
        batch_size=batch_size,
        learning_rate=rate,
        minutes=trial.minutes,
        kolmogorov_weight=aim or trial.kolmogorov_weight,
        kolmogorov_quantise="learned",
        measure_folds=0,
        audit=False,
        snapshot_format="none",
        no_watchdog=("stagnation",),
        output_dir=str(run),
    )


def _measured(
    run: Run, record: SearchRecord, trial: Trial, original: NDArray[np.uint8]
) -> tuple[Trial, CodedRun, NDArray[np.uint8]]:
    """A trained trial with its numbers, its file, and the picture that the file decodes to."""
    as_trained = code_run(run, with_palette=True)
    coded = _within_goal(run, record, as_trained)
    pixels = _drawn(coded, original)
    quality = recorded_db(psnr_db(original, pixels))
    trained = quality
    if coded is not as_trained:
        trained = recorded_db(psnr_db(original, _drawn(as_trained, original)))
    done = replace(
        trial,
        num_bytes=len(coded.data),
        psnr_db=quality,
        trained_bytes=len(as_trained.data),
        trained_db=trained,
        trained_bits=_described_bits(run),
    )
    return done, coded, pixels


def _described_bits(run: Run) -> float | None:
    """The bits of K's description as trained; None if there is none, or weights diverged."""
    try:
        bits = run.kolmogorov(run.epochs()[-1]).bits().total
    except RunError:
        return None
    return round(bits, 1) if math.isfinite(bits) else None


def _drawn(coded: CodedRun, original: NDArray[np.uint8]) -> NDArray[np.uint8]:
    assert isinstance(coded.network, PolytopeNet)
    height, width, _ = original.shape
    return draw_network(coded.network, width, height)


def _within_goal(run: Run, record: SearchRecord, as_trained: CodedRun) -> CodedRun:
    """The file as trained, or with coarser weights where it is larger than the goal's size."""
    most = record.goal.num_bytes
    if most is None or len(as_trained.data) <= most:
        return as_trained
    try:
        return code_run(run, goal=record.goal, with_palette=True)
    except (ModelFileError, ConfigError):  # the network has too many weights for the size
        return as_trained


def _keep(path: Path, folder: Path, coded: CodedRun, pixels: NDArray[np.uint8]) -> None:
    _write(path, coded.data)
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        _write(folder / SHOWN, file.getvalue())


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        raise RunError(
            f"Cannot write {path}: {error.strerror}. Make room, then give the same command again."
        ) from None


def _tell(listeners: Sequence[SearchListener], event: TrialStarted | TrialEnded) -> None:
    for listener in listeners:
        listener(event)
