from bitfold.audit import GradientAudit, assert_gradients_reach, audit_gradients
from bitfold.bounds import bound
from bitfold.errors import (
    AuditError,
    BitfoldError,
    CheckpointError,
    ConfigError,
    KolmogorovError,
    ModelFileError,
    PolytopeError,
    RenderError,
    RunError,
    SamplingError,
    ShapeError,
    TargetError,
    TrajectoryError,
)
from bitfold.experiments import Sweep, load_sweep, resume, sweep, train
from bitfold.kolmogorov import (
    KolmogorovLoss,
    PredictorChoice,
    WeightPredictor,
    choose_predictor,
    fine_tune,
)
from bitfold.model_file import compress, read_model, read_tensors, write_model
from bitfold.networks import PolytopeNet
from bitfold.polytopes import Partition, Plane, load_partition, partition
from bitfold.training import Config, Run, Session, load_run

__all__ = [
    "AuditError",
    "BitfoldError",
    "CheckpointError",
    "Config",
    "ConfigError",
    "GradientAudit",
    "KolmogorovError",
    "KolmogorovLoss",
    "ModelFileError",
    "Partition",
    "Plane",
    "PolytopeError",
    "PolytopeNet",
    "PredictorChoice",
    "RenderError",
    "Run",
    "RunError",
    "SamplingError",
    "Session",
    "ShapeError",
    "Sweep",
    "TargetError",
    "TrajectoryError",
    "WeightPredictor",
    "assert_gradients_reach",
    "audit_gradients",
    "bound",
    "choose_predictor",
    "compress",
    "fine_tune",
    "load_partition",
    "load_run",
    "load_sweep",
    "partition",
    "read_model",
    "read_tensors",
    "resume",
    "sweep",
    "train",
    "write_model",
]
