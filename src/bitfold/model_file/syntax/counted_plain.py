"""Numbers as they are by counts: float32 from a list of values, and whole numbers."""

from __future__ import annotations

import numpy as np

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.entropy_coding.value_counts import (
    MOST_VALUES,
    Ints,
    read_counted,
    values_of,
    write_counted,
)
from bitfold.model_file.syntax.plan import COUNTED_WHOLES, LISTED, TensorPlan
from bitfold.model_file.syntax.structure import COMPLEX

#: Methods of this file.
COUNTED_PLAIN = (LISTED, COUNTED_WHOLES)
_COUNT_ORDER = 4


def write_counted_plain(writer: StreamWriter, tensor: TensorPlan) -> None:
    """Append the list of values of a tensor of floats, and the numbers or their places in it."""
    assert tensor.raw is not None  # a plan chooses these methods only for numbers as they are
    if tensor.method == COUNTED_WHOLES:
        _write(writer, tensor.raw.astype(np.int64))
        return
    distinct, places = np.unique(tensor.raw.view("<u4"), return_inverse=True)
    writer.write_golomb(len(distinct) - 1, _COUNT_ORDER)
    writer.write_array(distinct)
    _write(writer, places.astype(np.int64))


def read_counted_plain(reader: StreamReader, tensor: TensorPlan) -> None:
    """Read what `write_counted_plain` wrote into the tensor's plan."""
    if tensor.method == COUNTED_WHOLES:
        numbers = read_counted(reader, tensor.item.size)
        limits = np.iinfo(np.int32)
        if not limits.min <= numbers.min() <= numbers.max() <= limits.max:
            raise damaged("expected whole numbers of 32 bits, got larger", reader.position)
        tensor.raw = numbers.astype("<i4")
        return
    size = tensor.item.size * (2 if tensor.item.kind == COMPLEX else 1)
    count = reader.read_golomb(_COUNT_ORDER) + 1
    if count > min(MOST_VALUES, size):
        raise damaged(f"expected at most {size} values, got {count}", reader.position)
    distinct = reader.read_array("<f4", count)
    places = read_counted(reader, size)
    if not 0 <= places.min() <= places.max() < count:
        raise damaged(f"expected places among {count} values, got others", reader.position)
    tensor.raw = distinct[places]


def _write(writer: StreamWriter, numbers: Ints) -> None:
    found = values_of(numbers)
    assert found is not None  # a plan chooses these methods only where there are values
    write_counted(writer, numbers, found[0])
