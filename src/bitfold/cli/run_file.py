"""A run's network as a model file: as K was trained to describe it, or coded anew."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from bitfold.cli.quality import QualityMeter, spread_pixels
from bitfold.errors import CheckpointError, ConfigError, ModelFileError, RunError
from bitfold.model_file import read_model, write_model
from bitfold.training import Run

#: Pixels that a quality is measured at, evenly spread.
MOST_PIXELS = 2**16
# Beyond that errors are no numbers of float64.
_MOST_DB = 1000
# The tolerance is found to within a 2^12th of this range's logarithm.
_FINEST, _COARSEST, _BISECTIONS = 2.0**-16, 2.0, 12


@dataclass(frozen=True)
class Wish:
    """What is asked of a run's file; at most one of the first three.

    Args:
        num_bytes: the most that it may have.
        psnr_db: the least of regression.
        error: the largest mean squared error, or share of wrong pixels.
        as_trained: True: what K describes, or an error; False: never; None: what K describes,
            unless a size or quality is asked for that something else meets better.
    """

    num_bytes: int | None = None
    psnr_db: float | None = None
    error: float | None = None
    as_trained: bool | None = None


@dataclass(frozen=True, eq=False)
class CodedRun:
    """A run's network as a model file.

    Args:
        data: the file.
        network: what it decodes to.
        how: in words, what it was coded by, and why.
    """

    data: bytes
    network: nn.Module
    how: str


def code_run(run: Run, epoch: int | None = None, wish: Wish | None = None) -> CodedRun:
    """Code a run's network.

    A run with K has weights that were trained to be described by it: these are coded, as they are
    decoded, by K itself or by plain codes, whichever is shorter; unless the network's own weights,
    rounded anew, are both shorter and no worse. A run without K is rounded.

    Source: none, ours.

    Args:
        run: of any task.
        epoch: one whose weights it has kept; None: the last.
        wish: what to go by; None: nothing in particular.

    Raises:
        ConfigError: a quality cannot be met, or does not go with the task.
        ModelFileError: a size cannot be met.
        RunError: the epoch was not kept; or K's weights are wanted and there are none.
        CheckpointError: what was kept is damaged.
    """
    network, wish = run.network(epoch), wish or Wish()
    trained, why_not = None, "as asked for"
    if wish.as_trained is not False:
        try:
            trained = _as_trained(run, epoch)
        except (RunError, ModelFileError) as error:
            if wish.as_trained or isinstance(error, CheckpointError):
                raise
            why_not = _why_not(run, error)
    if wish.psnr_db is not None or wish.error is not None:
        return _as_good(run, network, trained, wish)
    if wish.num_bytes is not None:
        return _in_bytes(run, network, trained, wish.num_bytes)
    if trained is not None and wish.as_trained:
        return trained
    anew = _coded(network, f"coded anew, {why_not}", sort_neurons=True)
    return anew if trained is None else _undominated(run, anew, trained)


def _undominated(run: Run, anew: CodedRun, trained: CodedRun) -> CodedRun:
    """What K describes, unless the network's own weights are shorter and no worse."""
    error = _error(run)
    if len(anew.data) >= len(trained.data) or error(anew.network) > error(trained.network):
        return trained
    return _told_apart(replace(anew, how="coded anew, which is shorter and no worse"), trained)


def _why_not(run: Run, error: RunError | ModelFileError) -> str:
    if isinstance(error, ModelFileError):
        # What was expected and what was found, without what to do about it.
        found = str(error).partition(": ")[2].partition(". ")[0]
        return f"as the run's own K cannot be written ({found})"
    has_k = run.config.has_kolmogorov
    return "as no checkpoint of that epoch holds K" if has_k else "as the run was trained without K"


