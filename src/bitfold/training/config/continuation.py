"""The settings that a continued run may change, and those whose change makes it forget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bitfold.errors import ConfigError
from bitfold.training.config.configuration import Config
from bitfold.training.config.nearest_name import hint
from bitfold.training.config.setting_group import settings_of

# Settings of the other groups change what is shown or written, and not how training goes on.
_STEERING_GROUPS = ("training", "optimiser", "kolmogorov")


def resumable_settings(*, had_predictor: bool = False) -> list[str]:
    """Return the names of the settings that a continued run may change.

    Args:
        had_predictor: whether the run was trained with K; then its weight predictor stays as it is.
    """
    fixed = ("never", "without_predictor") if had_predictor else ("never",)
    return [name for name, _, setting in settings_of(Config) if setting.resume not in fixed]


def predictor_settings() -> frozenset[str]:
    """Return the names of the settings that make the weight predictor."""
    settings = settings_of(Config)
    return frozenset(name for name, _, one in settings if one.resume == "without_predictor")


def steering_settings() -> frozenset[str]:
    """Return the names of the settings that decide how training goes on from a given state."""
    settings = settings_of(Config)
    steering = (name for name, _, setting in settings if setting.group in _STEERING_GROUPS)
    return frozenset(steering) - {"epochs", "minutes"}


def changed_config(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return the configuration of a continued run.

    Args:
        config: of the run so far.
        changes: name to new value.

    Raises:
        ConfigError: a setting may not change, or `Config` refuses the new value.
    """
    allowed = resumable_settings(had_predictor=config.has_kolmogorov)
    known = [name for name, _, _ in settings_of(Config)]
    for name in changes:
        if name not in known:
            raise ConfigError(
                f"Cannot change setting {name!r}: there is no setting of that name."
                + hint(name, known)
            )
        if name not in allowed:
            raise ConfigError(
                f"Cannot continue a run with another `{name}`: it would be another run. Start a "
                "new run instead."
            )
    return config.replace(**changes).settled()


def default_lambda_line(before: Config, now: Config) -> str | None:
    """Return a line that names the lambda that was chosen by default; None if it was given.

    Args:
        before: the configuration as it was asked for.
        now: the same after `Config.settled`.
    """
    if before.kolmogorov_weight is not None or now.kolmogorov_weight is None:
        return None
    return (
        f"Training with lambda {now.kolmogorov_weight}: a kind of K was chosen, and no lambda. "
        "`kolmogorov_weight` sets another."
    )


def agree(before: Config, now: Config, names: Iterable[str]) -> bool:
    """Whether two configurations have the same values for some settings."""
    return all(getattr(before, name) == getattr(now, name) for name in names)
