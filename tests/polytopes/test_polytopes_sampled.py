"""The sampled engine."""

import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import sampled_reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from bitfold.errors import PolytopeError
from bitfold.polytopes import sample_partition, sample_patterns, sampled
from bitfold.polytopes.chain import trace_chain
from bitfold.polytopes.sampled import distinct_columns

# Coordinates in steps of 1/64 from -0.5 on, exact in float32.
AXIS = np.arange(64) / 64 - 0.5

ActivationFactory = Callable[[], nn.Module]


def network(
    widths: list[int], activation: ActivationFactory = nn.LeakyReLU, seed: int = 0
) -> nn.Sequential:
    """Build a random network of two inputs; the last of widths is the number of outputs."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip([2, *widths], widths, strict=False):
        layer = nn.Linear(fan_in, fan_out)
        nn.init.normal_(layer.weight, 0, (2 / fan_in) ** 0.5, generator=generator)
        nn.init.normal_(layer.bias, 0, 0.1, generator=generator)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1])


def affine(weights: list[list[float]], biases: list[float]) -> nn.Linear:
    """Build an affine layer of given weights."""
    layer = nn.Linear(len(weights[0]), len(biases))
    layer.load_state_dict({"weight": torch.tensor(weights), "bias": torch.tensor(biases)})
    return layer


@pytest.fixture(params=["chain", "general"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with the compiled chain and with the recorded operations."""
    monkeypatch.setattr(sampled, "WIDEST_CHAIN", 10_000 if request.param == "chain" else 0)
    return str(request.param)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.Tanh])
@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_partition_equals_the_reference(
    engine: str, activation: ActivationFactory, seed: int
) -> None:
    """Folds and the number of polytopes are those of a loop over neurons and pixels in float64."""
    layers = network([5, 4, 3, 2], activation, seed)
    xs, ys = AXIS[:40], AXIS[::-1][:17]
    folds, num_polytopes, margin = sampled_reference.partition(layers, xs, ys)
    # No pre-activation is so close to 0 that float32 could give it another sign: each layer's
    # sum of at most 6 terms below 10 errs by at most 6 * 10 * 2^-24 < 4e-6.
    assert margin > 4e-6
    partition = sample_partition(layers, xs, ys)
    assert np.array_equal(partition.folds, folds)
    assert partition.num_polytopes == num_polytopes > 3


def test_one_neuron_folds_along_a_line(engine: str) -> None:
    """A neuron that changes sign between columns 19 and 20 marks column 19 alone."""
    edge = float(AXIS[19] + AXIS[20]) / 2
    module = nn.Sequential(affine([[3.0, 0.0]], [-3.0 * edge]), nn.ReLU(), affine([[1.0]], [0.0]))
    partition = sample_partition(module, AXIS, AXIS[:9])
    assert np.flatnonzero(partition.folds.all(axis=0)).tolist() == [19]
    assert partition.folds.sum() == 9
    assert partition.num_polytopes == 2
    assert partition.values.shape == (9, 64, 1)
    assert partition.values.dtype == np.float32
    assert partition.values[0, 19, 0] == 0
    assert partition.values[0, 20, 0] > 0


def test_two_crossing_neurons_make_four_polytopes(engine: str) -> None:
    """A vertical and a horizontal fold make a cross and four polytopes."""
    module = nn.Sequential(affine([[1.0, 0.0], [0.0, 1.0]], [0.01, 0.01]), nn.ReLU())
    partition = sample_partition(module, AXIS, AXIS)
    expected = np.zeros((64, 64), np.bool_)
    expected[31, :] = expected[:, 31] = True
    assert np.array_equal(partition.folds, expected)
    assert partition.num_polytopes == 4


