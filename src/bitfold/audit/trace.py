"""A record of every operation of one evaluation: what it was given, what it gave, and where."""

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
from bitfold.audit.source_location import Application, Locator, Place


@dataclass(frozen=True)
class Seen:
    """A tensor as it was at one moment.

    Args:
        fingerprint: of its elements; None if they cannot be read.
        carries: the modules that its graph leads to, a bit each.
        producers: records that made or changed it.
        storage: where its memory lies; None if unknown.
    """

    fingerprint: int | None
    carries: int
    producers: tuple[int, ...]
    storage: int | None


@dataclass(frozen=True, eq=False)
class Record:
    """One operation.

    Args:
        index: its number in the evaluation.
        key: operation, place and how often it came to that; tells what it is in another evaluation.
        operation: its name.
        place: who called it.
        application: the custom Function in whose forward it ran.
        mode: ``"inference_mode"``, ``"no_grad"`` or empty.
        inputs: tensors, before.
        outputs: tensors given back or changed in place, after.
        arguments: fingerprints of the numbers and arrays that it was given.
        results: fingerprints of the numbers and arrays that it gave back.
        dtype: of its first output.
    """

    index: int
    key: tuple[str, str, int, int]
    operation: str
    place: Place
    application: Application | None
    mode: str
    inputs: tuple[Seen, ...]
    outputs: tuple[Seen, ...]
    arguments: tuple[int, ...]
    results: tuple[int, ...]
    dtype: torch.dtype | None


@dataclass(eq=False)
class Trace:
    """All operations of one evaluation, in order.

    Args:
        records: the operations.
        graph: knows which modules the tensors' graphs lead to.
        value: the term's value as it was given back; None if it is no tensor.
    """

    records: list[Record]
    graph: Graph
    value: Seen | None = None


class Listener(Protocol):
    """Whoever wants to know of a tensor or random generator before it changes."""

    def add_tensor(self, tensor: Tensor) -> None:
        """Be told of a tensor that was there before the term."""
        ...

    def add_generator(self, generator: torch.Generator) -> None:
        """Be told of a random generator."""
        ...


class Tracer(TorchFunctionMode):
    """Records the operations that are called while this mode is active.

    Operations are seen as they are called from Python, so that autograd has done its part when one
    of them returns. Every tensor is kept until the tracer goes, so that no identity is used twice.

    Source: none, ours.

    Args:
        graph: knows the modules' parameters.
        locator: finds callers.
        fingerprints: of tensors.
        listener: is told of what an operation is about to change.
    """

    def __init__(
        self,
        graph: Graph,
        locator: Locator,
        fingerprints: Fingerprints,
        listener: Listener,
    ) -> None:
        super().__init__()
        self.trace = Trace([], graph)
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
        """Record one operation, and carry it out."""
        kwargs = kwargs or {}
        # Tensors of vmap and the like are not to be read; what comes out of it is.
        if torch._C._are_functorch_transforms_active():
            return func(*args, **kwargs)
        leaves = tree_leaves((args, kwargs))
        for leaf in leaves:
            if isinstance(leaf, torch.Generator):
                self._listener.add_generator(leaf)
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        index = len(self.trace.records)
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

    def _is_changed(self, tensor: Tensor, version: int | None, seen: Seen) -> bool:
        if version is not None:
            return _version(tensor) != version
        # Inference tensors count no versions.
        return self._fingerprint(tensor) != seen.fingerprint

    def _append(
        self,
        func: Callable[..., Any],
        inputs: tuple[Seen, ...],
        outputs: tuple[Seen, ...],
        plain: tuple[tuple[int, ...], tuple[int, ...]],
        dtype: torch.dtype | None,
    ) -> None:
        place, application = self._locator.locate()
        operation = _name(func)
        what = (operation, place.file, place.line)
        count = self._num_seen[what] = self._num_seen.get(what, 0) + 1
        records = self.trace.records
        if records and records[-1].application == application:
            # The operations of one call stand together, and share one object.
            application = records[-1].application
        records.append(
            Record(
                index=len(records),
                key=(*what, count),
                operation=operation,
                place=place,
                application=application,
                mode=_mode(),
                inputs=inputs,
                outputs=outputs,
                arguments=plain[0],
                results=plain[1],
                dtype=dtype,
            )
        )

    def see(self, tensor: Tensor, index: int) -> Seen:
        """Return what a tensor is now.

        Args:
            tensor: any.
            index: the record to which the graph's new nodes are put down.
        """
        storage = _storage(tensor)
        return Seen(
            fingerprint=self._cached_fingerprint(tensor),
            carries=self.trace.graph.carries(tensor, index),
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
    """Who made and who changed which memory.

    Args:
        kept: tensors by their id, which stays theirs as long as they are kept.
        fingerprints: by id, version and storage.
        made: by id, the record that gave the tensor back.
        origins: by storage, the record that made it.
        writers: by storage, the records that changed it.
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
        """Take down what a record made and changed."""
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
            # A tensor made from this array later shares its memory.
            if isinstance(result, np.ndarray) and result.size:
                self.origins[int(result.__array_interface__["data"][0])] = index

    def producers(self, tensor: Tensor, storage: int | None) -> tuple[int, ...]:
        """Return the records that made a tensor what it is."""
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
    """Whether an operation looks as if it changed a tensor that it is given."""
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
