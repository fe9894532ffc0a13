"""The network of a run as a model file: the weights as K describes them, or rounded afresh."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

from torch import nn

from bitfold.errors import CheckpointError, ConfigError, ModelFileError, RunError
from bitfold.experiments.coded_run import CodedRun, coded
from bitfold.experiments.goal import Goal
from bitfold.experiments.run_rounding import RunRounding
from bitfold.model_file import read_model
from bitfold.networks import Picture, PolytopeNet
from bitfold.targets import Target
from bitfold.training import Run

_Palette = tuple[tuple[int, int, int], ...]


def code_run(
    run: Run,
    epoch: int | None = None,
    goal: Goal | None = None,
    *,
    as_trained: bool | None = None,
    as_seen: bool = True,
    with_palette: bool = False,
) -> CodedRun:
    """Code the network of a run as a model file.

    A run with K has weights that were trained to be described by K. These weights are coded as
    they are decoded, by K or by plain codes, whichever is shorter. Only if the network's own
    weights, rounded afresh, are both shorter and no worse are those coded instead. The network of a
    run without K is always rounded, so that its picture loses at most 0.3 dB or ends at 58.6 dB or
    more, which nobody sees, or of classes loses at most one pixel in 2,000: see `RunRounding`. The
    picture is the one that the run learned at that epoch.

    Args:
        run: a run of any task.
        epoch: an epoch whose weights the run has kept; by default the last one.
        goal: a size or quality to reach; by default none.
        as_trained: True codes the weights that K describes, or raises. False never codes them.
            None codes them, unless rounded weights reach the goal better.
        as_seen: False rounds a run without K with one tolerance for all tensors. This takes no
            search, and bounds no loss.
        with_palette: whether the file of a run of classes also holds their colours in the picture.

    Returns:
        The file, and the network that it decodes to.

    Raises:
        ConfigError: the quality cannot be reached, or does not suit the task.
        ModelFileError: the size cannot be reached.
        RunError: the epoch was not kept; or ``as_trained`` is True and the run has no K there.
        CheckpointError: the checkpoint is damaged.
    """
    network, goal = run.network(epoch), goal or Goal()
    target = (run if epoch is None else run.at(epoch)).target
    palette = _palette_of(target) if with_palette else None
    _set_palette(network, palette)
    trained, reason = None, "as asked for"
    if as_trained is not False:
        try:
            trained = _as_trained(run, epoch, palette)
        except (RunError, ModelFileError) as error:
            if as_trained or isinstance(error, CheckpointError):
                raise
            reason = _reason(run, error)
    max_error, rounding = goal.max_error(target.task), RunRounding(target, network)
    if max_error is not None:
        return _within_error(rounding, trained, max_error)
    if goal.num_bytes is not None:
        return _within_bytes(rounding, trained, goal.num_bytes)
    if trained is None:
        return (rounding.as_seen if as_seen else rounding.plain)(f"coded anew, {reason}")
    return trained if as_trained else _better(rounding, trained, f"coded anew, {reason}")


def read_coded_run(run: Run, path: Path) -> CodedRun:
    """Read a model file that was made of a run's newest network.

    Raises:
        ModelFileError: the file is damaged, or holds a network of another architecture.
    """
    network = read_model(path)
    expected = copy.deepcopy(run.network())
    if repr(network) != repr(expected):
        raise ModelFileError(
            f"Cannot report on {path}: expected the network of {run.path}, "
            f"{_first_line(expected)}, got {_first_line(network)}. Give a file of this run."
        )
    return CodedRun(path.read_bytes(), network, f"coded as {path.name} has it")


def _first_line(network: nn.Module) -> str:
    return str(network).splitlines()[0].rstrip("(")


def _better(rounding: RunRounding, trained: CodedRun, how: str) -> CodedRun:
    """The weights that K describes, unless the own weights are both shorter and no worse."""
    rounded, error = rounding.plain(how), rounding.error
    if len(rounded.data) >= len(trained.data) or error(rounded.network) > error(trained.network):
        return trained
    shorter = replace(rounded, how="coded anew, which is shorter and no worse")
    return _with_length(shorter, trained)


def _reason(run: Run, error: RunError | ModelFileError) -> str:
    """Why the weights that K describes could not be coded."""
    if isinstance(error, ModelFileError):
        # The message without its first part, "Cannot ...", and its advice.
        found = str(error).partition(": ")[2].partition(". ")[0]
        return f"as the run's own K cannot be written ({found})"
    has_k = run.config.has_kolmogorov
    return "as no checkpoint of that epoch holds K" if has_k else "as the run was trained without K"


def _palette_of(target: Target) -> _Palette | None:
    colours = target.class_colours
    return None if colours is None else tuple((int(r), int(g), int(b)) for r, g, b in colours)


def _set_palette(network: nn.Module, palette: _Palette | None) -> None:
    if palette is not None and isinstance(network, PolytopeNet):
        network.picture = replace(network.picture or Picture(), palette=palette)


def _as_trained(run: Run, epoch: int | None, palette: _Palette | None) -> CodedRun:
    """The weights that K describes, coded by K, or by plain codes where these are shorter."""
    kolmogorov = run.kolmogorov(run.epochs()[-1] if epoch is None else epoch)
    described = kolmogorov.table.module
    _set_palette(described, palette)
    by_k = coded(described, "", kolmogorov=kolmogorov)
    decoded = copy.deepcopy(described)
    decoded.load_state_dict(kolmogorov.decoded_state())
    plain = coded(decoded, "", tolerance=0, sort_neurons=True)
    name = f"the run's own K ({run.config.kolmogorov_predictor})"
    if len(by_k.data) <= len(plain.data):
        how = f"coded as trained, by {name}; plain codes take {len(plain.data):,} bytes"
        return replace(by_k, how=how)
    longer = f"{name} takes {len(by_k.data):,} bytes"
    return replace(plain, how=f"coded as trained, by plain codes, which are shorter; {longer}")


def _within_bytes(rounding: RunRounding, trained: CodedRun | None, num_bytes: int) -> CodedRun:
    """The better network of the files that are short enough."""
    fits = trained is not None and len(trained.data) <= num_bytes
    try:
        rounded = rounding.within_bytes("coded anew to that size", num_bytes)
    except ModelFileError:
        if not fits:
            raise
        rounded = None
    if trained is None or not fits:
        return _with_length(rounded, trained)
    error = rounding.error
    if rounded is None or error(trained.network) <= error(rounded.network):
        return trained
    return _with_length(rounded, trained)


def _within_error(rounding: RunRounding, trained: CodedRun | None, max_error: float) -> CodedRun:
    """The shorter file of those whose network is good enough."""
    is_good = trained is not None and rounding.error(trained.network) <= max_error
    try:
        rounded = rounding.within_error("coded anew to that quality", max_error)
    except ConfigError:
        if not is_good:
            raise
        rounded = None
    is_longer = rounded is None or (trained is not None and len(trained.data) <= len(rounded.data))
    if trained is not None and is_good and is_longer:
        return trained
    return _with_length(rounded, trained)


def _with_length(rounded: CodedRun | None, trained: CodedRun | None) -> CodedRun:
    """A file whose ``how`` also says how long the weights that K describes would be."""
    assert rounded is not None
    if trained is None:
        return rounded
    told = f"{rounded.how}; as K was trained it takes {len(trained.data):,} bytes"
    return replace(rounded, how=told)
