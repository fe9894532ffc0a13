"""Tests of the choice of a weight predictor."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bitfold.errors import KolmogorovError
from bitfold.kolmogorov import (
    Bins,
    ChoiceRow,
    CoordinatePredictor,
    KolmogorovLoss,
    Layout,
    PerTensorPredictor,
    RowColumnPredictor,
    WeightPredictor,
    WeightSubset,
    choose_predictor,
)
from bitfold.kolmogorov.fitting import fit as fitting
from bitfold.kolmogorov.predictors.weight_predictor import Summed
from tests.kolmogorov.narrowing import gradient_of, learned_range

#: A network from positions to bins that is fitted within a fraction of a second.
SMALL = CoordinatePredictor((3,))


class Stripes(WeightPredictor):
    """A histogram for odd columns and another one for even columns."""

    def attach(self, layout: Layout, bins: Bins, generator: torch.Generator | None) -> None:
        """Make two histograms, drawn from the global generator."""
        super().attach(layout, bins, generator)
        self.logits = nn.Parameter(torch.randn(2, bins.num_bins))

    def forward(self, subset: WeightSubset, indices: Tensor) -> Tensor:
        """Return the histogram of the column's parity."""
        logs = self.logits.log_softmax(1)
        return -logs[(subset.inputs % 2).expand_as(indices), indices]


class Misled(PerTensorPredictor):
    """A predictor that learns in the wrong direction."""

    def summed(self, *args: Any, **kwargs: Any) -> Summed:
        """Return the sum with reversed gradients."""
        summed = super().summed(*args, **kwargs)
        return summed._replace(grad_parameters=[-item for item in summed.grad_parameters])


@pytest.fixture
def plain() -> nn.Linear:
    """Return a layer whose rows and columns have equal scales."""
    return filled(nn.Linear(60, 50), lambda item, generator: item.normal_(generator=generator))


@pytest.fixture
def rowed() -> nn.Linear:
    """Return a layer whose rows differ in size by up to a factor of 400."""

    def fill(item: Tensor, generator: torch.Generator) -> None:
        item.normal_(generator=generator)
        if item.dim() > 1:
            item.mul_(torch.linspace(-3, 3, len(item)).exp().unsqueeze(1))

    return filled(nn.Linear(60, 50), fill)


def filled(module: nn.Linear, fill: Callable[[Tensor, torch.Generator], object]) -> nn.Linear:
    """Return the module with seeded values."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for item in module.parameters():
            fill(item, generator)
    return module


@pytest.mark.slow
def test_what_is_alike_everywhere_needs_one_scale(plain: nn.Linear) -> None:
    """Scales of rows and columns only cost bits where all rows and columns are alike."""
    assert choose_predictor(plain).best.name.startswith("per_tensor")


def test_rows_of_different_size_are_worth_their_scales(rowed: nn.Linear) -> None:
    """Rows of different sizes choose row_column, and the reason names its cost and its savings."""
    found = choose_predictor(rowed, candidates=["per_tensor", "row_column"])
    assert found.best.name.startswith("row_column")
    other = next(row for row in found.rows if row.name.startswith("per_tensor"))
    more = found.best.sending_bits - other.sending_bits
    less = other.weights_bits - found.best.weights_bits
    assert f"its {more:,.0f} extra bits of predictor save {less:,.0f}" in found.reason
    assert f"{less - more:,.0f} bits shorter than {other.name}" in found.reason


def test_a_predictor_of_ones_own_wins_where_it_knows_better() -> None:
    """An own predictor is fitted like the others; the given instance is never attached."""

    def fill(item: Tensor, generator: torch.Generator) -> None:
        item.normal_(0, 0.01, generator=generator)
        item[..., ::2] += 1
        item[..., 1::2] -= 1

    mine = Stripes()
    striped = filled(nn.Linear(60, 50, bias=False), fill)
    found = choose_predictor(striped, candidates=["per_tensor", mine], bins=32)
    assert found.best.name == "Stripes"
    assert not list(mine.parameters())
    assert isinstance(found.kolmogorov.predictor, Stripes)


def test_every_row_counts_the_whole_description(rowed: nn.Linear) -> None:
    """The shortest description comes first and equals the fitted loss's bits."""
    rowed.register_buffer("saved", torch.zeros(5))
    found = choose_predictor(rowed, candidates=["per_tensor", "row_column"], rest_bits=16)
    totals = [row.total_bits for row in found.rows]
    assert totals == sorted(totals)
    description = found.kolmogorov.bits()
    best = found.best
    assert description.total == best.total_bits
    assert best.sending_bits == description.items["predictor"]
    assert description.items["buffers"] == 5 * 16
    assert best.other_bits == pytest.approx(5 * 16 + 2 * 16, abs=1e-6)


