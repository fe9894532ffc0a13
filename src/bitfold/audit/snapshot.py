"""The state that evaluating a loss may change, and how it is restored."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

_TABLES = ("_parameters", "_buffers", "_modules")


class Snapshot:
    """The state of modules and random generators at one moment.

    `restore` brings parameters and buffers back bit for bit and as the same objects, with their
    gradients, ``requires_grad``, training mode and the modules' other plain attributes. It writes
    values through ``.data``, so that a graph that the caller holds stays valid.

    Args:
        modules: the modules; their submodules are included.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules: dict[nn.Module, dict[str, Any]] = {}
        self._tables: dict[nn.Module, dict[str, dict[str, Any]]] = {}
        self._tensors: dict[int, _TensorState] = {}
        self._generators: dict[int, tuple[torch.Generator, Tensor]] = {}
        self._random = _RandomState()
        for module in modules:
            for inner in module.modules():
                self.add(inner)

    def add(self, module: nn.Module) -> None:
        """Store a module's state, without its submodules, unless it is stored already."""
        if module in self._modules:
            return
        # Python cannot reach the attributes of a scripted module, but it can reach its tensors.
        is_plain = not isinstance(module, torch.jit.ScriptModule)
        self._modules[module] = dict(vars(module)) if is_plain else {}
        self._tables[module] = (
            {name: dict(vars(module)[name]) for name in _TABLES} if is_plain else {}
        )
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            self.add_tensor(tensor)

    def add_tensor(self, tensor: Tensor) -> None:
        """Store a leaf tensor's state, unless it is stored already."""
        if id(tensor) not in self._tensors:
            self._tensors[id(tensor)] = _TensorState(tensor)

    def add_generator(self, generator: torch.Generator) -> None:
        """Store a random generator's state, unless it is stored already."""
        if id(generator) not in self._generators:
            self._generators[id(generator)] = (generator, generator.get_state())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within this context, store each module just before this thread's first call of it."""
        thread = threading.get_ident()  # the hook hears of all: others may be training theirs

        def store(module: nn.Module, _: object) -> None:
            if threading.get_ident() == thread:
                self.add(module)

        handle = register_module_forward_pre_hook(store)
        try:
            yield
        finally:
            handle.remove()

    def restore(self) -> None:
        """Restore everything that is stored."""
        for module, attributes in self._modules.items():
            if not attributes:
                continue
            vars(module).clear()
            vars(module).update(attributes)
            for name, table in self._tables[module].items():
                vars(module)[name].clear()
                vars(module)[name].update(table)
        for state in self._tensors.values():
            state.restore()
        for generator, generator_state in self._generators.values():
            generator.set_state(generator_state)
        self._random.restore()


class _TensorState:
    """A leaf tensor's elements, gradient and flag."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._values = tensor.detach().clone()
        self._requires_grad = tensor.requires_grad
        self._gradient = tensor.grad if tensor.is_leaf else None
        self._gradient_values = None if self._gradient is None else self._gradient.detach().clone()

    def restore(self) -> None:
        tensor = self._tensor
        tensor.data.copy_(self._values)
        if tensor.is_leaf and tensor.requires_grad != self._requires_grad:
            tensor.requires_grad_(self._requires_grad)
        if tensor.is_leaf and tensor.grad is not self._gradient:
            tensor.grad = self._gradient
        if self._gradient is not None and self._gradient_values is not None:
            self._gradient.data.copy_(self._gradient_values)


class _RandomState:
    """The global random states of PyTorch on all devices in use, NumPy and Python."""

    def __init__(self) -> None:
        self._torch = torch.get_rng_state()
        in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self._cuda = torch.cuda.get_rng_state_all() if in_use else []
        self._numpy = np.random.get_state()  # noqa: NPY002 - the global state is what terms use
        self._python = random.getstate()

    def restore(self) -> None:
        torch.set_rng_state(self._torch)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
        np.random.set_state(self._numpy)  # noqa: NPY002 - see above
        random.setstate(self._python)
