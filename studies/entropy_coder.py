"""How do our coder and constriction's compare, given the same integer tables?

``python -m studies.entropy_coder [--quick]`` codes numbers of many scales both ways, in turn:
ours symbol by symbol in the order of memory, constriction's in groups of one scale, as it takes one
table for many symbols at a time; probabilities are the tables' frequencies over 2^16, which float32
holds exactly. Needs the ``coders`` extra.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.timing import (
    Spread,
    alternate,
    argument_parser,
    ratios,
    seconds_of,
    write_results,
)
from bitfold.entropy_coding.laplace.tables import LAST_TABLE, integer_tables, table_bits
from bitfold.entropy_coding.laplace.tensors import read_numbers, tensor_bits, write_numbers
from bitfold.entropy_coding.scales.whole_scales import LEAST_SCALE
from bitfold.entropy_coding.streams import StreamReader, StreamWriter

ROWS, COLUMNS = 1024, 1024
QUICK_ROWS = 64
ROUNDS = 7
# Scales of rows and columns in eighths of an octave, and the tensor's scale.
LARGEST_FACTOR, OWN_SCALE = 16, 0


class Numbers(NamedTuple):
    """The numbers to code.

    Attributes:
        distances: int64 (rows * columns,), within the reach of their tables.
        rows: factors of the rows, (rows,).
        columns: of the columns, (columns,).
    """

    distances: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def scales(self) -> NDArray[np.int64]:
        """Return each number's scale: (rows * columns,)."""
        total = OWN_SCALE + self.rows[:, None] + self.columns[None, :]
        return total.clip(LEAST_SCALE, LAST_TABLE).reshape(-1)


def draw(rows: int) -> Numbers:
    """Draw numbers of Laplace distributions with scales of rows and columns."""
    chance = np.random.default_rng(0)
    sides = [chance.integers(-LARGEST_FACTOR, LARGEST_FACTOR + 1, n) for n in (rows, COLUMNS)]
    found = Numbers(np.zeros(rows * COLUMNS, np.int64), *sides)
    scales = found.scales()
    reaches = integer_tables("laplace").reaches[scales - LEAST_SCALE]
    drawn = np.rint(chance.laplace(0.0, 2.0 ** (scales / 8) + 1 / 32)).astype(np.int64)
    found.distances[:] = drawn.clip(-reaches, reaches)
    return found


def ours(numbers: Numbers) -> int:
    """Write and read all numbers with our coder; return the bytes."""
    scales = (OWN_SCALE, numbers.rows, numbers.columns, COLUMNS, 1)
    model = (0, scales, integer_tables("laplace"))
    writer = StreamWriter()
    write_numbers(writer, numbers.distances, model)
    data = writer.stream()
    found = np.empty_like(numbers.distances)
    read_numbers(StreamReader(data, 0), found, model, "laplace")
    assert np.array_equal(found, numbers.distances)
    return len(data)


def theirs(numbers: Numbers) -> int:
    """Write and read all numbers with constriction; return the bytes."""
    import constriction  # noqa: PLC0415 - only who compares has it

    tables, scales = integer_tables("laplace"), numbers.scales()
    order = np.argsort(scales, kind="stable")
    used, starts = np.unique(scales[order], return_index=True)
    groups = np.split(numbers.distances[order], starts[1:])
    models: list[tuple[int, Any]] = []
    for scale in used:
        first, reach = tables.firsts[scale - LEAST_SCALE], tables.reaches[scale - LEAST_SCALE]
        frequencies = np.diff(tables.starts[first : first + 2 * reach + 4])
        probabilities = (frequencies / 2**16).astype(np.float32)
        models.append((reach, constriction.stream.model.Categorical(probabilities, perfect=False)))
    coder = constriction.stream.stack.AnsCoder()
    for (reach, model), group in zip(reversed(models), reversed(groups), strict=True):
        coder.encode_reverse((group + reach + 1).astype(np.int32), model)
    words = coder.get_compressed()
    decoder = constriction.stream.stack.AnsCoder(words)
    found = np.empty_like(numbers.distances)
    for (reach, model), group, start in zip(models, groups, starts, strict=True):
        decoded = decoder.decode(model, len(group)).astype(np.int64) - reach - 1
        found[order[start : start + len(group)]] = decoded
    assert np.array_equal(found, numbers.distances)
    return 4 * len(words)


def main() -> int:
    """Code in turn, and print medians."""
    arguments = argument_parser(__doc__.splitlines()[0]).parse_args()
    numbers = draw(QUICK_ROWS if arguments.quick else ROWS)
    ideal = _ideal_bytes(numbers)
    sizes = {"ours": ours(numbers), "constriction": theirs(numbers)}
    coders = [lambda: [seconds_of(lambda: ours(numbers))]]
    coders.append(lambda: [seconds_of(lambda: theirs(numbers))])
    seconds = alternate(coders[0], coders[1], ROUNDS)
    results = {}
    for (name, size), samples in zip(sizes.items(), seconds, strict=True):
        spread = Spread.of([1e9 * one / len(numbers.distances) for (one,) in samples])
        results[name] = {"bytes": size, "nanoseconds": spread.median}
        print(
            f"{name}: {spread.median:.0f} ns a number to write and read (quartiles "
            f"{spread.low:.0f} to {spread.high:.0f}), {size:,} bytes, {size / ideal - 1:.4%} more "
            "than the tables' bits"
        )
    print(f"constriction takes {ratios(seconds[1], seconds[0])} times as long")
    write_results(arguments.output, results)
    return 0


def _ideal_bytes(numbers: Numbers) -> float:
    scales = (OWN_SCALE, numbers.rows, numbers.columns, COLUMNS, 1)
    model = (0, scales, integer_tables("laplace"))
    return float(tensor_bits(numbers.distances, model, table_bits("laplace"))) / 8


if __name__ == "__main__":
    raise SystemExit(main())