def test_absolute_values_fold_twice(engine: str) -> None:
    """||x| - 0.25| is folded at -0.25, 0 and 0.25, between the pixels around these places."""

    class Folded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = affine([[1.0, 0.0]], [0.004]), affine([[1.0]], [-0.25])

        def forward(self, points: Tensor) -> Tensor:
            return torch.abs(self.second(self.first(points).abs()))

    partition = sample_partition(Folded(), AXIS, AXIS[:2])
    assert np.flatnonzero(partition.folds[0]).tolist() == [15, 31, 47]
    # The sign of the second layer repeats, that of the first does not: 4 patterns
    assert partition.num_polytopes == 4
    np.testing.assert_allclose(
        partition.values[1, :, 0], np.abs(np.abs(AXIS + 0.004) - 0.25), atol=1e-6
    )


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_folds_just_outside_the_border_are_seen(engine: str, side: str) -> None:
    """A fold between the outermost pixels and the ring around them marks the border alone."""
    step = 1 / 64
    place = AXIS[0] - step / 2 if side in {"left", "top"} else AXIS[-1] + step / 2
    normal = [1.0, 0.0] if side in {"left", "right"} else [0.0, 1.0]
    partition = sample_partition(
        nn.Sequential(affine([normal], [-float(place)]), nn.ReLU()), AXIS, AXIS
    )
    expected = np.zeros((64, 64), np.bool_)
    expected[
        {"left": np.s_[:, 0], "right": np.s_[:, -1], "top": np.s_[0], "bottom": np.s_[-1]}[side]
    ] = True
    assert np.array_equal(partition.folds, expected)
    assert partition.num_polytopes == 1


def test_diagonal_folds_are_connected(engine: str) -> None:
    """A slanted fold is one line of pixels, each beside or diagonal to the next."""
    module = nn.Sequential(affine([[1.0, 0.37]], [0.0123]), nn.ReLU())
    folds = sample_partition(module, AXIS, AXIS).folds
    columns = [np.flatnonzero(row) for row in folds]
    assert all(1 <= len(marked) <= 2 for marked in columns)
    for upper, lower in pairwise(columns):
        assert np.abs(upper[:, None] - lower[None, :]).min() <= 1