def test_the_precision_is_the_one_with_the_fewest_bits(rowed: nn.Linear) -> None:
    """The chosen precision gives the fewest bits of all that are tried."""
    kolmogorov = choose_predictor(rowed, candidates=["row_column", SMALL]).kolmogorov
    best = kolmogorov.bits().total
    for precision in WeightPredictor.precisions:
        kolmogorov.predictor_bits = precision
        assert kolmogorov.bits().total >= best


def test_all_candidates_describe_the_same_decoded_weights(rowed: nn.Linear) -> None:
    """Fitting does not change the grid or the decoded weights."""
    untouched = KolmogorovLoss(rowed).decoded_state()
    for candidate in ("per_tensor", "row_column", SMALL):
        decoded = choose_predictor(rowed, candidates=[candidate]).kolmogorov.decoded_state()
        assert all(torch.equal(decoded[key], item) for key, item in untouched.items())


def test_the_module_and_the_random_state_stay_as_they_are(plain: nn.Linear) -> None:
    """Weights, gradients, requires_grad, the mode and the random state stay as they are."""
    plain.bias.requires_grad_(False)
    plain.weight.grad = torch.full_like(plain.weight, 7.0)
    plain.eval()
    before, state = copy.deepcopy(plain.state_dict()), torch.get_rng_state()
    choose_predictor(plain, candidates=["per_tensor", SMALL, Stripes()])
    assert all(torch.equal(plain.state_dict()[key], item) for key, item in before.items())
    assert torch.equal(plain.weight.grad, torch.full_like(plain.weight, 7.0))
    assert plain.bias.grad is None
    assert plain.weight.requires_grad
    assert not plain.bias.requires_grad
    assert not plain.training
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_module_gives_the_same_choice(plain: nn.Linear) -> None:
    """The choice does not depend on earlier draws."""
    tables = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found = choose_predictor(plain, candidates=[SMALL, Stripes()])
        tables.append([row._replace(seconds=0.0) for row in found.rows])
    assert tables[0] == tables[1]


def test_fitting_makes_descriptions_shorter(rowed: nn.Linear) -> None:
    """A fitted coordinate predictor gives a far shorter description than its initial values."""
    kolmogorov = KolmogorovLoss(
        rowed,
        predictor=CoordinatePredictor((8,), "laplacian_nll"),
        generator=torch.Generator().manual_seed(0),
    )
    before = kolmogorov.bits().total
    fitting.fit_predictor(kolmogorov)
    assert kolmogorov.bits().total < 0.8 * before


def test_fitting_that_does_not_help_is_undone(plain: nn.Linear) -> None:
    """A predictor that cannot be improved stays as it is, with its best precision."""
    kolmogorov = KolmogorovLoss(plain, predictor=Misled())
    before = copy.deepcopy(kolmogorov.predictor.state_dict())
    fitting.fit_predictor(kolmogorov)
    after = kolmogorov.predictor.state_dict()
    assert all(torch.equal(after[name], item) for name, item in before.items())
    assert kolmogorov.predictor_bits in WeightPredictor.precisions


def test_the_fitted_loss_trains_on(rowed: nn.Linear) -> None:
    """The chosen loss has no gradients left over and can be trained."""
    kolmogorov = choose_predictor(rowed, candidates=["row_column"]).kolmogorov
    assert all(item.grad is None for item in kolmogorov.parameters())
    assert all(item.requires_grad for item in kolmogorov.parameters())
    kolmogorov().backward()
    assert bool(gradient_of(rowed.weight).abs().sum() > 0)
    assert all(item.grad is not None for item in kolmogorov.parameters())


def test_settings_make_losses_that_share_nothing(rowed: nn.Linear) -> None:
    """The settings hold predictor, precision and all settings that were given."""
    found = choose_predictor(
        rowed, candidates=["row_column"], bins=64, include=iter(["weight"]), exclude=None
    )
    first, second = (KolmogorovLoss(rowed, **found.settings) for _ in range(2))
    assert isinstance(first.predictor, RowColumnPredictor)
    assert first.predictor is not second.predictor
    assert first.bins.num_bins == 64
    assert first.table.names == ("weight",)
    assert first.predictor_bits == found.best.predictor_bits
    assert first.predictor.distribution == found.kolmogorov.predictor.distribution


def test_a_trained_loss_is_compared_on_the_grid_that_it_learned(rowed: nn.Linear) -> None:
    """A loss stands for its module, settings and steps, and stays as it is."""
    trained = KolmogorovLoss(rowed, predictor="row_column", bins=128, rest_bits=0, exclude="bias")
    with torch.no_grad():
        learned_range(trained).log_steps.add_(1.5)
    before = copy.deepcopy(trained.state_dict())
    found = choose_predictor(trained, candidates=["row_column"])
    assert all(torch.equal(trained.state_dict()[key], item) for key, item in before.items())
    assert found.kolmogorov.table.module is rowed
    assert found.kolmogorov.bins.num_bins == 128
    decoded = trained.decoded_state()
    assert all(
        torch.equal(item, decoded[key]) for key, item in found.kolmogorov.decoded_state().items()
    )
    assert found.best.total_bits < trained.bits().total
    assert found.kolmogorov.bits().items["excluded"] == 0


