"""Tests that any module can be described: its layers, its ties, its types."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import PREDICTORS, KolmogorovLoss
from tests.kolmogorov.narrowing import gradient_of

#: Predictors whose gradient is the whole derivative of K; see test_adaptive for the other one.
BY_POSITION = [name for name, kind in PREDICTORS.items() if not kind.needs_all_weights]


class Bare(nn.Module):
    """Parameters of 0, 1 and 4 dimensions, alone, in a list and in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.tensor(0.3))
        self.vector = nn.Parameter(torch.randn(5))
        self.tensor = nn.Parameter(torch.randn(2, 3, 2, 2))
        self.listed = nn.ParameterList([torch.randn(3), torch.randn(2, 2)])
        self.named = nn.ParameterDict({"a": torch.randn(3), "b": torch.randn(2, 2)})


class Tied(nn.Module):
    """A language model whose decoder is tied to the embedding, and which uses one norm twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.norm = nn.BatchNorm1d(4)
        self.decoder = nn.Linear(4, 11)
        self.decoder.weight = self.embedding.weight
        self.last_norm = self.norm


MODULES: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(5, 4),
    "conv1d": lambda: nn.Conv1d(4, 6, 3, groups=2),
    "conv2d": lambda: nn.Conv2d(3, 4, (2, 3)),
    "conv3d": lambda: nn.Conv3d(2, 3, 2, bias=False),
    "conv_transpose1d": lambda: nn.ConvTranspose1d(3, 2, 4),
    "conv_transpose2d": lambda: nn.ConvTranspose2d(4, 6, 3, groups=2),
    "conv_transpose3d": lambda: nn.ConvTranspose3d(2, 3, 2),
    "embedding": lambda: nn.Embedding(7, 3),
    "embedding_bag": lambda: nn.EmbeddingBag(7, 3),
    "bilinear": lambda: nn.Bilinear(2, 3, 4),
    "batch_norm": lambda: nn.BatchNorm2d(5),
    "layer_norm": lambda: nn.LayerNorm((2, 3)),
    "group_norm": lambda: nn.GroupNorm(2, 6),
    "rnn": lambda: nn.RNN(3, 4, bidirectional=True),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, proj_size=2),
    "gru": lambda: nn.GRU(3, 4),
    "attention": lambda: nn.MultiheadAttention(8, 2, kdim=3, vdim=5, add_bias_kv=True),
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16),
    "weight_norm": lambda: parametrizations.weight_norm(nn.Conv2d(2, 3, 2)),
    "prelu": nn.PReLU,
    "bare": Bare,
    "tied": Tied,
    "nested": lambda: nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.ModuleDict({"a": nn.Linear(2, 2)})
    ),
}


def make(name: str) -> nn.Module:
    """Return a seeded module of a given name without weights of 0 or 1."""
    torch.manual_seed(0)
    module = MODULES[name]()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return module


def loss_of(module: nn.Module, **settings: Any) -> KolmogorovLoss:
    """Return a seeded loss with few bins."""
    usual: dict[str, Any] = {"bins": 32, "generator": torch.Generator().manual_seed(1)}
    return KolmogorovLoss(module, **usual | settings)


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("name", list(MODULES))
def test_every_weight_of_every_layer_is_described(name: Any, predictor: Any) -> None:
    """K is finite and has a gradient by each weight; bits, report and decoded state cover the
    module.
    """
    module = make(name)
    loss = loss_of(module, predictor=predictor)
    assert loss.num_weights == sum(item.numel() for item in module.parameters())
    value = loss()
    value.backward()
    assert value.isfinite()
    for item in module.parameters():
        assert gradient_of(item).shape == item.shape
        assert gradient_of(item).isfinite().all()
        assert (gradient_of(item) != 0).all()
    description, report = loss.bits(), loss.report()
    assert description.total == pytest.approx(loss.bits_tensor().item(), rel=1e-12)
    assert [row.num_weights for row in report.rows] == [p.numel() for p in module.parameters()]
    assert [row.name for row in report.rows] == [name for name, _ in module.named_parameters()]
    decoded = loss.decoded_state()
    module.load_state_dict(decoded)
    for key, item in module.state_dict().items():
        assert torch.equal(item, decoded[key])
    # The decoded weights lie on the same bins.
    assert loss.bits().items["weights"] == pytest.approx(description.items["weights"], rel=1e-6)


@pytest.mark.parametrize("name", list(MODULES))
def test_positions_are_unique_and_normalised(name: Any) -> None:
    """No two weights share a position, and each coordinate lies in 0 to 1."""
    table = loss_of(make(name)).table
    positions = table.positions()
    unique = positions.unique(dim=0)  # type: ignore[no-untyped-call] # torch leaves it untyped
    assert len(unique) == table.num_weights
    assert positions.min() == 0
    assert positions.max() <= 1


@pytest.mark.parametrize("predictor", BY_POSITION)
@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
@pytest.mark.parametrize("targets", ["linear", "soft", "noise"])
def test_gradients_are_those_of_finite_differences(
    predictor: Any, weight_range: Any, targets: str
) -> None:
    """In float64, gradients by weights and by the loss's parameters equal finite differences."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.ConvTranspose1d(2, 3, 2), nn.Linear(3, 4), nn.LayerNorm(4)).double()
    loss = loss_of(
        module, predictor=predictor, weight_range=weight_range, targets=targets, temperature=0.3
    )
    with torch.no_grad():
        for parameter in [*module.parameters(), *loss.parameters()]:
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
        module.get_parameter("0.weight")[0, 0, 0] = 9.0
    assert loss.num_out_of_range() > 0
    parameters = [*module.parameters(), *loss.parameters()]
    gradients = torch.autograd.grad(loss(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        direction = torch.randn_like(parameter)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(direction, alpha=sign * 1e-7)
                # The next step's draws, since the previous step has been counted.
                if loss.counter is not None:
                    loss.counter.steps = 0
                values.append(loss().item())
                parameter.sub_(direction, alpha=sign * 1e-7)
        expected = (values[0] - values[1]) / 2e-7
        assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_swaps_inputs_and_outputs(groups: int) -> None:
    """The weight at [i, o, a, b] belongs to output o and input i."""
    module = nn.ConvTranspose2d(4, 6, (2, 3), groups=groups, bias=False)
    positions = loss_of(module).table.positions().view(*module.weight.shape, 5)
    outputs = 6 // groups
    for place in ((0, 0, 0, 0), (1, 2, 1, 1), (3, outputs - 1, 1, 2)):
        expected = [0, place[1] / (outputs - 1), place[0] / 3, (3 * place[2] + place[3]) / 5, 0]
        assert positions[place].tolist() == pytest.approx(expected)


def test_tied_weights_count_once() -> None:
    """K, bits and gradients count a tied parameter once; the decoded state has all of its names."""
    module = make("tied")
    loss = loss_of(module, predictor="per_tensor")
    assert loss.table.names == ("embedding.weight", "norm.weight", "norm.bias", "decoder.bias")
    assert loss.bits().items["buffers"] == 32 * (4 + 4 + 1)
    once = nn.Module()
    once.embedding, once.norm = copy.deepcopy((module.embedding, module.norm))
    once.decoder = nn.ParameterDict({"bias": module.get_parameter("decoder.bias").detach().clone()})
    reference = loss_of(once, predictor="per_tensor")
    assert loss() == reference()
    loss().backward()
    reference().backward()
    assert torch.equal(
        gradient_of(module.get_parameter("decoder.weight")),
        gradient_of(once.get_parameter("embedding.weight")),
    )
    decoded = loss.decoded_state()
    assert torch.equal(decoded["decoder.weight"], decoded["embedding.weight"])
    assert torch.equal(decoded["last_norm.running_var"], decoded["norm.running_var"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("predictor", PREDICTORS)
def test_parameters_keep_their_type(dtype: Any, predictor: Any) -> None:
    """K is at least float32; gradients and decoded weights have the parameters' own type."""
    module = make("linear").to(dtype)
    loss = loss_of(module, predictor=predictor)
    loss().backward()
    assert loss().dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert gradient_of(module.get_parameter("weight")).dtype == module.weight.dtype == dtype
    assert loss.decoded_state()["weight"].dtype == dtype
    wide = make("linear").to(dtype).double()
    reference = loss_of(wide, predictor=predictor)
    assert loss().item() == pytest.approx(reference().item(), rel=1e-5)


def test_parameters_of_several_types_are_described_together() -> None:
    """In a module of half and double precision each parameter keeps its dtype."""
    module = nn.Sequential(nn.Linear(3, 3).half(), nn.Linear(3, 3).double(), nn.Linear(3, 3))
    loss = loss_of(module)
    loss().backward()
    assert [gradient_of(layer.get_parameter("weight")).dtype for layer in module] == [
        torch.float16,
        torch.float64,
        torch.float32,
    ]
    module.load_state_dict(loss.decoded_state())


def test_the_usual_type_plays_no_part() -> None:
    """With float64 as PyTorch's default dtype a float32 module has the same K."""
    module = make("nested")
    expected = loss_of(module)()
    try:
        torch.set_default_dtype(torch.float64)
        found = loss_of(module)()
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == torch.float32
    assert found == expected


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("targets", ["linear", "soft", "noise", "hard"])
@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
def test_weights_that_become_nan_show(predictor: Any, targets: str, weight_range: Any) -> None:
    """K and the bits are NaN while a weight is NaN, with every predictor."""
    module = make("linear")
    loss = loss_of(module, predictor=predictor, targets=targets, weight_range=weight_range)
    with torch.no_grad():
        module.get_parameter("weight")[1, 2] = math.nan
    assert loss().isnan()
    assert math.isnan(loss.bits().total)


@pytest.mark.parametrize("weight_range", ["auto", (-1.0, 1.0)])
def test_weights_that_become_infinite_show_in_the_bits(weight_range: Any) -> None:
    """An infinite weight makes K NaN; it does not count as a large weight."""
    module = make("linear")
    loss = loss_of(module, weight_range=weight_range)
    with torch.no_grad():
        module.get_parameter("weight")[1, 2] = math.inf
    assert math.isnan(loss.bits().total)


def test_losses_of_parts_of_a_module_are_told_apart() -> None:
    """A loss of a submodule describes only the submodule, under the submodule's names."""
    module = make("nested")
    assert loss_of(module.get_submodule("0")).table.names == (
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
    )


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ([nn.Parameter(torch.ones(2))], "expected a torch.nn.Module, got an object of type list"),
        (nn.Linear(2, 2, device="meta"), "'weight'.*meta device"),
        (nn.Sequential(nn.Linear(2, 2), nn.LazyBatchNorm1d()), "'1.weight'.*forward pass"),
    ],
)
def test_what_cannot_be_described_is_refused(module: Any, message: str) -> None:
    """Objects that are no modules, modules without values and lazy layers get an error of
    one line.
    """
    with pytest.raises(KolmogorovError, match=message) as caught:
        KolmogorovLoss(module, exclude="1.*" if "1" in message else None)
    assert "\n" not in str(caught.value)
