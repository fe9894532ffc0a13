"""The choice of the weight predictor that gives a module its shortest whole description."""

import copy
from collections.abc import Sequence
from time import perf_counter
from typing import Any, Final

import torch
from torch import nn

from bitfold.entropy_coding.precision import MIN_PREDICTOR_BITS
from bitfold.errors import KolmogorovError
from bitfold.kolmogorov.fitting.fit import adopt_range, fit_predictor
from bitfold.kolmogorov.fitting.predictor_choice import ChoiceRow, PredictorChoice, Skipped
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.options.registry import PREDICTORS
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor
from bitfold.kolmogorov.process_agreement import is_shared
from bitfold.kolmogorov.weights.selection import Pattern

_DEFAULTS: Final = {
    "bins": 256,
    "weight_range": "auto",
    "rest_bits": 32,
    "include": None,
    "exclude": None,
}


def choose_predictor(
    module: nn.Module,
    *,
    candidates: Sequence[str | WeightPredictor] | None = None,
    bins: int = 256,
    weight_range: tuple[float, float] | str = "auto",
    rest_bits: int = 32,
    include: Pattern | None = None,
    exclude: Pattern | None = None,
) -> PredictorChoice:
    """Find the weight predictor that gives a module its shortest whole description, and say why.

    Each candidate is fitted to the weights as they are, all on the same grid. Then the precision is
    chosen in which the candidate is sent, and everything is counted as `KolmogorovLoss.bits` does.
    The best predictor of a trained network need not be the best of the same network untrained:
    choose on a network that has learned something.

    The module, its gradients and the random state stay as they are. The same module gives the same
    choice.

    Source: the two-part code of Rissanen 1978.

    Args:
        module: any module with trainable parameters. A `KolmogorovLoss` stands for the module that
            it describes, on the grid that the loss has learned.
        candidates: names of predictors, each of which stands for several variants, and instances of
            your own. None: all names, without predictors that cannot pay or would take long.
        bins, weight_range, rest_bits, include, exclude: as for `KolmogorovLoss`; not for a loss,
            which has its own.

    Returns:
        The choice. ``KolmogorovLoss(module, **choice.settings)`` uses it, and ``choice.kolmogorov``
        is such a loss, fitted.

    Raises:
        KolmogorovError: if there are no candidates or unknown names; if settings are given along
            with a loss; or as `KolmogorovLoss`.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> network = torch.nn.Linear(40, 30)
        >>> for parameter in network.parameters():
        ...     _ = torch.nn.init.normal_(parameter, generator=generator)
        >>> choice = choose_predictor(network, candidates=["per_tensor", "row_column"])
        >>> choice.best.name
        'per_tensor, logistic'
        >>> kolmogorov = KolmogorovLoss(network, **choice.settings)
        >>> kolmogorov.bits().total <= choice.best.total_bits * 1.001
        True
    """
    settings = {
        "bins": bins,
        "weight_range": weight_range,
        "rest_bits": rest_bits,
        "include": _kept(include),
        "exclude": _kept(exclude),
    }
    like = module if isinstance(module, KolmogorovLoss) else None
    if like is not None:
        settings, module = _settings_of(like, settings), like.table.module
    # The cheap predictors first: they show whether the others can pay.
    predictors = _expanded(list(PREDICTORS)[::-1] if candidates is None else candidates)
    trial = _Trial(module, settings, like, is_open=candidates is None)
    for predictor in predictors:
        trial.run(predictor)
    return trial.choice()


