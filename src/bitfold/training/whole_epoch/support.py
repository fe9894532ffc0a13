"""Which settings the compiled epoch has loops for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bitfold.errors import ConfigError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.kolmogorov.grid.soft_assignment import LinearTargets, RoundedTargets, SoftTargets
from bitfold.kolmogorov.sums.fused.coordinate_sums import can_fuse
from bitfold.networks import Encoding, parse_shape
from bitfold.networks.dense import MAX_COMPILED_WIDTH, DenseLoops
from bitfold.targets import Target
from bitfold.training.config.configuration import Config

# By predictor, or ``learned`` for learned steps: the values that the loops of K take.
_KINDS_OF_K: Final[Mapping[str, Mapping[str, tuple[object, ...]]]] = {
    "row_column": {"targets": ("linear",), "every": (1,)},
    "per_tensor": {"targets": ("linear",), "every": (1,)},
    "coordinate": {
        "loss_type": ("cross_entropy",),
        "range": ("fixed",),
        "targets": ("soft", "linear"),
        "every": (1,),
    },
    "learned": {
        "predictor": ("row_column", "per_tensor"),
        "targets": ("rounded", "linear"),
        "every": (1,),
    },
}
_SHARING = (SoftTargets, LinearTargets, RoundedTargets)
# As many are summed by one thread in one pass.
_MOST_WEIGHTS = 2**18


def with_epoch_loop(config: Config, target: Target) -> Config:
    """Return the configuration of a new run with a settled ``epoch_loop``.

    Raises:
        ConfigError: ``compiled`` was asked for, and there is no loop for the other settings.
    """
    reason = why_stepwise(config, target)
    if config.epoch_loop == "compiled" and reason is not None:
        raise ConfigError(
            f"Cannot use `epoch_loop='compiled'`: expected settings that the loops have, got "
            f"{reason}. Leave `epoch_loop` out, or change the other setting."
        )
    chosen = config.epoch_loop or ("compiled" if reason is None else "stepwise")
    return config.replace(epoch_loop=chosen)


def why_stepwise(config: Config, target: Target) -> str | None:
    """Return why the compiled epoch cannot train with these settings; None if it can.

    The answer depends on the settings alone, and on whether compiled loops work at all, so that a
    continued run goes on as it began.

    Args:
        config: of the run, with its number of threads.
        target: gives the network its inputs and outputs.

    Returns:
        A setting with its value, and what the loops take in its place.
    """
    if config.device != "cpu":
        return f"device={config.device!r} (the loops run on the cpu)"
    if config.use_compile:
        return "use_compile=True"
    return _wrong_network(config, target) or _wrong_kolmogorov(config) or _wrong_numba()


def has_known_sum(kolmogorov: KolmogorovLoss | None) -> bool:
    """Whether K shares weights among bins as its settings say, not by someone's own targets."""
    return kolmogorov is None or type(kolmogorov.targets) in _SHARING


def _wrong_network(config: Config, target: Target) -> str | None:
    encoding = Encoding.parse(config.encoding)
    if encoding.num_levels:
        return f"encoding={config.encoding!r} (the loops have none, triangle)"
    num_encoded = encoding.num_features(target.in_features)
    widths = [num_encoded, *parse_shape(config.shape), target.out_features]
    if max(widths) > MAX_COMPILED_WIDTH:
        return f"{max(widths)} neurons in a layer (the loops take {MAX_COMPILED_WIDTH})"
    loops = DenseLoops(widths, [1.0] * (len(widths) - 1))
    if not loops.pay(config.batch_size, config.threads or 1):
        return f"batch_size={config.batch_size} (PyTorch is faster for this network)"
    if config.has_kolmogorov and loops.num_parameters > _MOST_WEIGHTS:
        return f"{loops.num_parameters} parameters (K's loop takes {_MOST_WEIGHTS})"
    return None


def _wrong_kolmogorov(config: Config) -> str | None:
    if not config.has_kolmogorov:
        return None
    settings = config.kolmogorov
    kind = settings.quantise if settings.is_quantised else settings.predictor
    known_predictors = tuple(name for name in _KINDS_OF_K if name != "learned")
    for name, taken in _KINDS_OF_K.get(kind, {"predictor": known_predictors}).items():
        found = getattr(settings, name)
        if found not in taken:
            known = ", ".join(map(str, taken))
            return f"kolmogorov_{name}={found!r} (the loops take {known})"
    return None


def _wrong_numba() -> str | None:
    return None if can_fuse() else "an untested version of Numba"
