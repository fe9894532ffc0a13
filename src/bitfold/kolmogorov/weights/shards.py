"""Where described weights lie: all in this process, or rows of each tensor on each of several.

Everything that K adds up over weights goes through `Shards.totals`, so that a module on one process
and a module divided among many take the same way.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

import torch
import torch.distributed as dist
from torch import Tensor

from bitfold.kolmogorov.weights.box import Box
from bitfold.runtime.accumulation_dtype import accumulation_dtype

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


class Held(NamedTuple):
    """The part of one tensor that this process holds: some lines of its first dimension.

    Attributes:
        first: number of the first of these lines in the whole tensor.
        box: the part, which may be empty.
        whole: the whole tensor.

    Example:
        >>> held = Held(2, Box(1, 4, 1), Box(3, 4, 1))
        >>> held.spread(torch.tensor([7.0]), axis=0)
        tensor([0., 0., 7.])
    """

    first: int
    box: Box
    whole: Box

    def lines(self, axis: int) -> slice:
        """Which rows (axis 0) or columns (axis 1) of the whole tensor the part touches."""
        first = self.first if axis == self.divided_axis else 0
        return slice(first, first + self.box[axis])

    def spread(self, numbers: Tensor, axis: int) -> Tensor:
        """Numbers of the part's rows or columns as numbers of all of them; 0 for the others."""
        if len(numbers) == self.whole[axis]:
            return numbers
        spread = numbers.new_zeros(self.whole[axis])
        spread[self.lines(axis)] = numbers
        return spread

    @property
    def divided_axis(self) -> int:
        """The axis of the first dimension in memory: 0 for rows, 1 for columns."""
        return int(self.whole.is_transposed)


