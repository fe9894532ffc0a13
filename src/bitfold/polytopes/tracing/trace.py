"""The operations of a module on a batch of inputs, as a list that can be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from bitfold.errors import PolytopeError
from bitfold.polytopes.tracing.dispatch import Watch, is_label, without_compiling
from bitfold.polytopes.tracing.linearity import first_not_linear, refuse_bent
from bitfold.polytopes.tracing.operation import Named, Operation, PerInput, Ref
from bitfold.polytopes.tracing.per_input import LinearPerInput
from bitfold.runtime.plain_operations import plain_operations

# A module is traced with two batch sizes: numbers that differ depend on the size. Both are unlikely
# as sizes of anything else.
BATCHES = (3, 7)


@dataclass(frozen=True)
class Trace:
    """All operations of a module, in order. Operation k makes result k + 1.

    Args:
        operations: the operations.
        output: the number of the result that is the output.
        lengths: the first side of each result that depends on the input; 0 for others.
    """

    operations: tuple[Operation, ...]
    output: int
    lengths: tuple[int, ...]


class _Tracer(Watch):
    """Records every operation, and the results that it uses."""

    def __init__(self, names: Mapping[int, str], inputs: Tensor) -> None:
        super().__init__()
        self._names, self.place = names, ""
        self._results: list[Any] = [inputs]  # kept alive, so that identity means something
        self._refs = {id(inputs): Ref(0)}
        self._is_derived = [True]
        self.operations: list[Operation] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if is_label(func):
            return func(*args, **kwargs)
        is_derived = False

        def refer(leaf: Any) -> Any:
            nonlocal is_derived
            if not isinstance(leaf, Tensor):
                return leaf
            ref = self._refs.get(id(leaf))
            if ref is not None:
                is_derived |= self._is_derived[ref.index]
                return ref
            name = self._names.get(id(leaf))
            return leaf.detach() if name is None else Named(name)

        referred = tuple(tree_map(refer, tuple(args))), tree_map(refer, dict(kwargs))
        result = func(*args, **kwargs)
        self.operations.append(Operation(func, *referred, self.place, is_derived))
        self._keep(result, is_derived)
        return result

    def _keep(self, result: Any, is_derived: bool) -> None:
        self._results.append(result)
        self._is_derived.append(is_derived)
        index = len(self._results) - 1
        if isinstance(result, Tensor):
            self._refs[id(result)] = Ref(index)
            return
        # Each of several results is fetched by an operation of its own.
        for number, leaf in enumerate(result if isinstance(result, Sequence) else ()):
            if isinstance(leaf, Tensor):
                fetched = Operation(_item, (Ref(index), number), {}, self.place, is_derived)
                self.operations.append(fetched)
                self._results.append(leaf)
                self._is_derived.append(is_derived)
                self._refs[id(leaf)] = Ref(len(self._results) - 1)

    def lengths(self) -> tuple[int, ...]:
        results = zip(self._results[1:], self._is_derived[1:], strict=True)
        return tuple(_length(result) if is_derived else 0 for result, is_derived in results)

    def ref_of(self, output: Tensor) -> int:
        return self._refs[id(output)].index if id(output) in self._refs else -1


def _length(result: Any) -> int:
    """Return a tensor's first side; 1 for a single number, and 0 for anything else."""
    if not isinstance(result, Tensor):
        return 0
    return len(result) if result.ndim else 1


class _Item:
    """Fetches one of several results; has a schema's name as operations of ATen do."""

    class _schema:  # noqa: N801 - as PyTorch calls it
        name = "aten::getitem"
        arguments = ()
        is_mutable = False

    def __call__(self, results: Sequence[Any], number: int) -> Any:
        return results[number]


_item = _Item()


def trace(module: nn.Module, example: Tensor) -> Trace:
    """Record the operations of a module on inputs of the shape of an example.

    The module is run twice, on batches of two sizes: numbers that differ depend on the size. It
    runs on the CPU, since accelerators have operations of their own.

    Args:
        module: any module whose operations do not depend on the values of its input.
        example: one input, without a batch, of the type that it takes.

    Returns:
        The module's operations.

    Raises:
        PolytopeError: the two runs differ in more than numbers proportional to the batch size.
    """
    first, second = (_run(module, example, size) for size in BATCHES)
    try:
        return _of_two(first, second)
    except PolytopeError:
        # What mixes inputs, such as the transpositions of an attention, is not the reason then.
        bent = first_not_linear(first.operations)
        if bent is not None:
            refuse_bent(bent)
        raise


