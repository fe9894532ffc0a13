"""The network and K that a configuration describes."""

from __future__ import annotations

import pytest

from bitfold.kolmogorov import KolmogorovLoss
from bitfold.training.step.resources import random_stream
from tests.training.training_runs import WITH_K, learner_of


@pytest.mark.parametrize(
    "settings",
    [
        {"kolmogorov_targets": "linear"},
        {"kolmogorov_targets": "noise"},
        {"kolmogorov_range": "auto"},
        {"kolmogorov_predictor": "row_column"},
        {"kolmogorov_predictor": "per_tensor", "kolmogorov_range": "auto"},
    ],
    ids=lambda settings: "-".join(settings.values()),
)
def test_options_of_k_reach_it(settings: dict[str, str]) -> None:
    """Each setting makes the KolmogorovLoss that a user would make by hand."""
    learner = learner_of(**WITH_K, **settings)
    other = KolmogorovLoss(
        learner.network,
        predictor=settings.get("kolmogorov_predictor", "coordinate"),
        predictor_shape=None if "kolmogorov_predictor" in settings else (3,),
        bins=16,
        weight_range="auto" if "kolmogorov_range" in settings else (-3.0, 3.0),
        targets=settings.get("kolmogorov_targets", "soft"),
        generator=random_stream(0, "predictor"),
    )
    assert learner.kolmogorov is not None
    assert learner.kolmogorov().item() == other().item()
    assert float(learner.kolmogorov.bits()) == float(other.bits())
    plain = learner_of(**WITH_K)
    assert plain.kolmogorov is not None
    assert plain.kolmogorov().item() != other().item()
