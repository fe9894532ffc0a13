"""See the folds a network learns, and the bits it takes to describe them."""

from bitfold.errors import (
    BitfoldError,
    CheckpointError,
    ConfigError,
    KolmogorovError,
    PolytopeError,
    RenderError,
    RunError,
    SamplingError,
    ShapeError,
    TargetError,
    TrajectoryError,
)
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.networks import PolytopeNet
from bitfold.training import Config, Run, load_run, resume, train

__all__ = [
    "BitfoldError",
    "CheckpointError",
    "Config",
    "ConfigError",
    "KolmogorovError",
    "KolmogorovLoss",
    "PolytopeError",
    "PolytopeNet",
    "RenderError",
    "Run",
    "RunError",
    "SamplingError",
    "ShapeError",
    "TargetError",
    "TrajectoryError",
    "load_run",
    "resume",
    "train",
]
