"""Every reader of a file's parts inverts the writer beside it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitfold.entropy_coding.fixed_point.network import WholeNetwork, layer_shapes
from bitfold.entropy_coding.scales.whole_scales import Lines, SentScale
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.kolmogorov.weights.layout import make_blocks, varying_coordinates
from bitfold.model_file.syntax.body import read_body, write_body
from bitfold.model_file.syntax.coordinates import read_network, write_network
from bitfold.model_file.syntax.grids import (
    exception_bits,
    read_exceptions,
    read_grids,
    write_exceptions,
    write_grids,
)
from bitfold.model_file.syntax.header import read_header, with_header
from bitfold.model_file.syntax.methods import read_methods, write_methods
from bitfold.model_file.syntax.names import names_bytes, read_names
from bitfold.model_file.syntax.plan import (
    ABSENT,
    CONTEXT,
    COORDINATE,
    COUNTS,
    FLOATS,
    GRID,
    HALVES,
    ROWS,
    SCALES,
    WHOLES,
    Exceptions,
    FixedGrid,
    Plan,
    TensorPlan,
)
from bitfold.model_file.syntax.recipe import (
    ACTIVATIONS,
    FINAL_ACTIVATIONS,
    Recipe,
    read_recipe,
    write_recipe,
)
from bitfold.model_file.syntax.steps import read_steps, write_steps
from bitfold.model_file.syntax.structure import (
    COMPLEX,
    KINDS,
    REAL,
    TRANSPOSED,
    WHOLE,
    Item,
    structure_hash,
)
from bitfold.model_file.syntax.varints import read_varint, varint
from bitfold.networks import Encoding
from tests.entropy_coding.round_trips import round_trip as counted_round_trip

#: The dtypes of tensors that are written unchanged.
TYPES = {FLOATS: "<f4", HALVES: "<i2", WHOLES: "<i4"}

seeds = st.integers(0, 2**32)
names = st.text(st.characters(categories=("L", "N", "P")), max_size=20)
items = st.builds(
    Item,
    names,
    st.lists(st.integers(0, 2**40), max_size=5).map(tuple),
    st.sampled_from(KINDS),
)
float_bits = st.integers(0x0080_0000, 0x7F7F_FFFF)


def round_trip(write: Callable[[StreamWriter], None], read: Callable[[StreamReader], Any]) -> Any:
    """Write, read, and require that the reader leaves the bytes that follow."""
    writer = StreamWriter()
    write(writer)
    writer.write_bits(0b1011, 4)
    reader = StreamReader(writer.stream(), 0)
    found = read(reader)
    assert reader.read_bits(4) == 0b1011
    reader.finish()
    return found


@given(number=st.integers(0, 2**63 - 1), before=st.binary(max_size=3), after=st.binary(max_size=3))
def test_varints(number: int, before: bytes, after: bytes) -> None:
    """A varint is read from between other bytes."""
    data = before + varint(number) + after
    assert read_varint(data, len(before)) == (number, len(data) - len(after))


@given(given_items=st.lists(items, max_size=4), after=st.binary(max_size=3))
def test_names(given_items: list[Item], after: bytes) -> None:
    """Names, kinds and shapes are read as they were written."""
    data = names_bytes(given_items)
    assert read_names(data + after, 0) == (tuple(given_items), len(data))


@given(
    given_items=st.lists(items, max_size=3),
    stream=st.binary(max_size=9),
    has_recipe=st.booleans(),
    has_names=st.booleans(),
    version=st.integers(1, 2),
)
def test_headers(
    given_items: list[Item], stream: bytes, has_recipe: bool, has_names: bool, version: int
) -> None:
    """A header is read as it was written, with the start of the stream."""
    data = with_header(
        given_items, stream, version=version, has_recipe=has_recipe, has_names=has_names
    )
    header = read_header(data)
    assert header.version == version
    assert header.has_recipe is has_recipe
    assert header.structure == (b"" if has_recipe else structure_hash(given_items))
    assert header.items == (tuple(given_items) if has_names else None)
    assert data[header.end :] == stream


@given(
    sides=st.tuples(st.integers(2, 3) | st.integers(1, 999), st.integers(1, 999)),
    widths=st.lists(st.integers(1, 40), max_size=20).flatmap(
        lambda some: st.permutations(some + some)
    ),
    activations=st.tuples(st.sampled_from(ACTIVATIONS), st.sampled_from(FINAL_ACTIVATIONS)),
    num_octaves=st.integers(0, 20),
)
def test_recipes(
    sides: tuple[int, int], widths: list[int], activations: tuple[str, str], num_octaves: int
) -> None:
    """A recipe is read as it was written, with repeated widths and octaves."""
    encoding = Encoding(num_octaves if sides[0] in (2, 3) else 0)
    recipe = Recipe(sides[0], tuple(widths or [1]), sides[1], *activations, encoding)
    found = round_trip(
        lambda writer: write_recipe(writer, recipe), lambda reader: read_recipe(reader, 10**6)
    )
    assert found == recipe


def drawn_items(chance: np.random.Generator, count: int) -> list[Item]:
    """Draw small, non-empty tensors of all kinds and dtypes."""
    found = []
    for number in range(count):
        kind = str(chance.choice([REAL, REAL, REAL, TRANSPOSED, WHOLE, COMPLEX]))
        least = 3 if kind == TRANSPOSED else 0
        shape = chance.integers(1, 5, int(chance.integers(least, 5))).tolist()
        leaf = "bias" if chance.random() < 0.5 else "weight"
        found.append(Item(f"{number // 2}.{leaf}{number}", tuple(shape), kind))
    return found


def drawn_method(chance: np.random.Generator, item: Item, on_grid: list[int]) -> int:
    """Draw a method that suits a tensor; ``on_grid`` allows the methods of grids."""
    if item.kind == WHOLE:
        return int(chance.choice([ABSENT, WHOLES]))
    others = [ABSENT, FLOATS, HALVES]
    return int(chance.choice(others if item.kind == COMPLEX else [*others, *2 * on_grid]))


@given(seed=seeds, count=st.integers(1, 12), version=st.integers(1, 2))
def test_methods(seed: int, count: int, version: int) -> None:
    """Methods are read as they were written, for all kinds of tensors."""
    chance = np.random.default_rng(seed)
    drawn_from = drawn_items(chance, count)
    grid = [SCALES, ROWS, CONTEXT, COORDINATE, *[COUNTS] * (version - 1)]
    tensors = [TensorPlan(item, drawn_method(chance, item, grid)) for item in drawn_from]
    found = round_trip(
        lambda writer: write_methods(writer, tensors, version),
        lambda reader: read_methods(reader, drawn_from, version),
    )
    assert found == [tensor.method for tensor in tensors]


def as_float(bits: int) -> float:
    """Return the float32 of some bits."""
    return float(np.uint32(bits).view(np.float32))


@given(
    bits=st.lists(float_bits, min_size=1, max_size=4).flatmap(
        lambda some: st.lists(st.sampled_from(some), min_size=1, max_size=8)
    ),
    is_short=st.booleans(),
    seed=seeds,
    version=st.integers(1, 2),
)
def test_steps(bits: list[int], is_short: bool, seed: int, version: int) -> None:
    """Steps are read as they were written: bfloat16, float32, float64, and repeated ones."""
    steps = [as_float(one & 0xFFFF_0000 if is_short else one) for one in bits]
    offsets = [0.0] * len(steps)
    if version > 1:
        steps[::3] = [one * (1 + 2.0**-40) for one in steps[::3]]
        offsets[::2] = [one / 3 for one in steps[::2]]
    shapes = np.random.default_rng(seed).integers(1, 3, len(steps))
    sorts = [Item(str(n), (2,) * int(sides), REAL) for n, sides in enumerate(shapes)]
    written = [
        TensorPlan(item, SCALES, step=step, offset=offset)
        for item, step, offset in zip(sorts, steps, offsets, strict=True)
    ]
    found = [TensorPlan(item, SCALES) for item in sorts]
    round_trip(lambda w: write_steps(w, written, version), lambda r: read_steps(r, found, version))
    assert [tensor.step for tensor in found] == steps
    assert [tensor.offset for tensor in found] == offsets


@given(
    places=st.sets(st.integers(0, 299), max_size=9),
    bits=st.lists(st.integers(0, 2**32 - 1), min_size=9, max_size=9),
)
def test_exceptions(places: set[int], bits: list[int]) -> None:
    """Numbers off the grid are read as they were written, bit for bit, and counted exactly."""
    some = np.array(bits[: len(places)], np.uint32).view(np.float32)
    written = Exceptions(np.array(sorted(places), np.int64), some)
    found, num_bits = counted_round_trip(
        lambda writer: write_exceptions(writer, written),
        lambda reader: read_exceptions(reader, 300),
    )
    assert found.places.tolist() == written.places.tolist()
    assert found.values.tobytes() == written.values.tobytes()
    assert num_bits == exception_bits(written)


@given(
    limits=st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=2, max_size=2, unique=True),
    num_bins=st.integers(2, 65_536),
    distribution=st.sampled_from(["laplace", "logistic"]),
)
def test_grids(limits: list[float], num_bins: int, distribution: str) -> None:
    """The grid that all tensors share is read as it was written, and so is the distribution."""
    written = Plan([], distribution, FixedGrid(min(limits), max(limits), num_bins))
    found = Plan([])
    round_trip(lambda w: write_grids(w, written, []), lambda r: read_grids(r, found, [], 1))
    assert found == written


def drawn_network(chance: np.random.Generator, num_inputs: int, num_bins: int) -> WholeNetwork:
    """Draw a network of whole numbers with two hidden layers."""
    shapes = layer_shapes([num_inputs, 3, 2, num_bins])
    tensors = tuple(chance.integers(-100, 101, shape) for shape in shapes)
    return WholeNetwork(tensors, tuple(chance.integers(0, 256, len(shapes)).tolist()), 8)


@pytest.mark.parametrize("grid", [None, FixedGrid(-1.0, 2.0, 40)])
@pytest.mark.parametrize("num_bins", [40, 256])
def test_networks(grid: FixedGrid | None, num_bins: int) -> None:
    """The coordinate predictor is read as it was written; a grid tells its number of bins."""
    items = [Item("0.weight", (3, 2), REAL), Item("0.bias", (3,), REAL)]
    num_bins = num_bins if grid is None else grid.num_bins
    network = drawn_network(np.random.default_rng(0), 3, num_bins)
    written = Plan([TensorPlan(item, COORDINATE) for item in items], grid=grid, coordinate=network)
    found = Plan([TensorPlan(item, COORDINATE) for item in items], grid=grid)
    round_trip(lambda w: write_network(w, written), lambda r: read_network(r, found))
    assert_same_network(found.coordinate, network)


def assert_same_network(found: WholeNetwork | None, expected: WholeNetwork | None) -> None:
    """Assert that both are None, or that all whole numbers are equal."""
    if found is None or expected is None:
        assert found is expected
        return
    assert found[1:] == expected[1:]
    for one, other in zip(found.tensors, expected.tensors, strict=True):
        assert np.array_equal(one, other)


def drawn_plan(chance: np.random.Generator, count: int, *, by_place: bool) -> Plan:
    """Draw a plan of tensors of all kinds, by all methods that a file can combine."""
    plan = Plan([], str(chance.choice(["laplace", "logistic"])))
    if chance.random() < 0.5:
        plan.grid = FixedGrid(-1.0, 2.0, 30)
    on_grid = [COORDINATE] if by_place else [SCALES, ROWS, CONTEXT]
    version = int(chance.integers(1, 3))
    on_grid += [COUNTS] * (version - 1)
    for item in drawn_items(chance, count):
        tensor = TensorPlan(item, drawn_method(chance, item, on_grid))
        plan.tensors.append(tensor)
        size = item.size * (2 if item.kind == COMPLEX else 1)
        if tensor.method in TYPES:
            tensor.raw = chance.integers(0, 99, size).astype(TYPES[tensor.method])
        elif tensor.method != ABSENT:
            tensor.numbers = chance.integers(-9, 10, item.size).astype(np.int32)
            tensor.step = 0.0 if plan.grid else float(np.float32(chance.random() + 0.1))
            if version > 1 and chance.random() < 0.3:
                tensor.exceptions = Exceptions(
                    np.array([item.size - 1]), np.array([0.7], np.float32)
                )
        if tensor.method in (SCALES, ROWS):
            counts = item.box.line_counts if tensor.method == ROWS else ()
            lines = tuple(Lines(8 * chance.integers(-2, 3, n), 3) for n in counts)
            tensor.scale = SentScale(int(chance.integers(-3, 4)), 20, lines)
    placed = [tensor.item for tensor in plan.coded_by((COORDINATE,))]
    if placed:
        num_inputs = len(
            varying_coordinates(
                make_blocks([(item.name, item.shape, item.box.is_transposed) for item in placed])
            )
        )
        num_bins = plan.grid.num_bins if plan.grid else 30
        plan.coordinate = drawn_network(chance, num_inputs, num_bins)
    return plan


@given(seed=seeds, count=st.integers(1, 8), by_place=st.booleans())
def test_bodies(seed: int, count: int, by_place: bool) -> None:
    """A plan of many tensors is read as it was written, number by number."""
    plan = drawn_plan(np.random.default_rng(seed), count, by_place=by_place)
    writer = StreamWriter()
    write_body(writer, plan)
    reader = StreamReader(writer.stream(), 0)
    found = read_body(reader, [tensor.item for tensor in plan.tensors], plan.version)
    assert_same_network(found.coordinate, plan.coordinate)
    if plan.coded_by(GRID):
        assert (found.distribution, found.grid) == (plan.distribution, plan.grid)
    for one, other in zip(found.tensors, plan.tensors, strict=True):
        assert (one.item, one.method, one.step) == (other.item, other.method, other.step)
        assert np.array_equal(one.numbers, other.numbers)
        assert np.array_equal(one.exceptions.places, other.exceptions.places)
        assert np.array_equal(one.exceptions.values, other.exceptions.values)
        if one.raw is None or other.raw is None:
            assert one.raw is other.raw
        else:
            assert np.array_equal(one.raw, other.raw)
        assert repr(one.scale) == repr(other.scale)
