"""The shape of a tensor as outputs by inputs by kernel offsets, and their order in memory."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.parameter import is_lazy

Ints = NDArray[np.int64]


class Box(NamedTuple):
    """The numbers of one tensor: outputs by inputs by kernel offsets.

    Attributes:
        num_outputs: rows.
        num_inputs: columns.
        num_offsets: offsets within a kernel.
        is_transposed: whether inputs, not outputs, are the first dimension in memory.
    """

    num_outputs: int
    num_inputs: int
    num_offsets: int
    is_transposed: bool = False

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.num_outputs * self.num_inputs * self.num_offsets

    @property
    def line_counts(self) -> tuple[int, ...]:
        """Numbers of rows and columns that can have scales: nothing if there is one row or column.

        A scale for each number would cost as much as the number.
        """
        counts = self.num_outputs, self.num_inputs
        return counts if min(counts) > 1 else ()

    @property
    def in_memory(self) -> tuple[int, int, int]:
        """Sizes of the slower and the faster of outputs and inputs, and the number of offsets."""
        if self.is_transposed:
            return self.num_inputs, self.num_outputs, self.num_offsets
        return self.num_outputs, self.num_inputs, self.num_offsets

    def locate(self, flat: Ints) -> tuple[Ints, Ints, Ints]:
        """Output, input and kernel offset of numbers, from their indices in memory."""
        _, inner, offsets = self.in_memory
        slower, faster = flat // (inner * offsets), flat // offsets % inner
        outputs, inputs = (faster, slower) if self.is_transposed else (slower, faster)
        return outputs, inputs, flat % offsets

    def unflatten(self, numbers: Tensor) -> Tensor:
        """One number for each place, in the order of memory, as (outputs, inputs, offsets)."""
        found = numbers.view(self.in_memory)
        return found.transpose(0, 1) if self.is_transposed else found


def box_of(shape: Sequence[int], *, is_transposed: bool) -> Box:
    """The box of a tensor. A vector has one input, a scalar one output too.

    Args:
        shape: of the tensor.
        is_transposed: whether inputs are the first dimension.

    Example:
        >>> box_of((3, 2, 5, 5), is_transposed=True)
        Box(num_outputs=2, num_inputs=3, num_offsets=25, is_transposed=True)
    """
    first, second, *_ = (*shape, 1, 1)
    outputs, inputs = (second, first) if is_transposed else (first, second)
    return Box(outputs, inputs, math.prod(shape[2:]), is_transposed)


def transposed_tensors(module: nn.Module) -> frozenset[int]:
    """The identities of the kernels of transposed convolutions, whose first dimension is inputs.

    A tensor that several parts hold counts as that of the first of them.

    Args:
        module: that holds the tensors.
    """
    if not any(isinstance(part, _ConvTransposeNd) for part in module.modules()):
        return frozenset()
    first_owners = dict[int, tuple[nn.Module, int]]()
    for part in module.modules():
        for item in (*part._parameters.values(), *part._buffers.values()):
            if item is not None and not is_lazy(item):
                first_owners.setdefault(id(item), (part, item.ndim))
    return frozenset(
        found
        for found, (owner, num_dimensions) in first_owners.items()
        if isinstance(owner, _ConvTransposeNd) and num_dimensions > 2
    )
