"""The settings of K: the values in use, and which values go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from bitfold.errors import ConfigError
from bitfold.kolmogorov.options.names import PREDICTOR_OPTIONS, TARGET_OPTIONS
from bitfold.networks.shape import parse_shape

PREFIX: Final = "kolmogorov_"
#: By ``quantise``, the values of the settings that a configuration leaves open.
USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "none": {"predictor": "coordinate", "range": "fixed", "targets": "soft", "lr": 1e-3},
    "learned": {"predictor": "row_column", "range": "auto", "targets": "rounded", "lr": 1e-2},
}
#: Lambda where a kind of K is chosen and no lambda: of the six that the docs' frontier of the ring
#: compares, the one with the least product of bytes and error.
DEFAULT_LAMBDA: Final = 0.003
#: The settings that choose a kind of K, which means nothing without a lambda.
_KINDS_OF_K: Final = ("predictor", "range", "targets")


@dataclass(frozen=True, kw_only=True)
class KolmogorovSettings:
    """The settings of K as training uses them: those that were left open have their usual value.

    Each attribute is the setting of `Config` with the prefix ``kolmogorov_``; `Config` documents
    its values and bounds.

    Attributes:
        weight: lambda, or the word ``mdl`` or ``bits:N`` that chooses it.
        warmup: epochs in which lambda rises from 0.
        noise_std: standard deviation of the values' noise for ``mdl``; None if it is learned.
        quantise: ``learned`` if the task computes with the decoded weights, or ``none``.
        predictor: the kind of weight predictor.
        shape: hidden layers of the coordinate predictor; ``none`` or empty for no K.
        loss_type: the distribution that the coordinate predictor predicts.
        bins: number of values that a weight can take.
        range: ``auto`` if each tensor learns its range, or ``fixed``.
        weight_min: centre of the first bin of the fixed range.
        weight_max: centre of the last bin of the fixed range.
        targets: how a weight is distributed over the bins.
        temperature: temperature of the soft targets.
        lr: learning rate of the predictor and of learned steps.
        predictor_bits: bits of each predictor parameter in the description.
        every: steps from one step with K to the next.
    """

    weight: float | str
    warmup: int
    noise_std: float | None
    quantise: str
    predictor: str
    shape: str
    loss_type: str
    bins: int
    range: str
    weight_min: float
    weight_max: float
    targets: str
    temperature: float
    lr: float
    predictor_bits: int
    every: int

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> KolmogorovSettings:
        """Return the settings where some, which are None, are left open.

        >>> given = {name: None for name in KOLMOGOROV_NAMES}
        >>> KolmogorovSettings.of({**given, "quantise": "learned"}).weight
        0.003
        """
        usual = USUAL[given["quantise"]]
        is_chosen = given["quantise"] != "none" or any(given[n] is not None for n in _KINDS_OF_K)
        usual = {**usual, "weight": DEFAULT_LAMBDA if is_chosen else 0.0}
        used: dict[str, Any] = {n: usual.get(n) if v is None else v for n, v in given.items()}
        return cls(**used)

    @property
    def is_active(self) -> bool:
        """Whether K is part of the loss: a predictor is configured and lambda is not always 0."""
        return self.weight != 0 and self.predictor_shape is not None

    @property
    def is_quantised(self) -> bool:
        """Whether the task computes with the weights that a decoder gets."""
        return self.quantise == "learned"

    @property
    def target_bits(self) -> int | None:
        """The N of ``bits:N``; None if lambda is chosen in another way."""
        is_counted = isinstance(self.weight, str) and self.weight.startswith("bits:")
        return int(str(self.weight).removeprefix("bits:")) if is_counted else None

    @property
    def predictor_shape(self) -> tuple[int, ...] | None:
        """The hidden widths of the coordinate predictor; None for no predictor."""
        return None if self._names_no_predictor else parse_shape(self.shape)

    @property
    def weight_range(self) -> Literal["auto"] | tuple[float, float]:
        """The centres of the first and the last bin, or ``auto``."""
        return "auto" if self.range == "auto" else (self.weight_min, self.weight_max)

    def check(self) -> None:
        """Refuse values that do not go together.

        Raises:
            ConfigError: two settings contradict each other; the message names both.
            ShapeError: ``shape`` is not a network shape.
        """
        if not self._names_no_predictor:
            parse_shape(self.shape)
        if self.weight_min >= self.weight_max:
            raise ConfigError(
                "Cannot use `kolmogorov_weight_min`: expected less than `kolmogorov_weight_max` "
                f"({self.weight_max:g}), got {self.weight_min:g}."
            )
        if 16 < self.predictor_bits < 32:
            raise ConfigError(
                "Cannot use `kolmogorov_predictor_bits`: expected 2 to 16, or 32 for float32, got "
                f"{self.predictor_bits}."
            )
        if self.is_quantised:
            self._check_learned()
        elif self._targets_have("needs_rounded_task", otherwise=False):
            raise ConfigError(
                f"Cannot use `kolmogorov_targets={self.targets!r}`: expected "
                f"`kolmogorov_quantise='learned'`, got 'none', which gives {self.targets} targets "
                "no gradient. Set it, or choose `kolmogorov_targets='linear'`."
            )
        taken = PREDICTOR_OPTIONS[self.predictor].attributes.get("option_settings", ())
        is_unitless = "kind" in taken and self.loss_type == "mse"
        if self.weight == "mdl" and is_unitless:
            raise ConfigError(
                "Cannot use `kolmogorov_weight='mdl'`: expected a `kolmogorov_loss_type` in nats, "
                "got mse. Choose cross_entropy, gaussian_nll or laplacian_nll."
            )

    @property
    def _names_no_predictor(self) -> bool:
        return self.shape.strip().lower() in ("", "none")

    def _check_learned(self) -> None:
        wrong = None
        if not self.is_active:
            wrong = "weight", "a weight of K above 0", self._written_weight(), "Set one"
        elif self.range != "auto":
            wrong = "range", "auto", self.range, "Leave it out"
        elif not self._targets_have("suits_rounded_task", otherwise=True):
            wrong = "targets", "rounded, linear or soft", self.targets, "Leave it out"
        if wrong is not None:
            name, expected, got, advice = wrong
            raise ConfigError(
                f"Cannot use `kolmogorov_quantise='learned'`: expected `{PREFIX}{name}` to be "
                f"{expected}, got {got}. {advice}, or leave out `kolmogorov_quantise`."
            )

    def _targets_have(self, attribute: str, *, otherwise: bool) -> bool:
        """A class attribute of the targets, read without PyTorch; see `Targets`."""
        return bool(TARGET_OPTIONS[self.targets].attributes.get(attribute, otherwise))

    def _written_weight(self) -> str:
        if self.predictor_shape is None:
            return f"no predictor (`kolmogorov_shape='{self.shape or 'none'}'`)"
        return f"{self.weight:g}"


#: The names of `KolmogorovSettings`, which `Config` has with the prefix.
KOLMOGOROV_NAMES: Final = tuple(field.name for field in fields(KolmogorovSettings))
