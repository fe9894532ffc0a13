"""The bits: the description length of any module's weights."""

from bitfold.kolmogorov.description.description import Description
from bitfold.kolmogorov.description.report import Report, ReportRow
from bitfold.kolmogorov.fitting.finishing import finish, prune_dead
from bitfold.kolmogorov.fitting.fit import fit_predictor
from bitfold.kolmogorov.fitting.predictor_choice import ChoiceRow, PredictorChoice, Skipped
from bitfold.kolmogorov.fitting.predictor_search import choose_predictor
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.soft_assignment import (
    HardTargets,
    LinearTargets,
    NoiseTargets,
    RoundedTargets,
    Shares,
    Targets,
)
from bitfold.kolmogorov.grid.soft_targets import SoftTargets
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.options import PREDICTORS, TARGETS
from bitfold.kolmogorov.predictors.code_length import KINDS, CodeLength
from bitfold.kolmogorov.predictors.coordinate import CoordinatePredictor
from bitfold.kolmogorov.predictors.laplace_logistic import PerTensorPredictor, RowColumnPredictor
from bitfold.kolmogorov.predictors.weight_predictor import Summed, WeightPredictor
from bitfold.kolmogorov.sums.prediction import Prediction
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset

__all__ = [
    "KINDS",
    "PREDICTORS",
    "TARGETS",
    "Bins",
    "ChoiceRow",
    "CodeLength",
    "CoordinatePredictor",
    "Description",
    "HardTargets",
    "KolmogorovLoss",
    "Layout",
    "LinearTargets",
    "NoiseTargets",
    "ParameterTable",
    "PerTensorPredictor",
    "Prediction",
    "PredictorChoice",
    "Report",
    "ReportRow",
    "RoundedTargets",
    "RowColumnPredictor",
    "Shares",
    "Skipped",
    "SoftTargets",
    "Summed",
    "Targets",
    "WeightPredictor",
    "WeightSubset",
    "choose_predictor",
    "finish",
    "fit_predictor",
    "prune_dead",
]
