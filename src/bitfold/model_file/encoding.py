"""A module as the bytes of a model file. Importing this module imports Numba."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from bitfold.entropy_coding.streams import StreamWriter
from bitfold.errors import ModelFileError
from bitfold.model_file.calibrated.batches import Calibration
from bitfold.model_file.calibrated.files import CalibratedFiles
from bitfold.model_file.planning.automatic import Planner, plan_for_bytes
from bitfold.model_file.planning.neurons import with_sorted_neurons
from bitfold.model_file.syntax.body import write_body
from bitfold.model_file.syntax.coordinates import check_readable
from bitfold.model_file.syntax.header import with_header
from bitfold.model_file.syntax.plan import Plan
from bitfold.model_file.syntax.recipe import Recipe, most_numbers, recipe_of, write_recipe
from bitfold.model_file.syntax.structure import Holder

# The search for a given size encodes files of up to this many bits in full to know their size.
_MOST_BITS_TRIED = 2**21


class FileOptions(NamedTuple):
    """Options of a file that is written without a loss.

    Attributes:
        rest_bits: of numbers that are on no grid.
        names: whether names and shapes are written.
        sort_neurons: whether hidden neurons may be sorted.
    """

    rest_bits: int
    names: bool
    sort_neurons: bool


def rounded(holder: Holder, tolerance: float, options: FileOptions, *, keeps_grids: bool) -> bytes:
    """The shortest file of a module or of tensors at a tolerance."""
    files = list[bytes]()
    for one in _orders(holder, options):
        plan, _ = Planner(one, options.rest_bits).plan(tolerance, keeps_grids=keeps_grids)
        files.append(encoded(one, plan, names=options.names))
    return min(files, key=len)


def in_bytes(holder: Holder, num_bytes: int, options: FileOptions) -> bytes:
    """The most exact file of a module or of tensors of at most ``num_bytes``.

    Raises:
        ModelFileError: if the shortest file is longer.
    """
    # If neurons may be sorted, the sorted file is the shorter one at nearly all tolerances.
    one = _orders(holder, options)[-1]

    def size_of(plan: Plan, bits: float) -> float:
        if bits > _MOST_BITS_TRIED:
            return bits / 8
        return len(encoded(one, plan, names=options.names))

    data = b""
    for plan in plan_for_bytes(Planner(one, options.rest_bits), num_bytes, size_of):
        data = encoded(one, plan, names=options.names)
        if len(data) <= num_bytes:
            return data
    raise ModelFileError(
        f"Cannot write a model in {num_bytes:,} bytes: expected at least {len(data):,}, which it "
        "takes with the coarsest rounding. Allow more, or rest_bits=16 if it has large buffers."
    )


def calibrated(
    module: Holder,
    calibration: object,
    limits: tuple[int | None, float],
    options: FileOptions,
) -> bytes:
    """The file whose outputs differ least, of a size; or the shortest one within a tolerance.

    Args:
        module: any module.
        calibration: inputs of it, see `Calibration`.
        limits: a number of bytes, or None, and the tolerance that is used then.
        options: of the file.

    Raises:
        ModelFileError: if there is none, or tensors by name are given.
    """
    if not isinstance(module, nn.Module):
        raise ModelFileError(
            "Cannot calibrate: expected a module, which turns inputs into outputs, got tensors by "
            "name. Pass the module that has them, or leave out calibration."
        )
    if options.sort_neurons:
        raise ModelFileError(
            "Cannot calibrate: expected sort_neurons=False beside calibration, got True. Leave out "
            "one of them."
        )

    def encode(plan: Plan) -> bytes:
        return encoded(module, plan, names=options.names)

    files = CalibratedFiles(module, Calibration(calibration), options.rest_bits, encode)
    num_bytes, tolerance = limits
    if num_bytes is not None:
        return files.within_bytes(num_bytes)
    return files.within_tolerance(tolerance)


def _orders(holder: Holder, options: FileOptions) -> list[Holder]:
    """The module, and a copy with sorted neurons if they may and can be sorted."""
    other = None
    if options.sort_neurons and isinstance(holder, nn.Module):
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