@pytest.mark.parametrize("widths", [[3], [64, 1], [65, 1], [40, 30, 70, 3], [10] * 8 + [1]])
def test_chain_equals_general(monkeypatch: pytest.MonkeyPatch, widths: list[int]) -> None:
    """The compiled chain and the recorded operations agree wherever rounding cannot matter."""
    layers = network(widths, seed=4)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (3001, 2)).astype(np.float32)
    results = []
    for widest in (0, 10_000):
        monkeypatch.setattr(sampled, "WIDEST_CHAIN", widest)
        results.append(sample_patterns(layers, points))
    (general_values, general), (chain_values, chain) = results
    np.testing.assert_allclose(chain_values, general_values, atol=1e-5, rtol=1e-5)
    margins = smallest_margins(layers, points)
    clear = margins > 1e-5
    # A uniform point's margin is below 1e-5 with a probability of a few 1e-5 times the neurons.
    assert clear.mean() > 0.95
    assert np.array_equal(chain[clear], general[clear])
    assert general.shape == (3001, max(1, -(-sum(widths[:-1]) // 64)))


def smallest_margins(
    layers: nn.Sequential, points: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Give each point's smallest |pre-activation|, in float64."""
    values = points.astype(np.float64)
    margins = np.full(len(points), np.inf)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            values = values @ layer.weight.detach().double().numpy().T
            values += layer.bias.detach().double().numpy()
        else:
            margins = np.minimum(margins, np.abs(values).min(axis=1))
            values = np.where(values > 0, values, 0.01 * values)
    return margins


def test_bits_are_the_neurons_in_order(engine: str) -> None:
    """Neuron k of 150 in three layers is bit k % 64 of word k // 64."""
    layers = network([50, 50, 50, 1], seed=2)
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (20, 2)).astype(np.float32)
    _, patterns = sample_patterns(layers, points)
    assert patterns.dtype == np.uint64
    assert patterns.shape == (20, 3)
    for point, words in zip(points, patterns, strict=True):
        _, signs, margin = sampled_reference.evaluate(layers, point.tolist())
        assert margin > 1e-6
        bits = [bool(int(words[k // 64]) >> (k % 64) & 1) for k in range(150)]
        assert tuple(bits) == signs


@pytest.mark.parametrize("neuron", [0, 1, 31, 32, 62, 63, 64, 100, 127, 128, 149])
def test_every_single_bit_counts(engine: str, neuron: int) -> None:
    """Patterns that differ in one neuron's sign alone, whichever it is, are two polytopes."""
    weights = [[0.0, 0.0]] * 150
    weights[neuron] = [1.0, 0.0]
    biases = [1.0 if k % 3 else -1.0 for k in range(150)]
    biases[neuron] = 0.001
    partition = sample_partition(nn.Sequential(affine(weights, biases), nn.ReLU()), AXIS, AXIS)
    assert partition.num_polytopes == 2
    assert partition.folds[:, 31].all()
    assert partition.folds.sum() == 64


class Functional(nn.Module):
    """Calls its activations as functions, one of them in place."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network([6, 5, 4, 1], nn.Identity, seed=3)

    def forward(self, points: Tensor) -> Tensor:
        """Apply relu, leaky relu in place and an absolute value."""
        hidden = functional.relu(self.layers[0](points))
        hidden = functional.leaky_relu_(self.layers[2](hidden), 0.2)
        return self.layers[6](self.layers[4](hidden).abs())


def test_functions_count_like_modules(engine: str) -> None:
    """A module that calls its activations as functions has all its 15 neurons seen."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 2)).astype(np.float32)
    module = Functional()
    assert trace_chain(module, points[:2].T) is not None
    values, patterns = sample_patterns(module, points)
    with torch.no_grad():
        first = module.layers[0](torch.from_numpy(points))
        second = module.layers[2](first.relu())
        third = module.layers[4](functional.leaky_relu(second, 0.2))
        expected = module.layers[6](third.abs())
    signs = (torch.cat([first, second, third], dim=1) > 0).numpy()
    bits = patterns[:, :1] >> np.arange(15, dtype=np.uint64) & np.uint64(1)
    assert np.array_equal(bits.astype(np.bool_), signs)
    np.testing.assert_allclose(values, expected.numpy(), atol=1e-6)


def residual(inner: nn.Module) -> nn.Module:
    """Add a module's output to its input."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, points: Tensor) -> Tensor:
            return points + self.inner(points)

    return Residual()


class Scaled(nn.Module):
    """Wraps a Sequential but does more than call it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network([5, 2])

    def forward(self, points: Tensor) -> Tensor:
        """Scale the points first."""
        return self.layers(3 * points)


class Unused(nn.Module):
    """Computes a layer and returns something else."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, points: Tensor) -> Tensor:
        """Leave the layer's result unused."""
        self.layer(points)
        return torch.relu(points)


@pytest.mark.parametrize(
    "module",
    [
        Scaled(),
        Unused(),
        residual(network([5, 2])),
        nn.Sequential(nn.ReLU(), nn.Linear(2, 1)),
        nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.LeakyReLU()),
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU()),
        network([3, 1], nn.Tanh),
        network([3, 1]).double(),
        nn.Identity(),
    ],
)
def test_only_true_chains_are_lowered(module: nn.Module) -> None:
    """A module that does anything beside a chain of layers is not mistaken for one."""
    module.eval()
    assert trace_chain(module, np.zeros((2, 2), np.float32)) is None
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2)).astype(np.float32)
    values, _ = sample_patterns(module, points)
    with torch.no_grad():
        parameters = list(module.parameters())
        dtype = parameters[0].dtype if parameters else torch.float32
        expected = module(torch.from_numpy(points).to(dtype))
    np.testing.assert_allclose(values, expected.numpy(), atol=1e-6)


def test_layers_without_bias_and_wrapped_are_lowered() -> None:
    """A chain is recognised without biases, within wrappers, and with dropout that is off."""
    inner = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Dropout(), nn.ReLU(), nn.Linear(3, 1))
    module = nn.Sequential(nn.Sequential(inner), nn.Identity()).eval()
    chain = trace_chain(module, np.zeros((2, 1), np.float32))
    assert chain is not None
    assert chain.widths == (2, 3, 1)
    assert not chain.layers[0].biases.any()


@pytest.mark.parametrize(
    ("operation", "places"),
    [
        (torch.tanh, [0.0]),
        (functional.gelu, [0.0]),
        (torch.sin, [0.0]),
        (functional.elu, [0.0]),
        (functional.silu, [0.0]),
        (functional.softplus, [0.0]),
        (torch.sigmoid, [0.0]),
        (functional.hardtanh, [-1.0, 1.0]),
        (functional.relu6, [0.0, 6.0]),
        (functional.hardswish, [-3.0, 3.0]),
        (nn.PReLU(), [0.0]),
        (nn.Softshrink(0.75), [-0.75, 0.75]),
        (lambda z: z.clamp(min=-2.0), [-2.0]),
        (lambda z: z.clamp(-2.0, 2.5), [-2.0, 2.5]),
        (lambda z: torch.maximum(z, torch.full_like(z, 1.5)), [1.5]),
        (lambda z: torch.relu_(z + 0), [0.0]),
    ],
)
def test_thresholds_of_each_operation(
    operation: Callable[[Tensor], Tensor], places: list[float]
) -> None:
    """Each nonlinear operation folds where its input crosses its thresholds, and nowhere else."""

    class Applied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.after = affine([[16.0, 0.0]], [0.001]), affine([[1.0]], [0.0])

        def forward(self, points: Tensor) -> Tensor:
            return self.after(operation(self.before(points)))

    partition = sample_partition(Applied(), AXIS, AXIS[:2])
    positions = 16.0 * AXIS + 0.001
    expected = [int(np.flatnonzero(positions > place)[0]) - 1 for place in places]
    assert np.flatnonzero(partition.folds[0]).tolist() == expected
    assert partition.num_polytopes == len(places) + 1


@pytest.mark.parametrize(
    ("final", "num_polytopes"),
    [
        (nn.Identity(), 1),
        (nn.Sigmoid(), 1),
        (nn.Tanh(), 1),
        (nn.ReLU(), 2),
        (nn.LeakyReLU(), 2),
        (nn.Sequential(nn.Sigmoid(), nn.Flatten(0)), 1),
        (nn.Sequential(nn.Tanh(), nn.Linear(1, 1)), 2),
        (nn.Sequential(nn.Sigmoid(), nn.ReLU(inplace=True)), 2),
    ],
)
def test_smooth_output_is_no_fold(final: nn.Module, num_polytopes: int) -> None:
    """A smooth activation counts unless it is the output itself; a kinked one always counts."""
    module = nn.Sequential(affine([[1.0, 0.0]], [0.001]), final)
    assert sample_partition(module, AXIS, AXIS[:2]).num_polytopes == num_polytopes


def test_activations_of_weights_are_no_neurons(engine: str) -> None:
    """A nonlinearity of weights alone is no neuron, even with as many rows as there are points."""

    class Positive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.raw = nn.Parameter(torch.randn(10, 2, generator=torch.Generator().manual_seed(0)))

        def forward(self, points: Tensor) -> Tensor:
            return points @ torch.relu(self.raw).T

    points = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 2)).astype(np.float32)
    _, patterns = sample_patterns(Positive(), points)
    assert patterns.tolist() == [[0]] * 10


