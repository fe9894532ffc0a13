"""Settings that a continued run may change, and the state that each change resets."""

from __future__ import annotations

import pytest

from bitfold.errors import ConfigError
from bitfold.training import Config, resumable_settings, settings_of
from bitfold.training.config.continuation import (
    changed_config,
    predictor_settings,
    steering_settings,
)

NEVER = {
    "target", "size", "task", "shape", "activation",
    "final_activation", "encoding", "batch_size", "seed", "output_dir", "checkpoint_dir",
    "snapshot_dir", "epoch_loop",
}  # fmt: skip
PREDICTOR = {
    "kolmogorov_shape", "kolmogorov_loss_type", "kolmogorov_bins", "kolmogorov_weight_min",
    "kolmogorov_weight_max", "kolmogorov_predictor_bits", "kolmogorov_predictor",
    "kolmogorov_range", "kolmogorov_quantise",
}  # fmt: skip


def test_what_a_continued_run_may_change() -> None:
    """A run's identity cannot change; a predictor's settings can if there was no predictor."""
    every = {name for name, _, _ in settings_of(Config)}
    assert set(resumable_settings()) == every - NEVER
    assert set(resumable_settings(had_predictor=True)) == every - NEVER - PREDICTOR
    assert predictor_settings() == PREDICTOR


def test_what_decides_how_training_goes_on() -> None:
    """Groups of settings that affect training are told apart from its length."""
    steering = steering_settings()
    assert {"learning_rate", "momentum", "kolmogorov_weight", "threads"} <= steering
    assert not {"epochs", "minutes", "audit", "measure_folds", "frame_size", "log_file"} & steering


def test_a_refused_change_names_pythons_argument() -> None:
    """The error for a setting of the run's identity or the predictor names the setting."""
    before = Config(kolmogorov_weight=0.1)
    for name in ("batch_size", "kolmogorov_bins"):
        with pytest.raises(ConfigError, match=f"with another `{name}`"):
            changed_config(before, {name: 64})
    assert changed_config(Config(), {"kolmogorov_bins": 64}).kolmogorov.bins == 64


def test_a_change_that_adds_k_settles_its_settings() -> None:
    """If a change adds K, K's open settings are written down."""
    assert Config().kolmogorov_predictor is None
    assert changed_config(Config(), {"kolmogorov_weight": 0.1}).kolmogorov_predictor == "coordinate"
