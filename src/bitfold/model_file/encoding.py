"""A module as the bytes of a model file. Importing this module imports Numba."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from bitfold.entropy_coding.streams import StreamWriter
from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.batches import Calibration
from bitfold.model_file.calibrated.files import (
    RoundedFiles,
    blind_files,
    calibrated_files,
    change_of_outputs,
)
from bitfold.model_file.calibrated.moments import evaluation
from bitfold.model_file.planning.automatic import Planner
from bitfold.model_file.planning.neurons import with_sorted_neurons
from bitfold.model_file.request import TOLERANCE, Request
from bitfold.model_file.sources import check_undivided
from bitfold.model_file.syntax.body import write_body
from bitfold.model_file.syntax.coordinates import check_readable
from bitfold.model_file.syntax.header import with_header
from bitfold.model_file.syntax.plan import Plan
from bitfold.model_file.syntax.recipe import Recipe, most_numbers, recipe_of, write_recipe
from bitfold.model_file.syntax.structure import Holder
from bitfold.runtime.display.notices import Notify, notifying


def file_of(source: Holder, request: Request, progress: bool | Notify) -> bytes:
    """The file that was asked for, without a loss that describes the module.

    Args:
        source: a module without wrappers, or tensors by name.
        request: all options; checked.
        progress: see `write_model`.

    Raises:
        ModelFileError: if there is none, or ``fully_shard`` divides the module.
    """
    check_undivided(source)
    request = replace(request, names=request.names or not isinstance(source, nn.Module))
    tolerance = TOLERANCE if request.tolerance is None else request.tolerance
    with notifying(progress) as notify:
        if request.calibration is not None:
            return calibrated(source, request, tolerance, notify)
        if request.num_bytes is not None or request.loss is not None:
            return searched(source, request, notify)
        return rounded(source, tolerance, request)


def rounded(holder: Holder, tolerance: float, request: Request) -> bytes:
    """The shortest file of a module or of tensors at a tolerance of each tensor."""
    files = list[bytes]()
    keeps_grids = request.tolerance is None
    for one in _orders(holder, request):
        plan, _ = Planner(one, request.bits_of_rest).plan(tolerance, keeps_grids=keeps_grids)
        files.append(encoded(one, plan, names=request.names))
    return min(files, key=len)


def searched(holder: Holder, request: Request, notify: Notify) -> bytes:
    """The file of a size or a loss, of a module or of tensors of which only numbers are known.

    Raises:
        ModelFileError: if there is none.
    """
    # If neurons may be sorted, the sorted file is the shorter one at nearly all tolerances.
    one = _orders(holder, request)[-1]
    planner = Planner(one, request.bits_of_rest)
    if request.num_bytes is not None:
        exact = encoded(one, planner.plan(0.0)[0], names=request.names)
        if len(exact) <= request.num_bytes:
            return exact

    def encode(plan: Plan) -> bytes:
        return encoded(one, plan, names=request.names)

    files = blind_files(one, planner, request.bits_of_rest, encode, notify)
    if request.num_bytes is not None:
        return files.within_bytes(request.num_bytes)
    return _within_loss(files, _module(one, "loss"), request)


def calibrated(holder: Holder, request: Request, tolerance: float, notify: Notify) -> bytes:
    """The file whose outputs differ least, of a size; or the shortest within a tolerance or loss.

    Raises:
        ModelFileError: if there is none, or tensors by name are given.
    """
    module = _module(holder, "calibration")

    def encode(plan: Plan) -> bytes:
        return encoded(module, plan, names=request.names)

    calibration = Calibration(request.calibration)
    files = calibrated_files(module, calibration, request.bits_of_rest, encode, notify)
    if request.num_bytes is not None:
        return files.within_bytes(request.num_bytes)
    if request.loss is not None:
        return _within_loss(files, module, request)
    return files.within_loss(change_of_outputs(module, calibration), tolerance)


def _within_loss(files: RoundedFiles, module: nn.Module, request: Request) -> bytes:
    """The shortest file within the caller's loss."""
    if request.loss is None or request.max_loss is None:
        raise AssertionError("a request without a limit")
    loss, wanted = request.loss, request.max_loss
    with evaluation(module):
        own = float(loss(module))
    if not own <= wanted:
        raise ModelFileError(
            f"Cannot write a model with a loss of at most {wanted:g}: expected a bound of at least "
            f"that of the module itself, got {own:g} for the module. Allow more."
        )
    return files.within_loss(loss, wanted)


def _module(holder: Holder, option: str) -> nn.Module:
    if not isinstance(holder, nn.Module):
        raise ModelFileError(
            f"Cannot use {option}: expected a module, which turns inputs into outputs, got tensors "
            f"by name. Pass the module that has them, or leave out {option}."
        )
    return holder


def _orders(holder: Holder, request: Request) -> list[Holder]:
    """The module, and a copy with sorted neurons if they may and can be sorted."""
    other = None
    if request.sort_neurons and isinstance(holder, nn.Module):
        other = with_sorted_neurons(holder)
    return [holder] if other is None else [holder, other]


def encoded(holder: Holder, plan: Plan, *, names: bool = False) -> bytes:
    """The file of a module, or of tensors, coded as planned."""
    recipe = recipe_of(holder)
    stream = _stream(recipe, plan)
    if recipe is not None and recipe.num_numbers > most_numbers(len(stream)):
        # A reader would refuse to build so large a network on the word of so small a file.
        recipe, stream = None, _stream(None, plan)
    check_readable(plan, len(stream))
    items = [tensor.item for tensor in plan.tensors]
    has_recipe = recipe is not None
    return with_header(items, stream, version=plan.version, has_recipe=has_recipe, has_names=names)


def _stream(recipe: Recipe | None, plan: Plan) -> bytes:
    writer = StreamWriter()
    if recipe is not None:
        write_recipe(writer, recipe)
    write_body(writer, plan)
    return writer.stream()
