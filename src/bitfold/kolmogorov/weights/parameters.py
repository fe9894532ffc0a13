"""The described parameters of a module as one vector of weights, each with its position."""

import copy
from collections.abc import Sequence
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.weights.division import shards_of
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.selection import Pattern, select
from bitfold.kolmogorov.weights.submodules import Submodules
from bitfold.kolmogorov.weights.weight_subset import WeightSubset
from bitfold.runtime.memory.parameter_memory import FlatMemory
from bitfold.runtime.module_state import hidden_weights
from bitfold.runtime.sharding.sharded_modules import (
    is_sharded,
    local_part,
    refused_division,
    restore_shards,
)
from bitfold.runtime.tensor_kinds import odd_kind
from bitfold.runtime.wrapped_modules import plain_names

# float32 is spaced by 2^-24 below 1, so i / (n - 1) stays distinct for i < n <= 2^23.
MAX_SIDE = 2**23


class ParameterTable:
    """The trainable parameters of a module, tied ones once, in the module's order.

    The table refers to the module and is no module itself, so that a loss that holds it does not
    register the module's parameters. Parameters that are frozen when the table is made are left out
    and named in ``frozen``, those left out on request in ``excluded``.

    Parameters that ``fully_shard`` has divided keep their whole shapes and sizes here. Vectors of
    weights then are those of the parts that this process holds; see `Shards`.

    Args:
        module: any module with at least one trainable parameter, all on one device.
        include: which parameters to describe, see `selection.select`.
        exclude: which of them not to.

    Raises:
        KolmogorovError: if ``module`` is no module, if one of its parameters or buffers is not yet
            initialised, if no trainable parameter is left to describe, or if a parameter is empty,
            complex, not finite, longer than 2^23 on a side, on the meta device or on another device
            than the first one.

    Example:
        >>> table = ParameterTable(nn.Linear(2, 3))
        >>> table.names, table.num_weights
        (('weight', 'bias'), 9)
        >>> table.positions()[-1]
        tensor([0., 1., 0., 0., 1.])
    """

    def __init__(
        self,
        module: nn.Module,
        include: Pattern | None = None,
        exclude: Pattern | None = None,
    ) -> None:
        _check_module(module)
        restore_shards(module)
        self.module = module
        kept, self.frozen, self.excluded = select(module, include, exclude)
        self.shards = shards_of(kept)
        self.names = tuple(kept)
        self.parameters = tuple(kept.values())
        self.check_values()
        self.shapes = tuple(item.shape for item in self.parameters)
        self.sizes = [item.numel() for item in self.parameters]
        self.num_weights = sum(self.sizes)
        self.layout = Layout(module, list(kept.items()), self.shards)
        held = self.held()
        self.held_shapes = tuple(item.shape for item in held)
        self.held_sizes = [item.numel() for item in held]
        # Buffers that are not saved follow from the rest: a decoder rebuilds them.
        saved, plain = module.state_dict().keys(), plain_names(module)
        buffers = (name for name, _ in module.named_buffers())
        self.buffers = tuple(plain(name) for name in buffers if name in saved)
        self.submodules = Submodules(module)
        self._memory = FlatMemory(())
        # Whether the module now holds other tensors in place of the parameters; see `with_weights`.
        self.is_replaced = False
        # Kept here for `grid.straight_through`, which makes it.
        self.recomputation: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "ParameterTable":
        copied = copy.copy(self)
        memo[id(self)] = copied
        for name, item in vars(self).items():
            if name != "recomputation":
                setattr(copied, name, copy.deepcopy(item, memo))
        # The parameters of a copy lie at other addresses.
        copied._memory = FlatMemory(())
        copied.recomputation = None
        return copied

    def dtype(self) -> torch.dtype:
        """The dtype to compute in: the widest of the parameters, at least float32."""
        widest = torch.float32
        for item in self.parameters:
            widest = torch.promote_types(widest, item.dtype)
        return widest

    def check(self) -> None:
        """Check that the module still has the described parameters.

        Raises:
            KolmogorovError: if a parameter or submodule was added, removed, replaced or resized.
        """
        changed = None if self.is_replaced else self.submodules.changed()
        if changed is not None:
            raise KolmogorovError(
                f"Cannot describe {type(changed).__name__}: expected the parameters it had when it "
                "was wrapped, got added, removed, replaced or resized ones. Make a new "
                "KolmogorovLoss."
            )

    def check_values(self) -> None:
        """Check that every parameter can be described and is finite, on all processes.

        Raises:
            KolmogorovError: if one is not; the message names it.
        """
        named = list(zip(self.names, self.parameters, strict=True))
        for name, item in named:
            _check_parameter(name, item, self.device)
        found = [~torch.isfinite(item.detach()).all().view(1) for item in self.held()]
        (is_odd,) = self.shards.any([torch.cat(found)])
        for (name, _), odd in zip(named, is_odd.tolist(), strict=True):
            if odd:
                _refuse(name, "NaN or infinite values. Initialise it first")

    def held(self) -> Sequence[Tensor]:
        """The parameters, or the parts of them that lie here."""
        return self.shards.own(self.parameters)

    def flatten(self) -> Tensor:
        """All weights that lie here as one vector: (n,); with a graph, unless they are divided."""
        return torch.cat([item.reshape(-1) for item in self.held()])

    def values(self) -> Tensor:
        """A copy of all weights that lie here as one vector without a graph: (n,)."""
        plain = self.plain_values()
        if plain is not None:
            return torch.from_numpy(plain)
        with torch.no_grad():
            return self.flatten()

    def plain_values(self) -> NDArray[np.float32] | None:
        """What `values` gives, where `plain_views` gives something."""
        return None if self.plain_views() is None else self._memory.flat()

    def plain_views(self) -> list[NDArray[np.float32]] | None:
        """The memory of each tensor's weights that lie here, if compiled loops can read them.

        Returns:
            float32 (n,) of each tensor; None unless all are contiguous float32 on the CPU. They are
            made once, since making them takes as long as the loops take for a small tensor.
        """
        held = self.held()
        if not self._memory.is_that_of(held):
            self._memory = FlatMemory(held)
        return self._memory.views

    def split(self, vector: Tensor) -> dict[str, Tensor]:
        """Cut a vector in the order of `flatten` into parameters, by name.

        Args:
            vector: (n,), of the weights that lie here.

        Returns:
            For each described parameter a tensor of its shape and dtype, divided as it is.
        """
        return dict(zip(self.names, self.pieces(vector), strict=True))

    def pieces(self, vector: Tensor) -> list[Tensor]:
        """Cut a vector as `split` does, without the names, in the parameters' order."""
        pieces = list(torch.split(vector, self.held_sizes))
        for number, item in enumerate(self.parameters):
            if item.ndim != 1:
                pieces[number] = pieces[number].view(self.held_shapes[number])
            if item.dtype != vector.dtype:
                pieces[number] = pieces[number].to(item.dtype)
        return self.shards.joined(pieces, self.parameters)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.parameters[0].device

    def named(self, names: tuple[str, ...]) -> list[Tensor]:
        """The parameters and buffers with these names."""
        module, plain = self.module, plain_names(self.module)
        own = chain(module.named_parameters(), module.named_buffers())
        by_name = {plain(name): item for name, item in own}
        return [by_name[name] for name in names]

    def all_weights(self) -> WeightSubset:
        """All weights as a subset, in the order of `flatten`."""
        return WeightSubset(self.layout, 0, self.layout.num_weights, self.device)

    def positions(self) -> Tensor:
        """Normalised position of each weight: layer, output, input, kernel offset, kind.

        Every coordinate goes from 0 to 1, and no two weights share a position. `Layout` says which
        parameters form a layer. Outputs are a tensor's first dimension, inputs its second (the
        other way round for a transposed convolution), and offsets all others together. The kind is
        0 for a weight, 1/2 for a gain of a norm or another parameter of one dimension, 1 for a
        bias.

        Returns:
            float32 (num_weights, 5), in the order of `flatten`, on the parameters' device.
        """
        return self.all_weights().positions


