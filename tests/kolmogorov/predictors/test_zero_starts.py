"""Tests of weights that are zero when the loss is made and are then trained."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bitfold.kolmogorov import KolmogorovLoss


class LowRank(nn.Module):
    """LoRA: a frozen layer plus a product of two matrices, one of which begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.head = nn.Linear(20, 64), nn.Linear(64, 3)
        self.base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(4, 20) / 4)
        self.b = nn.Parameter(torch.zeros(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(torch.relu(self.base(x) + x @ self.a.t() @ self.b.t()))
        return logits


class Residual(nn.Module):
    """A residual branch whose last convolution begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first = nn.Conv1d(1, 8, 3, padding=1), nn.Conv1d(8, 8, 3, padding=1)
        self.last, self.head = nn.Conv1d(8, 8, 3, padding=1), nn.Linear(160, 3)
        for item in self.last.parameters():
            nn.init.zeros_(item)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = self.stem(x[:, None])
        x = x + self.last(torch.relu(self.first(x)))
        logits: Tensor = self.head(torch.relu(x).flatten(1))
        return logits


class Attention(nn.Module):
    """Attention whose output layer begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.attend = nn.Linear(5, 16), nn.Linear(16, 48)
        self.output, self.head = nn.Linear(16, 16, bias=False), nn.Linear(16, 3)
        nn.init.zeros_(self.output.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = self.embed(x.view(-1, 4, 5))
        query, key, value = self.attend(x).chunk(3, -1)
        x = x + self.output(functional.scaled_dot_product_attention(query, key, value))
        logits: Tensor = self.head(x.mean(1))
        return logits


def zero_head() -> nn.Module:
    """Return a head of zeros, and a layer half of whose rows are zeros."""
    head, layer = nn.Linear(64, 3), nn.Linear(64, 64)
    with torch.no_grad():
        head.weight.zero_()
        layer.weight[:32] = 0
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), layer, nn.ReLU(), head)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "low rank": LowRank,
    "residual": Residual,
    "attention": Attention,
    "zero head": zero_head,
}


@pytest.mark.parametrize("predictor", ["row_column", "per_tensor"])
@pytest.mark.parametrize("name", MODULES)
def test_the_first_steps_of_zeros_do_not_raise_k(name: str, predictor: str) -> None:
    """In the first steps K rises by at most half a nat, as if the zeros were small numbers."""
    torch.manual_seed(0)
    module = MODULES[name]()
    points = torch.randn(200, 20)
    loss = KolmogorovLoss(module, predictor=predictor)
    trained = [item for item in module.parameters() if item.requires_grad]
    optimizer = torch.optim.Adam([*trained, *loss.parameters()], lr=0.01)
    first = loss().item()
    for _ in range(3):
        task = functional.cross_entropy(module(points), points[:, :3].argmax(1))
        (task + 0.03 * loss()).backward()
        optimizer.step()
        optimizer.zero_grad()
        assert loss().item() < first + 0.5


def test_zeros_begin_at_the_scale_of_their_tensor_or_module() -> None:
    """A row of zeros has its tensor's scale, and a tensor of zeros that of all other weights."""
    torch.manual_seed(0)
    module = zero_head()
    loss = KolmogorovLoss(module)
    state = dict(loss.predictor.named_parameters())
    own = dict(zip(loss.table.names, state["log_scale"].tolist(), strict=True))
    assert own["4.weight"] == pytest.approx(own["2.weight"], abs=0.7)
    rows = state["row_log_scale"]
    assert bool((rows[64:96] == 0).all())
    assert bool((rows[96:128].abs() < 0.5).all())


def test_a_module_of_zeros_begins_at_one_bin() -> None:
    """A module of zeros begins with a scale of one bin, since its weights give none."""
    module = nn.Linear(4, 3)
    for item in module.parameters():
        nn.init.zeros_(item)
    loss = KolmogorovLoss(module)
    assert loss.get_parameter("predictor.log_scale").tolist() == pytest.approx(
        [0.03, 0.03], abs=0.01
    )
    assert bool(loss().isfinite())


def test_zeros_that_stay_take_no_bits() -> None:
    """Weights that stay zero take no bits, for any first scale."""
    torch.manual_seed(0)
    module = nn.Linear(64, 64)
    with torch.no_grad():
        module.weight[:32] = 0
    half = nn.Linear(64, 32)
    with torch.no_grad():
        half.weight.copy_(module.weight[32:])
        half.bias.copy_(module.bias[32:])
    whole, of_half = (KolmogorovLoss(one).bits().items["weights"] for one in (module, half))
    assert whole < 1.1 * of_half + 32 * 12
