"""The file of what a loss describes, written tensor by tensor. Importing this imports Numba."""

from __future__ import annotations

import contextlib
from functools import partial
from os import PathLike
from pathlib import Path

from bitfold.entropy_coding.streams import StreamWriter
from bitfold.errors import ModelFileError, printable
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file.planning.from_kolmogorov import plan_of_kolmogorov
from bitfold.model_file.syntax.body import write_body
from bitfold.model_file.syntax.coordinates import check_readable
from bitfold.model_file.syntax.header import FileWriter
from bitfold.model_file.syntax.plan import Plan, TensorPlan
from bitfold.model_file.syntax.recipe import Recipe, most_numbers, recipe_of, write_recipe
from bitfold.runtime.atomic_files import replacing

# What the first process tells the others: a word, then a number or an error.
_DONE, _AGAIN, _FAILED = "done", "again", "failed"


def write_described(path: str | PathLike[str], loss: KolmogorovLoss, *, names: bool) -> int:
    """Write the file that codes exactly what a loss describes.

    One tensor's numbers are held at a time. If the weights are divided among processes, all of them
    call this function, and the first one writes.

    Args:
        path: of the file; written whole or not at all.
        loss: of the module.
        names: whether names and shapes are written.

    Returns:
        The size of the file in bytes.

    Raises:
        ModelFileError: as `write_model`, in all processes.
    """
    path = Path(path)  # in all processes, which then refuse the same
    shards, recipe = loss.table.shards, recipe_of(loss.table.module)
    while True:
        turns = _Turns(plan_of_kolmogorov(loss))
        outcome = ""
        if shards.is_first:
            try:
                outcome = _attempt(path, turns.plan, recipe, names=names)
            except Exception as error:
                if shards.is_whole:
                    raise
                is_ours = isinstance(error, ModelFileError)
                outcome = f"{_FAILED} {error if is_ours else printable(repr(error))}"
        if not shards.is_whole:
            turns.take_the_rest()
        word, _, told = shards.send_text(outcome).partition(" ")
        if word == _FAILED:
            raise ModelFileError(told)
        if word == _DONE:
            return int(told)
        recipe = None  # a reader would refuse to build so large a network by so small a file


def _attempt(path: Path, plan: Plan, recipe: Recipe | None, *, names: bool) -> str:
    """Write the file, unless a reader would refuse the recipe; tell how it went."""
    try:
        with replacing(path) as file:
            out = FileWriter(
                file,
                [tensor.item for tensor in plan.tensors],
                version=plan.version,
                has_recipe=recipe is not None,
                has_names=names,
            )
            writer = StreamWriter(out.write)
            if recipe is not None:
                write_recipe(writer, recipe)
            write_body(writer, plan)
            writer.stream()
            if recipe is not None and recipe.num_numbers > most_numbers(out.num_bytes):
                raise _RecipeTooLargeError
            check_readable(plan, out.num_bytes)
            return f"{_DONE} {out.finish()}"
    except _RecipeTooLargeError:
        return _AGAIN
    except OSError as error:
        raise ModelFileError(
            f"Cannot write {path}: {error.strerror}. Free some space, or choose another path."
        ) from None


class _RecipeTooLargeError(Exception):
    """Ends an attempt, whose file is then deleted."""


class _Turns:
    """Counts the tensors that are loaded, each of which takes a message from every process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        loads = {number: tensor.load for number, tensor in enumerate(plan.tensors)}
        self._waiting = {number: load for number, load in loads.items() if load is not None}
        for number in self._waiting:
            plan.tensors[number].load = partial(self._take, number)

    def take_the_rest(self) -> None:
        """Load what was not loaded yet, for the sake of the processes that wait for its parts."""
        for number in list(self._waiting):
            # The first process has the same error, and tells it.
            with contextlib.suppress(ModelFileError):
                self._take(number)

    def _take(self, number: int) -> TensorPlan:
        return self._waiting.pop(number)()