def _check_module(module: nn.Module) -> None:
    divided = refused_division(module)
    if divided is not None:
        raise KolmogorovError(
            f"Cannot describe a module: expected a module of which each process holds all or whole "
            f"rows, got {divided}."
        )
    if not isinstance(module, nn.Module):
        raise KolmogorovError(
            "Cannot describe a module: expected a torch.nn.Module, got an object of type "
            f"{type(module).__name__}. Put parameters that stand alone into an nn.ParameterList."
        )
    for name, item in chain(module.named_parameters(), module.named_buffers()):
        if is_lazy(item):
            _refuse(name, odd_kind(item))
    hidden = hidden_weights(module)
    if hidden is not None:
        raise KolmogorovError(
            f"Cannot describe a {type(module).__name__}: expected its weights in parameters and "
            f"buffers, got {hidden}. Make the loss before the module is quantised."
        )


def _check_parameter(name: str, item: nn.Parameter, device: torch.device) -> None:
    found = odd_kind(local_part(item) if is_sharded(item) else item)
    if found is not None:
        _refuse(name, found)
    if item.numel() == 0:
        found = f"zero elements, shape {tuple(item.shape)}. Remove or freeze it"
    elif not item.is_floating_point():
        found = f"{item.dtype}. Split complex parameters into real ones"
    elif item.dtype.itemsize == 1:
        found = f"{item.dtype}, in which no training computes. Convert it to bfloat16 or float32"
    elif max([*item.shape[:2], item.shape[2:].numel()]) > MAX_SIDE:
        found = f"shape {tuple(item.shape)}, more than {MAX_SIDE} on a side. Split it"
    elif item.device != device:
        found = f"one on {item.device} beside one on {device}. Move the module to one device"
    if found is not None:
        _refuse(name, found)


def _refuse(name: str, found: str | None) -> NoReturn:
    raise KolmogorovError(
        f"Cannot describe parameter {name!r}: expected finite real numbers, got {found}."
    )
