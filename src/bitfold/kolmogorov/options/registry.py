"""The registry: classes of predictors and targets by their names in options.

A class is registered by declaring an ``option_name`` in a file of its folder, so that a new option
touches that file alone.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from bitfold.kolmogorov.grid.soft_assignment import Targets
from bitfold.kolmogorov.options.names import (
    PREDICTOR_OPTIONS,
    TARGET_OPTIONS,
    DeclaredOption,
)
from bitfold.kolmogorov.predictors.weight_predictor import WeightPredictor


def _class_of(option: DeclaredOption) -> type:
    found: type = getattr(import_module(option.module), option.class_name)
    return found


PREDICTORS: Mapping[str, type[WeightPredictor]] = MappingProxyType(
    {name: _class_of(option) for name, option in PREDICTOR_OPTIONS.items()}
)
"""Classes of weight predictors, by their names in options."""

TARGETS: Mapping[str, type[Targets]] = MappingProxyType(
    {name: _class_of(option) for name, option in TARGET_OPTIONS.items()}
)
"""Classes of targets, by their names in options."""