class Shards(abc.ABC):
    """How the described weights are divided among processes.

    Methods that add up, gather or send are collective: all processes call them in the same order.

    Attributes:
        is_whole: whether all weights lie in one process.
        rank: of this process among those that hold the parts.
        is_first: whether this process is the first of all; it writes and reads files.
        groups: of processes in which initial values have to agree, the wider ones first.
    """

    is_whole: bool
    rank: int
    is_first: bool
    groups: Sequence[dist.ProcessGroup]

    @abc.abstractmethod
    def held(self, box: Box) -> Held:
        """The part of a whole tensor that lies here."""

    @abc.abstractmethod
    def own(self, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
        """The numbers of parameters that lie here, in the parameters' own memory, without graph."""

    @abc.abstractmethod
    def joined(self, parts: list[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
        """Parts of tensors that lie here as tensors that are divided as the parameters are."""

    @abc.abstractmethod
    def totals(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sums over all processes; each has the tensor's shape and type."""

    @abc.abstractmethod
    def largest(self, tensor: Tensor) -> Tensor:
        """The largest numbers of all processes, place by place."""

    @abc.abstractmethod
    def any(self, flags: Sequence[Tensor]) -> list[Tensor]:
        """Whether a flag is set in any process, place by place: bool (n,) each."""

    @abc.abstractmethod
    def gathered(self, part: Tensor, parameter: Tensor) -> Tensor:
        """The whole tensor of which each process has a part, divided as a parameter is."""

    @abc.abstractmethod
    def send(self, tensor: Tensor) -> None:
        """Overwrite a tensor with that of the first process, everywhere."""

    def send_text(self, text: str) -> str:
        """The text of the first process, everywhere."""
        if self.is_whole:
            return text
        data = torch.tensor(list(text.encode()), dtype=torch.uint8, device="cpu")
        size = torch.tensor([len(data)], device="cpu")
        self.send(size)
        data = data if self.is_first else torch.zeros(int(size), dtype=torch.uint8, device="cpu")
        self.send(data)
        return bytes(data.tolist()).decode()


@final
class Whole(Shards):
    """All weights lie in this process."""

    is_whole, rank, is_first, groups = True, 0, True, ()

    def held(self, box: Box) -> Held:
        """All of it."""
        return Held(0, box, box)

    def own(self, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
        """The parameters."""
        return parameters

    def joined(self, parts: list[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
        """The parts, which are whole."""
        del parameters
        return parts

    def totals(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors."""
        return list(tensors)

    def largest(self, tensor: Tensor) -> Tensor:
        """The tensor."""
        return tensor

    def any(self, flags: Sequence[Tensor]) -> list[Tensor]:
        """The flags."""
        return list(flags)

    def gathered(self, part: Tensor, parameter: Tensor) -> Tensor:
        """The part, which is whole."""
        del parameter
        return part

    def send(self, tensor: Tensor) -> None:
        """Nothing: there is one process."""


@final
class RowShards(Shards):
    """Each process holds consecutive lines of each tensor's first dimension, as FSDP2 divides them.

    Of d lines n processes hold ``ceil(d / n)`` each; the last ones may hold fewer or none.

    Args:
        group: the processes that together hold each tensor once.
        replicas: groups of processes that hold the same parts.
        device: on which messages are sent.
    """

    is_whole = False

    def __init__(
        self,
        group: dist.ProcessGroup,
        replicas: Sequence[dist.ProcessGroup] = (),
        device: torch.device | None = None,
    ) -> None:
        self.group, self.groups = group, (*replicas, group)
        self.rank, self._size = group.rank(), group.size()
        self.is_first = all(one.rank() == 0 for one in self.groups)
        self._device = device or torch.device("cpu")

    def __deepcopy__(self, memo: dict[int, Any]) -> RowShards:
        # Processes cannot be copied: a copy shares them.
        return self

    def held(self, box: Box) -> Held:
        """This process's lines of the first dimension."""
        first, stop = self.lines(box.in_memory[0])
        count = stop - first
        if box.is_transposed:
            return Held(first, box._replace(num_inputs=count), box)
        return Held(first, box._replace(num_outputs=count), box)

    def lines(self, num_lines: int) -> tuple[int, int]:
        """The first of this process's lines of a dimension, and the one after the last."""
        each = -(-num_lines // self._size)
        return min(self.rank * each, num_lines), min((self.rank + 1) * each, num_lines)

    def own(self, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
        """The local parts of DTensors."""
        with torch.no_grad():
            return [_as_dtensor(item).to_local() for item in parameters]

    def joined(self, parts: list[Tensor], parameters: Sequence[Tensor]) -> list[Tensor]:
        """DTensors of the same mesh, placement and shape as the parameters."""
        from torch.distributed.tensor import DTensor  # noqa: PLC0415 - takes seconds to import

        found = list[Tensor]()
        for part, item in zip(parts, map(_as_dtensor, parameters), strict=True):
            given = (item.device_mesh, item.placements)
            shape, stride = item.shape, item.stride()
            found.append(
                DTensor.from_local(part, *given, run_check=False, shape=shape, stride=stride)
            )
        return found

    def totals(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """By one message for all tensors."""
        return add_up(tensors, self.group)

    def largest(self, tensor: Tensor) -> Tensor:
        """By one message."""
        found = tensor.clone()
        dist.all_reduce(found, dist.ReduceOp.MAX, group=self.group)
        return found

    def any(self, flags: Sequence[Tensor]) -> list[Tensor]:
        """By one message, a byte a flag."""
        message = torch.cat([item.to(torch.uint8) for item in flags])
        dist.all_reduce(message, dist.ReduceOp.MAX, group=self.group)
        return [item.bool() for item in torch.split(message, [len(item) for item in flags])]

    def gathered(self, part: Tensor, parameter: Tensor) -> Tensor:
        """By one message of the size of the tensor."""
        (joined,) = self.joined([part.view(_as_dtensor(parameter).to_local().shape)], [parameter])
        return _as_dtensor(joined).full_tensor()

    def send(self, tensor: Tensor) -> None:
        """By a message among replicas, then one to the other parts."""
        message = tensor.to(self._device)
        for group in self.groups:
            dist.broadcast(message, dist.get_global_rank(group, 0), group=group)
        tensor.copy_(message)


def add_up(tensors: Sequence[Tensor], group: dist.ProcessGroup) -> list[Tensor]:
    """The sums of tensors over all processes, in one message of float64 where there is such."""
    dtype = accumulation_dtype(tensors[0].device)
    message = torch.cat([item.reshape(-1).to(dtype) for item in tensors])
    dist.all_reduce(message, group=group)
    pieces = torch.split(message, [item.numel() for item in tensors])
    return [
        piece.view(item.shape).to(item.dtype) for piece, item in zip(pieces, tensors, strict=True)
    ]


def _as_dtensor(item: Any) -> DTensor:
    """A parameter of which `shards_of` has found that it is a DTensor."""
    found: DTensor = item
    return found
