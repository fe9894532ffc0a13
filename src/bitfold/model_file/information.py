"""The parts of a model file and their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import nn

from bitfold.model_file.files import bytes_of
from bitfold.model_file.syntax.header import Header, read_header
from bitfold.runtime.display.html_tables import html_table

if TYPE_CHECKING:
    from bitfold.model_file.syntax.plan import TensorPlan


class FileItem(NamedTuple):
    """One part of a model file.

    Attributes:
        name: of a tensor, or of another part.
        bits: of the part; fractional for parts that share the coder's stream.
        num_numbers: how many numbers a tensor holds; 0 for other parts.
        method: the code of a tensor.
        step: between two values of a tensor's grid.
        num_zeros: how many numbers are 0.
        num_dead: how many outputs have no weight but 0.
    """

    name: str
    bits: float
    num_numbers: int = 0
    method: str = ""
    step: float = 0.0
    num_zeros: int = 0
    num_dead: int = 0


_HEAD = ("", "bytes", "numbers", "bits each", "zeros", "dead", "step", "coded as")


@dataclass(frozen=True, eq=False)
class ModelFileInfo:
    """A model file, item by item; ``str()`` is a table.

    Args:
        items: all parts; their bits add up to the file's.
        num_bytes: size of the file.
        note: what cannot be told, and why; empty if everything is.
    """

    items: tuple[FileItem, ...]
    num_bytes: int
    note: str = ""

    @property
    def num_numbers(self) -> int:
        """How many numbers all tensors hold."""
        return sum(item.num_numbers for item in self.items)

    def _repr_html_(self) -> str:
        rows = self._rows()
        title = f"A model file of {self.num_bytes:,} bytes"
        return html_table(title, _HEAD, rows, note=self.note, emphasised=[len(rows) - 1])

    def _rows(self) -> list[tuple[str, ...]]:
        """The cells of each part and of all together."""
        total = FileItem(
            "total",
            8.0 * self.num_bytes,
            self.num_numbers,
            num_zeros=sum(item.num_zeros for item in self.items),
            num_dead=sum(item.num_dead for item in self.items),
        )
        return [*map(_cells, (*self.items, total))]

    def __str__(self) -> str:
        lines = [_HEAD, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = "\n".join(
            "  ".join(
                cell.rjust(width) if 0 < number < len(line) - 1 else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
        return f"{table}\n{self.note}" if self.note else table


def model_info(path: str | PathLike[str], into: nn.Module | None = None) -> ModelFileInfo:
    """List the parts of a model file and the bits that each takes.

    The coder's state tells parts of its stream apart, to fractions of a bit.

    Args:
        path: of the file.
        into: the module that was written, which stays as it is; None for files with a recipe or
            with names. Of other files everything behind the header is one item then.

    Raises:
        ModelFileError: as `read_model`.
    """
    # Numba takes 0.4 s to import: only those who read a file import it.
    from bitfold.model_file.decoding import parsed  # noqa: PLC0415 - see above

    data = bytes_of(path)
    header = read_header(data)
    if into is None and not header.has_recipe and header.items is None:
        return _without_module(header, len(data))
    found = parsed(data, into)
    tensors = {tensor.item.name: tensor for tensor in found.plan.tensors}
    items = [FileItem("header", 8.0 * found.header.end)]
    items += [FileItem(part, bits) for part, bits in found.parts.items()]
    items += [_tensor_item(tensors[name], bits) for name, bits in found.bits.items()]
    return ModelFileInfo(tuple(items), len(data))


def _without_module(header: Header, num_bytes: int) -> ModelFileInfo:
    """What a file says without the names and shapes of its tensors."""
    start = header.end
    items = FileItem("header", 8.0 * start), FileItem("all tensors", 8.0 * (num_bytes - start))
    return ModelFileInfo(
        items,
        num_bytes,
        f"whole, version {header.version}; without names and shapes, whose hash is "
        f"{header.structure.hex()}. In Python, model_info(path, into=module) lists the tensors.",
    )


def _tensor_item(tensor: TensorPlan, bits: float) -> FileItem:
    from bitfold.model_file.syntax.plan import METHODS  # noqa: PLC0415 - see `model_info`

    item = tensor.item
    numbers = tensor.numbers if tensor.raw is None else tensor.raw
    num_zeros = int((numbers == 0).sum())
    num_dead = 0
    if item.box.line_counts and len(numbers) == item.size:
        is_used = item.box.unflatten(torch.from_numpy(numbers != 0)).any(2).any(1)
        num_dead = int((~is_used).sum())
    method = METHODS[tensor.method]
    return FileItem(item.name, bits, item.size, method, tensor.step, num_zeros, num_dead)


def _cells(item: FileItem) -> tuple[str, ...]:
    each = f"{item.bits / item.num_numbers:.3f}" if item.num_numbers else ""
    counts = (f"{item.num_zeros:,}", f"{item.num_dead:,}") if item.num_numbers else ("", "")
    return (
        item.name,
        f"{item.bits / 8:,.1f}",
        f"{item.num_numbers:,}" if item.num_numbers else "",
        each,
        *counts,
        f"{np.float32(item.step):.4g}" if item.step else "",
        item.method,
    )
