"""A module as the bytes of a model file. Importing this imports Numba."""

from __future__ import annotations

from torch import nn

from bitfold.codec.body import write_body
from bitfold.codec.coder import StreamWriter
from bitfold.codec.header import framed
from bitfold.codec.plan import Plan
from bitfold.codec.recipe import Recipe, most_numbers, recipe_of, write_recipe


def encoded(module: nn.Module, plan: Plan, *, names: bool = False) -> bytes:
    """The file of a module that is coded as planned."""
    recipe = recipe_of(module)
    stream = _stream(recipe, plan)
    if recipe is not None and recipe.num_numbers > most_numbers(len(stream)):
        # A reader would refuse to build so large a network on the word of so small a file.
        recipe, stream = None, _stream(None, plan)
    items = [tensor.item for tensor in plan.tensors]
    return framed(items, stream, has_recipe=recipe is not None, has_names=names)


def _stream(recipe: Recipe | None, plan: Plan) -> bytes:
    writer = StreamWriter()
    if recipe is not None:
        write_recipe(writer, recipe)
    write_body(writer, plan)
    return writer.stream()