def test_module_without_nonlinearity_is_one_polytope(engine: str) -> None:
    """An affine map has one polytope and no folds."""
    partition = sample_partition(affine([[1.0, 2.0], [3.0, 4.0]], [0.0, 0.0]), AXIS, AXIS)
    assert partition.num_polytopes == 1
    assert not partition.folds.any()
    assert partition.values.shape == (64, 64, 2)


def test_further_coordinates_are_the_same_everywhere(engine: str) -> None:
    """A slice at t = 0.25 through x + t > 0 folds at x = -0.25."""
    module = nn.Sequential(affine([[1.0, 0.0, 1.0]], [0.001]), nn.ReLU())
    partition = sample_partition(module, AXIS, AXIS[:3], extra=(0.25,))
    assert np.flatnonzero(partition.folds[1]).tolist() == [15]


@pytest.mark.parametrize("band_px", [1, 200, 64 * 19])
def test_bands_do_not_show(engine: str, monkeypatch: pytest.MonkeyPatch, band_px: int) -> None:
    """Working through the raster in bands of any height gives what one band gives."""
    layers = network([6, 6, 1], seed=1)
    whole = sample_partition(layers, AXIS, AXIS[:20])
    monkeypatch.setattr(sampled, "BAND_PX", band_px)
    banded = sample_partition(layers, AXIS, AXIS[:20])
    assert np.array_equal(whole.folds, banded.folds)
    assert whole.num_polytopes == banded.num_polytopes
    np.testing.assert_allclose(whole.values, banded.values, atol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5), (5, 1)])
