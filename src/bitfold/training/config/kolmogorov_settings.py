"""What the settings of K are where a configuration leaves them open, and what goes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bitfold.errors import ConfigError
from bitfold.training.config.settings import flag

if TYPE_CHECKING:
    from bitfold.training.config.configuration import Config


class KolmogorovSettings(NamedTuple):
    """The settings of K that suit the way in which weights are quantised.

    Attributes:
        kolmogorov_predictor: what predicts weights.
        kolmogorov_range: where the bins lie.
        kolmogorov_targets: how a weight is shared among bins.
        kolmogorov_lr: rate of predictor and steps.
        lr_schedule: how both rates go; what is finished hard is best finished at a falling one.
    """

    kolmogorov_predictor: str
    kolmogorov_range: str
    kolmogorov_targets: str
    kolmogorov_lr: float
    lr_schedule: str


#: By ``kolmogorov_quantise``, what is taken where nothing is given.
USUAL: Final = {
    "none": KolmogorovSettings("coordinate", "fixed", "soft", 1e-3, "constant"),
    "learned": KolmogorovSettings("row_column", "auto", "rounded", 1e-2, "cosine"),
}


def kolmogorov_settings(config: Config) -> KolmogorovSettings:
    """Return what a configuration says of them, and the usual where it says nothing.

    >>> from bitfold.training import Config
    >>> learned = Config(kolmogorov_quantise="learned", kolmogorov_weight=0.01)
    >>> kolmogorov_settings(learned).kolmogorov_targets
    'rounded'
    """
    usual = USUAL[config.kolmogorov_quantise]
    given = {name: getattr(config, name) for name in usual._fields}
    return usual._replace(**{name: value for name, value in given.items() if value is not None})


def check_kolmogorov(config: Config) -> None:
    """Refuse settings of K that do not go together.

    Raises:
        ConfigError: they do not.
    """
    settings = kolmogorov_settings(config)
    if config.kolmogorov_quantise == "learned":
        _check_learned(config, settings)
    elif settings.kolmogorov_targets == "rounded":
        raise ConfigError(
            "Cannot use --kolmogorov-targets rounded: expected --kolmogorov-quantise learned with "
            "it, got none, where weights feel nothing of such targets. Add that, or choose linear."
        )
    is_unitless = config.kolmogorov_loss_type == "mse"
    is_mse = is_unitless and settings.kolmogorov_predictor == "coordinate"
    if config.kolmogorov_weight == "mdl" and is_mse:
        raise ConfigError(
            "Cannot use --kolmogorov-weight mdl: expected a --kolmogorov-loss-type in nats, "
            "got mse. Choose cross_entropy, gaussian_nll or laplacian_nll."
        )


def _check_learned(config: Config, settings: KolmogorovSettings) -> None:
    wrong = None
    if not config.has_kolmogorov:
        wrong = "--kolmogorov-weight", "a weight of K above 0", _written(config), "Give one"
    elif settings.kolmogorov_range != "auto":
        wrong = "--kolmogorov-range", "auto", settings.kolmogorov_range, "Leave it out"
    elif settings.kolmogorov_targets == "noise":
        # A weight of 0 would pay for the noise that takes it half-way to the next bin.
        wrong = "--kolmogorov-targets", "rounded, linear or soft", "noise", "Leave it out"
    if wrong is not None:
        name, expected, got, advice = wrong
        raise ConfigError(
            f"Cannot use {flag('kolmogorov_quantise')} learned: expected {name} to be {expected}, "
            f"got {got}. {advice}, or leave out {flag('kolmogorov_quantise')}."
        )


def _written(config: Config) -> str:
    if config.predictor_shape is None:
        return f"no predictor (--kolmogorov-shape {config.kolmogorov_shape or 'none'})"
    return f"{config.kolmogorov_weight:g}"
