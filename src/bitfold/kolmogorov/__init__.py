"""The bits: the description length of any module's weights."""

from bitfold.kolmogorov.bins import Bins
from bitfold.kolmogorov.choice import choose_predictor
from bitfold.kolmogorov.code_length import KINDS, CodeLength
from bitfold.kolmogorov.coordinate import CoordinatePredictor
from bitfold.kolmogorov.description import Description
from bitfold.kolmogorov.finishing import finish, prune_dead
from bitfold.kolmogorov.fitting import fit_predictor
from bitfold.kolmogorov.layout import Layout
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.occam import bound, inverse_kl
from bitfold.kolmogorov.options import PREDICTORS, TARGETS
from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.places import Places
from bitfold.kolmogorov.prediction import Prediction
from bitfold.kolmogorov.predictor_choice import ChoiceRow, PredictorChoice, Skipped
from bitfold.kolmogorov.report import Report, ReportRow
from bitfold.kolmogorov.scale import PerTensorPredictor, RowColumnPredictor
from bitfold.kolmogorov.soft_targets import SoftTargets
from bitfold.kolmogorov.targets import (
    HardTargets,
    LinearTargets,
    NoiseTargets,
    RoundedTargets,
    Shares,
    Targets,
)
from bitfold.kolmogorov.weight_predictor import Summed, WeightPredictor

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
    "Places",
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
    "bound",
    "choose_predictor",
    "finish",
    "fit_predictor",
    "inverse_kl",
    "prune_dead",
]