def test_tiny_rasters(engine: str, width: int, height: int) -> None:
    """A raster of a single row or column works, with the other axis's step for its ring."""
    module = nn.Sequential(affine([[1.0, 1.0]], [0.001]), nn.ReLU())
    partition = sample_partition(module, np.arange(width) / 4, np.arange(height) / 4)
    assert partition.folds.shape == (height, width)
    # x + y = -1/4 lies across the fold from the origin's pixel; a lone pixel has no step
    assert partition.folds[0, 0] == (width * height > 1)
    assert partition.folds.sum() == (width * height > 1)
    assert partition.num_polytopes == 1


def test_module_is_left_as_found(engine: str) -> None:
    """Parameters, gradients, buffers, modes and random states are as before."""
    module = nn.Sequential(
        *network([6, 5]), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.ReLU(), nn.Linear(5, 1)
    ).train()
    module[-2].eval()
    module(torch.zeros(4, 2)).sum().backward()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in module.parameters()]
    modes = [part.training for part in module.modules()]
    random_state = torch.get_rng_state()
    first, _ = sample_patterns(module, np.zeros((5, 2), np.float32))
    sample_partition(module, AXIS, AXIS)
    assert torch.equal(random_state, torch.get_rng_state())
    assert modes == [part.training for part in module.modules()]
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert all(
        torch.equal(parameter.grad, gradient)
        for parameter, gradient in zip(module.parameters(), gradients, strict=True)
    )
    assert all(parameter.requires_grad for parameter in module.parameters())
    # Evaluation mode: dropout drops nothing, so equal points have equal values but for rounding.
    assert np.ptp(first) < 1e-6


def test_modes_are_restored_after_an_error() -> None:
    """A module that cannot be sampled is put back into training mode too."""
    module = nn.Linear(3, 1).train()
    with pytest.raises(PolytopeError):
        sample_partition(module, AXIS, AXIS)
    assert module.training


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    """A weight that is not finite is named by its parameter."""
    module = network([4, 1])
    module[2].bias.data[0] = bad
    with pytest.raises(PolytopeError, match=r"got 1 of 1 not finite in parameter 2\.bias"):
        sample_partition(module, AXIS, AXIS)


def test_overflow_is_survived(engine: str) -> None:
    """Finite weights whose products overflow give patterns without an exception."""
    module = nn.Sequential(
        affine([[3e38, 3e38]], [3e38]), nn.ReLU(), affine([[-3e38]], [0.0]), nn.ReLU()
    )
    assert sample_partition(module, AXIS, AXIS).num_polytopes >= 1


