"""The bits: the description length of any module's weights."""

from bitfold.kolmogorov.bins import Bins
from bitfold.kolmogorov.code_length import KINDS, CodeLength
from bitfold.kolmogorov.description import Description
from bitfold.kolmogorov.loss import KolmogorovLoss
from bitfold.kolmogorov.parameters import ParameterTable
from bitfold.kolmogorov.predictor import CoordinatePredictor, Prediction
from bitfold.kolmogorov.soft_targets import SoftTargets

__all__ = [
    "KINDS",
    "Bins",
    "CodeLength",
    "CoordinatePredictor",
    "Description",
    "KolmogorovLoss",
    "ParameterTable",
    "Prediction",
    "SoftTargets",
]