def test_a_fixed_range_is_taken_over_too(plain: nn.Linear) -> None:
    """Settings beside a loss are refused."""
    trained = KolmogorovLoss(plain, predictor="per_tensor", weight_range=(-2.0, 2.0))
    found = choose_predictor(trained, candidates=["per_tensor"])
    assert found.settings["weight_range"] == (-2.0, 2.0)
    with pytest.raises(KolmogorovError, match="got bins"):
        choose_predictor(trained, bins=16)


def test_what_cannot_pay_is_left_out_and_named() -> None:
    """Predictors that take more bits than the best whole description are skipped and named."""
    small = filled(nn.Linear(5, 5), lambda item, generator: item.normal_(generator=generator))
    found = choose_predictor(small)
    assert [name.split(",")[0] for name, _ in found.skipped] == ["coordinate"] * 4
    assert "more than the whole description by adaptive" in str(found)
    asked = choose_predictor(small, candidates=["per_tensor", "coordinate"])
    assert not asked.skipped


def test_large_modules_try_networks_only_on_request(
    plain: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On large modules the coordinate predictor is skipped, and the table says so."""
    monkeypatch.setattr(CoordinatePredictor, "most_weights_unasked", 100)
    found = choose_predictor(plain)
    assert {row.name.split(",")[0] for row in found.rows} == {
        "per_tensor",
        "row_column",
        "adaptive",
    }
    assert "with more than 100 weights it takes long" in str(found)
    monkeypatch.setattr(CoordinatePredictor, "most_weights_unasked", 10)
    assert len(choose_predictor(nn.Linear(4, 4), candidates=["coordinate"]).rows) == 4


def test_weights_drawn_by_sample_lead_to_the_same_choice(
    rowed: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large modules are fitted on samples and counted in full."""
    whole = choose_predictor(rowed, candidates=["row_column"])
    monkeypatch.setattr(fitting, "SAMPLE", 500)
    part = choose_predictor(rowed, candidates=["row_column"])
    assert part.best.total_bits == part.kolmogorov.bits().total
    assert part.best.total_bits == pytest.approx(whole.best.total_bits, rel=0.01)


@pytest.mark.parametrize(
    "dtype", [pytest.param(torch.float64, marks=pytest.mark.slow), torch.bfloat16]
)
def test_other_types_and_surroundings_are_served(plain: nn.Linear, dtype: torch.dtype) -> None:
    """The choice is the same without gradients and under autocast."""
    plain.to(dtype)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = choose_predictor(plain, candidates=["per_tensor", SMALL])
    assert found.best.name.startswith("per_tensor")


def test_two_of_a_kind_have_names_of_their_own(plain: nn.Linear) -> None:
    """Two predictors of one class have different names; a single candidate has no comparison."""
    found = choose_predictor(plain, candidates=[Stripes(), Stripes()], bins=16)
    assert [row.name for row in found.rows] == ["Stripes", "Stripes #2"]
    alone = choose_predictor(plain, candidates=[PerTensorPredictor()])
    assert alone.reason == "per_tensor, laplace is the only one that was tried."


@pytest.mark.parametrize(
    ("weights", "sending", "why"),
    [
        (90.0, 70.0, "its 50 extra bits of predictor save 110 on the weights"),
        (210.0, 5.0, "it takes 15 bits less itself, for 10 more on the weights"),
        (190.0, 5.0, "it saves 10 bits on the weights and 15 on itself"),
    ],
)
def test_the_reason_says_what_is_paid_and_what_is_saved(
    plain: nn.Linear, weights: float, sending: float, why: str
) -> None:
    """The reason reads right whether the best predictor costs more or less than the other."""
    found = choose_predictor(plain, candidates=[PerTensorPredictor()])
    best = ChoiceRow("mine", weights + sending, weights, sending, 4, 0.1)
    other = ChoiceRow("other", 220.0, 200.0, 20.0, 4, 0.1)
    assert why in str(dataclasses.replace(found, rows=(best, other)))


@pytest.mark.parametrize("candidates", [[], "row_column", ["rows"], [3]])
def test_what_is_no_candidate_is_refused(plain: nn.Linear, candidates: list[str]) -> None:
    """Strings, empty lists and lists of other objects are refused."""
    with pytest.raises(KolmogorovError, match="Cannot choose a predictor: expected candidates"):
        choose_predictor(plain, candidates=candidates)
