"""The log of one evaluation: each operation with its inputs, its results and its caller."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves

from bitfold.audit.fingerprint import Fingerprints, of_plain
from bitfold.audit.graph import Graph
from bitfold.audit.source_location import Application, Locator, SourceLocation


@dataclass(frozen=True)
class SeenTensor:
    """The state of a tensor at one moment.

    Args:
        fingerprint: of its elements; None if they cannot be read.
        carries: the modules that its graph leads to, one bit for each module.
        producers: indices of the operations that made or changed it.
        storage: address of its memory; None if unknown.
    """

    fingerprint: int | None
    carries: int
    producers: tuple[int, ...]
    storage: int | None


@dataclass(frozen=True, eq=False)
class Record:
    """One operation.

    Args:
        index: its position in the log.
        key: name, file, line, and how often this line ran it before; identifies the same operation
            in another evaluation.
        operation: its name.
        location: the line that called it.
        application: the custom Function in whose forward it ran; None outside of any.
        mode: ``"inference_mode"``, ``"no_grad"`` or empty.
        inputs: the tensors that it was given, before it ran.
        outputs: the tensors that it returned or changed in place, after it ran.
        arguments: fingerprints of the numbers and arrays that it was given.
        results: fingerprints of the numbers and arrays that it returned.
        dtype: of its first output; None if it returned no tensor.
    """

    index: int
    key: tuple[str, str, int, int]
    operation: str
    location: SourceLocation
    application: Application | None
    mode: str
    inputs: tuple[SeenTensor, ...]
    outputs: tuple[SeenTensor, ...]
    arguments: tuple[int, ...]
    results: tuple[int, ...]
    dtype: torch.dtype | None


@dataclass(eq=False)
class OperationLog:
    """All operations of one evaluation, in order.

    Args:
        records: the operations.
        graph: tells which modules the tensors' graphs lead to.
        value: the value that the term returned; None if it is not a tensor.
    """

    records: list[Record]
    graph: Graph
    value: SeenTensor | None = None


class Listener(Protocol):
    """Is told of tensors and random generators before an operation changes them."""

    def add_tensor(self, tensor: Tensor) -> None:
        """Take note of a tensor that existed before the term was called."""
        ...

    def add_generator(self, generator: torch.Generator) -> None:
        """Take note of a random generator."""
        ...


class OperationRecorder(TorchFunctionMode):
    """Records every operation that is called while this mode is active.

    Operations are intercepted where Python calls them: when one returns, its graph is complete.
    The recorder keeps every tensor alive, so that no identity is used twice.

    Args:
        graph: tells which modules a tensor's graph leads to.
        locator: finds the line that called an operation.
        fingerprints: computes fingerprints of tensors.
        listener: is told which tensors and generators an operation may change.
    """

    def __init__(
        self,
        graph: Graph,
        locator: Locator,
        fingerprints: Fingerprints,
        listener: Listener,
    ) -> None:
        super().__init__()
        self.log = OperationLog([], graph)
        self._locator = locator
        self._listener = listener
        self._fingerprints = fingerprints
        self._memory = _Memory()
        self._num_seen: dict[tuple[str, str, int], int] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation and record it."""
        kwargs = kwargs or {}
        # Tensors within vmap and other transforms cannot be read; the transform's result can.
        if torch._C._are_functorch_transforms_active():
            return func(*args, **kwargs)
        leaves = tree_leaves((args, kwargs))
        for leaf in leaves:
            if isinstance(leaf, torch.Generator):
                self._listener.add_generator(leaf)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        index = len(self.log.records)
        inputs = tuple(self.see(tensor, index) for tensor in tensors)
        if _may_write(func, kwargs):
            for tensor, seen in zip(tensors, inputs, strict=True):
                if not seen.producers:
                    self._listener.add_tensor(tensor)
        versions = [_version(tensor) for tensor in tensors]
        given = func(*args, **kwargs)
        results = tree_leaves(given)
        changed = [
            tensor
            for tensor, version, seen in zip(tensors, versions, inputs, strict=True)
            if self._is_changed(tensor, version, seen)
        ]
        made = [result for result in results if isinstance(result, Tensor)]
        if changed or made or any(isinstance(r, np.ndarray | int | float) for r in results):
            self._memory.note(index, tensors, changed, made, results)
            outputs = tuple(self.see(tensor, index) for tensor in (*made, *changed))
            dtype = made[0].dtype if made else None
            plain = (_numbers(leaves), _numbers(results))
            self._append(func, inputs, outputs, plain, dtype)
        return given

    def _is_changed(self, tensor: Tensor, version: int | None, seen: SeenTensor) -> bool:
        if version is not None:
            return _version(tensor) != version
        # Inference tensors count no versions.
        return self._fingerprint(tensor) != seen.fingerprint

    def _append(
        self,
        func: Callable[..., Any],
        inputs: tuple[SeenTensor, ...],
        outputs: tuple[SeenTensor, ...],
        plain: tuple[tuple[int, ...], tuple[int, ...]],
        dtype: torch.dtype | None,
    ) -> None:
        location, application = self._locator.locate()
        operation = _name(func)
        what = (operation, location.file, location.line)
        count = self._num_seen[what] = self._num_seen.get(what, 0) + 1
        records = self.log.records
        if records and records[-1].application == application:
            # Consecutive operations of one call share one object.
            application = records[-1].application
        records.append(
            Record(
                index=len(records),
                key=(*what, count),
                operation=operation,
                location=location,
                application=application,
                mode=_mode(),
                inputs=inputs,
                outputs=outputs,
                arguments=plain[0],
                results=plain[1],
                dtype=dtype,
            )
        )

    def see(self, tensor: Tensor, index: int) -> SeenTensor:
        """Return the state of a tensor.

        Args:
            tensor: any.
            index: the operation that gets the credit for graph nodes not seen before.
        """
        storage = _storage(tensor)
        return SeenTensor(
            fingerprint=self._cached_fingerprint(tensor),
            carries=self.log.graph.carries(tensor, index),
            producers=self._memory.producers(tensor, storage),
            storage=storage,
        )

    def _cached_fingerprint(self, tensor: Tensor) -> int | None:
        version = _version(tensor)
        if version is None:
            return self._fingerprint(tensor)
        key = (id(tensor), version, _storage(tensor))
        cache = self._memory.fingerprints
        if key not in cache:
            self._memory.kept[id(tensor)] = tensor
            cache[key] = self._fingerprint(tensor)
        return cache[key]

    def _fingerprint(self, tensor: Tensor) -> int | None:
        try:
            return self._fingerprints.of(tensor)
        except (RuntimeError, NotImplementedError, KeyError):
            # Meta, nested and other tensors whose elements cannot be read.
            return None