def _of_two(first: Trace, second: Trace) -> Trace:
    """One trace of those on batches of two sizes."""
    if len(first.operations) != len(second.operations) or first.output != second.output:
        _refuse("the same operations for every number of inputs", "others for more of them")
    lengths = zip(first.operations, first.lengths, second.lengths, strict=True)
    for operation, one, other in lengths:
        where = f"{operation.name} in {operation.place!r}" if operation.place else operation.name
        if one * BATCHES[1] != other * BATCHES[0]:
            _refuse("each input to be worked on by itself", f"{where}, which mixes them")
        if one not in {0, BATCHES[0]}:
            _refuse(
                "inputs along the first side of every result",
                f"{one} rows for {BATCHES[0]} inputs from {where}",
            )
    pairs = zip(first.operations, second.operations, strict=True)
    merged = [_merged(*pair) for pair in pairs]
    return Trace(tuple(_with_derived(merged)), first.output, first.lengths)


def _with_derived(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Mark operations that use the number of inputs as depending on the input."""
    is_derived = [True]
    for one in operations:
        of_the_batch = any(isinstance(leaf, PerInput) for leaf in one.stand_ins)
        is_derived.append(
            one.is_derived or of_the_batch or any(is_derived[index] for index in one.refs)
        )
        yield one if is_derived[-1] == one.is_derived else replace(one, is_derived=True)


def _run(module: nn.Module, example: Tensor, size: int) -> Trace:
    items = {name: item.cpu() for name, item in module.named_parameters()}
    items |= {name: item.cpu() for name, item in module.named_buffers()}
    names = {id(item): name for name, item in items.items()}
    inputs = example.detach().cpu().unsqueeze(0).repeat(size, *[1] * example.ndim)
    tracer = _Tracer(names, inputs)
    tensors = (*module.parameters(), *module.buffers())
    is_on_cpu = all(item.device.type == "cpu" for item in tensors)
    try:
        with (
            torch.no_grad(),
            without_compiling(),
            _places(module, tracer),
            plain_operations(),
            tracer,
            LinearPerInput(),
        ):
            output = module(inputs) if is_on_cpu else functional_call(module, items, inputs)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PolytopeError(
            f"Cannot find polytopes: expected a module that takes inputs of shape "
            f"{tuple(inputs.shape)}, got: {reason}. Give a plane through inputs of its shape."
        ) from error
    if not isinstance(output, Tensor):
        _refuse("an output that is one tensor", type(output).__name__)
    if tracer.ref_of(output) < 0:
        _refuse("an output that depends on the input", "one that does not")
    return Trace(tuple(tracer.operations), tracer.ref_of(output), tracer.lengths())


@contextmanager
def _places(module: nn.Module, tracer: _Tracer) -> Iterator[None]:
    """Tell a tracer which submodule is running."""
    stack: list[str] = []

    def enter(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            stack.append(tracer.place)
            tracer.place = name

        return hook

    def leave(*_: Any) -> None:
        tracer.place = stack.pop()

    handles = []
    for name, part in module.named_modules():
        handles += [part.register_forward_pre_hook(enter(name))]
        handles += [part.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _merged(one: Operation, other: Operation) -> Operation:
    """Combine an operation on two batches, with `PerInput` where they differ."""
    if one.function is not other.function:
        _refuse("the same operations for every number of inputs", f"{one.name} or {other.name}")
    mine, structure = tree_flatten((one.args, dict(one.kwargs)))
    theirs, _ = tree_flatten((other.args, dict(other.kwargs)))
    leaves = [_merged_leaf(one.name, *pair) for pair in zip(mine, theirs, strict=True)]
    args, kwargs = tree_unflatten(leaves, structure)
    return Operation(one.function, args, kwargs, one.place, one.is_derived)


def _merged_leaf(name: str, mine: Any, theirs: Any) -> Any:
    if isinstance(mine, Tensor):
        if isinstance(theirs, Tensor) and mine.shape == theirs.shape:
            return mine
    elif mine == theirs:
        return mine
    elif isinstance(mine, int) and isinstance(theirs, int):
        times, rest = divmod(mine, BATCHES[0])
        if rest == 0 and theirs == times * BATCHES[1]:
            return PerInput(times)
    return _refuse("arguments that go with the number of inputs", f"others of {name}")


def _refuse(expected: str, got: str) -> Any:
    raise PolytopeError(
        f"Cannot find polytopes: expected {expected}, got {got}. Wrap the module in one that does."
    )
