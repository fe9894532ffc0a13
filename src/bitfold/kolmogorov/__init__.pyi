from bitfold.kolmogorov.description.description import Description
from bitfold.kolmogorov.description.report import Report, ReportRow
from bitfold.kolmogorov.fitting.budget import round_to_bits
from bitfold.kolmogorov.fitting.fine_tuning import FineTuned, fine_tune
from bitfold.kolmogorov.fitting.finishing import finish, prune_dead
from bitfold.kolmogorov.fitting.first_steps import begin_steps
from bitfold.kolmogorov.fitting.fit import fit_predictor
from bitfold.kolmogorov.fitting.predictor_choice import ChoiceRow, PredictorChoice, Skipped
from bitfold.kolmogorov.fitting.predictor_search import choose_predictor
from bitfold.kolmogorov.grid.bins import Bins
from bitfold.kolmogorov.grid.learned_range import LearnedRange, TaskRange
from bitfold.kolmogorov.grid.ranges import FixedRange
from bitfold.kolmogorov.grid.soft_assignment import (
    HardTargets,
    LinearTargets,
    NoiseTargets,
    RoundedTargets,
    Shares,
    Sharing,
    SoftTargets,
    Targets,
)
from bitfold.kolmogorov.grid.weight_range import WeightRange
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.options.registry import PREDICTORS, TARGETS
from bitfold.kolmogorov.predictors.adaptive import AdaptivePredictor
from bitfold.kolmogorov.predictors.code_length import KINDS, CodeLength
from bitfold.kolmogorov.predictors.coordinate import CoordinatePredictor
from bitfold.kolmogorov.predictors.laplace_logistic import ScalePredictor
from bitfold.kolmogorov.predictors.per_tensor import PerTensorPredictor
from bitfold.kolmogorov.predictors.row_column import RowColumnPredictor
from bitfold.kolmogorov.predictors.sent_predictor import FileCoding, SentPredictor
from bitfold.kolmogorov.predictors.weight_predictor import Summed, WeightPredictor
from bitfold.kolmogorov.sums.prediction import Prediction
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.parameters import ParameterTable
from bitfold.kolmogorov.weights.weight_subset import WeightSubset

__all__ = [
    "KINDS",
    "PREDICTORS",
    "TARGETS",
    "AdaptivePredictor",
    "Bins",
    "ChoiceRow",
    "CodeLength",
    "CoordinatePredictor",
    "Description",
    "FileCoding",
    "FineTuned",
    "FixedRange",
    "HardTargets",
    "KolmogorovLoss",
    "Layout",
    "LearnedRange",
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
    "ScalePredictor",
    "SentPredictor",
    "Shares",
    "Sharing",
    "Skipped",
    "SoftTargets",
    "Summed",
    "Targets",
    "TaskRange",
    "WeightPredictor",
    "WeightRange",
    "WeightSubset",
    "begin_steps",
    "choose_predictor",
    "fine_tune",
    "finish",
    "fit_predictor",
    "prune_dead",
    "round_to_bits",
]