class _Trial:
    """Fits one candidate after the other and keeps the best."""

    def __init__(
        self,
        module: nn.Module,
        settings: dict[str, Any],
        like: KolmogorovLoss | None,
        *,
        is_open: bool,
    ) -> None:
        self._module, self._settings = module, settings
        self._like, self._is_open = like, is_open
        self._rows: list[ChoiceRow] = []
        self._skipped: list[Skipped] = []
        self._best: tuple[ChoiceRow, KolmogorovLoss, WeightPredictor] | None = None

    def run(self, predictor: WeightPredictor) -> None:
        began = perf_counter()
        name = self._name(predictor)
        if self._is_open and predictor.needs_all_weights and is_shared(self._module):
            self._skipped.append(Skipped(name, "it needs all weights in one process"))
            return
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            loss = KolmogorovLoss(
                self._module,
                predictor=copy.deepcopy(predictor),
                generator=torch.Generator().manual_seed(0),
                **self._settings,
            )
            reason = self._reason_to_skip(loss)
            if reason is not None:
                self._skipped.append(Skipped(name, reason))
                return
            if self._like is not None:
                adopt_range(loss, self._like)
            fit_predictor(loss)
        row = _row(name, loss, began)
        self._rows.append(row)
        if self._best is None or row.total_bits < self._best[0].total_bits:
            self._best = row, loss, predictor

    def choice(self) -> PredictorChoice:
        assert self._best is not None
        _, loss, predictor = self._best
        chosen = {
            **self._settings,
            "predictor": copy.deepcopy(predictor),
            "predictor_bits": loss.predictor_bits,
        }
        rows = sorted(self._rows, key=lambda row: row.total_bits)
        return PredictorChoice(tuple(rows), tuple(self._skipped), loss, chosen)

    def _reason_to_skip(self, loss: KolmogorovLoss) -> str | None:
        if not self._is_open or self._best is None:
            return None
        least = float(loss.described.send_predictor(MIN_PREDICTOR_BITS).bits)
        found = self._best[0]
        if least >= found.total_bits:
            return (
                f"it takes at least {least:,} bits itself, more than the whole description by "
                f"{found.name}"
            )
        most = loss.predictor.most_weights_unasked
        if most is not None and loss.num_weights > most:
            return f"with more than {most:,} weights it takes long, and has to be asked for"
        return None

    def _name(self, predictor: WeightPredictor) -> str:
        name = predictor.label
        taken = [row.name.split(" #")[0] for row in self._rows].count(name)
        return f"{name} #{taken + 1}" if taken else name


def _expanded(candidates: Sequence[str | WeightPredictor]) -> list[WeightPredictor]:
    """The variants of names, and instances as they are."""
    if isinstance(candidates, str) or not candidates:
        raise KolmogorovError(
            "Cannot choose a predictor: expected candidates in a list, got "
            f"{candidates!r}. Pass for example ['per_tensor', 'row_column'], or None for all."
        )
    found: list[WeightPredictor] = []
    for candidate in candidates:
        if isinstance(candidate, WeightPredictor):
            found.append(candidate)
        elif isinstance(candidate, str) and candidate in PREDICTORS:
            found += PREDICTORS[candidate].variants()
        else:
            raise KolmogorovError(
                "Cannot choose a predictor: expected candidates among "
                f"{', '.join(PREDICTORS)} or of the class WeightPredictor, got {candidate!r}."
            )
    return found


def _settings_of(like: KolmogorovLoss, given: dict[str, Any]) -> dict[str, Any]:
    if given != _DEFAULTS:
        changed = ", ".join(name for name, value in given.items() if value != _DEFAULTS[name])
        raise KolmogorovError(
            "Cannot choose a predictor: expected no settings beside a KolmogorovLoss, which has "
            f"them, got {changed}. Pass the module, or the loss alone."
        )
    names = frozenset(like.table.names)
    return {
        "bins": like.bins.num_bins,
        "weight_range": like.weight_range.argument,
        "rest_bits": like.rest_bits,
        "include": lambda name, item: name in names,
        "exclude": None,
    }


def _kept(pattern: Pattern | None) -> Pattern | None:
    """The pattern in a form that can be used more than once."""
    if pattern is None or isinstance(pattern, str) or callable(pattern):
        return pattern
    return tuple(pattern)


def _row(name: str, loss: KolmogorovLoss, began: float) -> ChoiceRow:
    description = loss.bits()
    items = description.items
    return ChoiceRow(
        name,
        description.total,
        items["weights"] + items["out_of_range"],
        items["predictor"],
        loss.predictor_bits,
        perf_counter() - began,
    )