def _as_trained(run: Run, epoch: int | None) -> CodedRun:
    """The weights that K describes, coded by K, or by plain codes where these are shorter."""
    kolmogorov = run.kolmogorov(run.epochs()[-1] if epoch is None else epoch)
    described = kolmogorov.table.module
    by_k = _coded(described, "", kolmogorov=kolmogorov)
    decoded = copy.deepcopy(described)
    decoded.load_state_dict(kolmogorov.decoded_state())
    plain = _coded(decoded, "", tolerance=0, sort_neurons=True)
    name = f"the run's own K ({run.config.kolmogorov_predictor})"
    if len(by_k.data) <= len(plain.data):
        how = f"coded as trained, by {name}; plain codes take {len(plain.data):,} bytes"
        return replace(by_k, how=how)
    longer = f"{name} takes {len(by_k.data):,} bytes"
    return replace(plain, how=f"coded as trained, by plain codes, which are shorter; {longer}")


def _in_bytes(run: Run, network: nn.Module, trained: CodedRun | None, num_bytes: int) -> CodedRun:
    """Of the files that are short enough the one whose network is better."""
    fits = trained is not None and len(trained.data) <= num_bytes
    try:
        anew = _coded(network, "coded anew to that size", num_bytes=num_bytes, sort_neurons=True)
    except ModelFileError:
        if not fits:
            raise
        anew = None
    if trained is None or not fits:
        return _told_apart(anew, trained)
    error = _error(run)
    if anew is None or error(trained.network) <= error(anew.network):
        return trained
    return _told_apart(anew, trained)


def _as_good(run: Run, network: nn.Module, trained: CodedRun | None, wish: Wish) -> CodedRun:
    """Of the files that are good enough the shorter one."""
    error, most = _error(run), _most_error(run, wish)
    is_good = trained is not None and error(trained.network) <= most
    try:
        anew = _shortest(network, error, most)
    except ConfigError:
        if not is_good:
            raise
        anew = None
    if trained is not None and is_good and (anew is None or len(trained.data) <= len(anew.data)):
        return trained
    return _told_apart(anew, trained)


def _told_apart(anew: CodedRun | None, trained: CodedRun | None) -> CodedRun:
    assert anew is not None
    if trained is None:
        return anew
    return replace(anew, how=f"{anew.how}; as K was trained it takes {len(trained.data):,} bytes")


def _most_error(run: Run, wish: Wish) -> float:
    most = wish.error
    if wish.psnr_db is not None:
        if run.target.task != "regression":
            raise ConfigError(
                "Cannot compress to a PSNR: expected a run of regression, got one of "
                "classification. Use --error with the share of wrong pixels."
            )
        most = 10 ** (-wish.psnr_db / 10) if abs(wish.psnr_db) < _MOST_DB else math.nan
    if not (most is not None and math.isfinite(most) and most >= 0):
        asked = wish.psnr_db if wish.error is None else wish.error
        raise ConfigError(
            f"Cannot compress to this quality: expected a PSNR between -{_MOST_DB} and {_MOST_DB} "
            f"dB, or a finite error of 0 or more, got {asked}. Change it."
        )
    return most


def _error(run: Run) -> Callable[[nn.Module], float]:
    """Mean squared error, or share of wrong pixels, at pixels of the run's target."""
    meter = QualityMeter(run.target, spread_pixels(run.target, MOST_PIXELS))
    return lambda network: meter.measure(network).error


def _shortest(network: nn.Module, error: Callable[[nn.Module], float], most: float) -> CodedRun:
    """The shortest file whose network, as decoded, is good enough."""
    if not error(network) <= most:
        raise ConfigError(
            f"Cannot compress to this quality: expected an error of at most {most:.4g}, got "
            f"{error(network):.4g} of the network itself. Ask for less, or train on."
        )

    def coded(tolerance: float) -> CodedRun:
        how = "coded anew to that quality"
        return _coded(network, how, tolerance=tolerance, sort_neurons=True)

    low, high = math.log2(_FINEST), math.log2(_COARSEST)
    found = coded(0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        trial = coded(2**middle)
        if error(trial.network) <= most:
            low, found = middle, trial
        else:
            high = middle
    return found


def _coded(network: nn.Module, how: str, **options: Any) -> CodedRun:
    """A network as `write_model` codes it, and what that decodes to."""
    with tempfile.TemporaryDirectory(prefix="bitfold-") as folder:
        path = Path(folder) / "net.bitfold"
        write_model(path, network, **options)
        decoded = read_model(path, into=copy.deepcopy(network))
        return CodedRun(path.read_bytes(), decoded, how)