@dataclass(eq=False)
class _Memory:
    """Which operations made and changed each piece of memory.

    Args:
        kept: tensors by id; keeping a tensor keeps its id unique.
        fingerprints: by id, version and storage.
        made: for each tensor id, the operation that returned it.
        origins: for each storage, the operation that made it.
        writers: for each storage, the operations that changed it.
    """

    kept: dict[int, Tensor] = field(default_factory=dict)
    fingerprints: dict[tuple[int, int, int | None], int | None] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    origins: dict[int, int] = field(default_factory=dict)
    writers: dict[int, list[int]] = field(default_factory=dict)

    def note(
        self,
        index: int,
        inputs: Sequence[Tensor],
        changed: Sequence[Tensor],
        made: Sequence[Tensor],
        results: Sequence[Any],
    ) -> None:
        """Store which tensors an operation made and changed."""
        for tensor in changed:
            storage = _storage(tensor)
            if storage is not None:
                self.writers.setdefault(storage, []).append(index)
        known = {_storage(tensor) for tensor in inputs}
        for tensor in (*made, *changed):
            self.kept[id(tensor)] = tensor
            self.made[id(tensor)] = index
            storage = _storage(tensor)
            if storage is not None and storage not in known:
                self.origins[storage] = index
        for result in results:
            # A tensor that is later made from this array shares its memory.
            if isinstance(result, np.ndarray) and result.size:
                self.origins[int(result.__array_interface__["data"][0])] = index

    def producers(self, tensor: Tensor, storage: int | None) -> tuple[int, ...]:
        """Return the operations that made a tensor and those that changed it since."""
        start = self.made.get(id(tensor))
        if start is None and storage is not None:
            start = self.origins.get(storage)
        writers = () if storage is None else self.writers.get(storage, ())
        later = [writer for writer in writers if start is None or writer > start]
        return (*([] if start is None else [start]), *later)


def _version(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else int(tensor._version)


def _storage(tensor: Tensor) -> int | None:
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        return None
    try:
        return tensor.untyped_storage().data_ptr() or None
    except (RuntimeError, NotImplementedError):
        return None


def _numbers(leaves: Sequence[Any]) -> tuple[int, ...]:
    plain = (of_plain(leaf) for leaf in leaves)
    return tuple(number for number in plain if number is not None)


def _mode() -> str:
    if torch.is_inference_mode_enabled():
        return "inference_mode"
    return "" if torch.is_grad_enabled() else "no_grad"


def _may_write(func: Callable[..., Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether an operation's name or arguments say that it changes one of its inputs."""
    name = getattr(func, "__name__", "")
    if name.startswith("__"):
        return name.startswith("__i") or name in ("__setitem__", "__set__")
    return name.endswith("_") or kwargs.get("out") is not None


def _name(func: Callable[..., Any]) -> str:
    name = resolve_name(func) or getattr(func, "__name__", type(func).__name__)
    return str(name).removeprefix("torch.").removesuffix(".__get__")


def finite_number(value: object) -> float | None:
    """Return a term's value as a number; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    number = complex(value)
    return number.real if number.imag == 0 and math.isfinite(number.real) else None