def test_points_that_do_not_fit_are_refused() -> None:
    """Points of other dimension, none, too many coordinates or not finite are refused."""
    module = network([4, 1])
    with pytest.raises(PolytopeError, match="points of 3 coordinates"):
        sample_patterns(module, np.zeros((5, 3), np.float32))
    with pytest.raises(PolytopeError, match="points of 3 coordinates"):
        sample_partition(module, AXIS, AXIS, extra=(0.0,))
    with pytest.raises(PolytopeError, match=r"got shape \(0, 2\)"):
        sample_patterns(module, np.zeros((0, 2), np.float32))
    with pytest.raises(PolytopeError, match=r"got shape \(2,\)"):
        sample_patterns(module, np.zeros(2, np.float32))
    with pytest.raises(PolytopeError, match="expected finite points, got nan"):
        sample_patterns(module, np.array([[0.0, np.nan]]))
    with pytest.raises(PolytopeError, match=r"expected finite columns, got 1e\+39"):
        sample_partition(module, np.array([1e39]), AXIS)
    with pytest.raises(PolytopeError, match="expected finite further coordinates"):
        sample_partition(module, AXIS, AXIS, extra=(np.inf,))


def test_absurd_rasters_are_refused_at_once() -> None:
    """A raster without pixels or with more than 2^28 is refused before anything is built."""
    module = network([4, 1])
    large = np.broadcast_to(np.float64(0), 2**15)
    tracemalloc.start()
    for xs, ys in ((large, large), (AXIS[:0], AXIS), (AXIS, AXIS[:0]), (AXIS[None], AXIS)):
        with pytest.raises(PolytopeError, match="raster of 1 to 268,435,456 pixels"):
            sample_partition(module, xs, ys)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


class Returns(nn.Module):
    """Returns what it is told to."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, points: Tensor) -> object:
        """Return it."""
        return self.function(points)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda z: (z, z), r"expected an output of shape \(., outputs\), got tuple"),
        (lambda z: z.sum(), r"got shape \(\)"),
        (lambda z: z[:, :, None], r"got shape \(., 2, 1\)"),
        (lambda z: z[:1].relu(), r"got shape \(1, 2\)|points along the first dimension"),
        (lambda z: z.T.relu().T, "along the first dimension of the input of relu"),
        (lambda z: functional.max_pool1d(z, 2), "elementwise activations, got max_pool2d"),
        (lambda z: torch.where(z > 0, z, 0.1 * z), "elementwise activations, got where"),
    ],
)
def test_what_has_no_polytopes_here_is_refused(
    function: Callable[[Tensor], object], message: str
) -> None:
    """Outputs of another form and operations that fold in other ways are refused by name."""
    with pytest.raises(PolytopeError, match=message):
        sample_patterns(Returns(function), np.zeros((5, 2), np.float32) + 0.1)


def test_float64_modules_are_evaluated_in_float64() -> None:
    """A float64 module keeps its type, so a fold of offset 1e-12 is on the right side."""
    module = nn.Sequential(affine([[1.0, 0.0]], [0.0]), nn.ReLU()).double()
    module[0].bias.data[0] = 1e-12
    _, patterns = sample_patterns(module, np.array([[0.0, 0.0], [-1e-11, 0.0]]))
    assert patterns.tolist() == [[1], [0]]


@given(st.integers(1, 3), st.lists(st.integers(0, 7), max_size=40), st.randoms())
@settings(deadline=None, max_examples=60)
def test_distinct_columns_are_a_set(num_words: int, numbers: list[int], random: object) -> None:
    """The distinct columns are those of a Python set, also in their high bits."""
    del random
    columns = [tuple((n >> w & 1) << 63 | n for w in range(num_words)) for n in numbers]
    words = np.array(columns, np.uint64).reshape(-1, num_words).T
    distinct = distinct_columns(words)
    assert sorted(map(tuple, distinct.T.tolist())) == sorted(set(columns))


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=15)
def test_every_polytope_is_counted_once(seed: int) -> None:
    """The number of polytopes is the number of distinct rows among the raster's patterns."""
    layers = network([7, 6, 1], seed=seed)
    partition = sample_partition(layers, AXIS, AXIS)
    columns, rows = np.meshgrid(AXIS, AXIS)
    values, patterns = sample_patterns(layers, np.stack([columns.ravel(), rows.ravel()], axis=1))
    assert partition.num_polytopes == len(np.unique(patterns, axis=0))
    np.testing.assert_allclose(partition.values.reshape(-1, 1), values, atol=1e-6)
