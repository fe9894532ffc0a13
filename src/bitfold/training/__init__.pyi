from bitfold.training.checkpoint_network import read_network
from bitfold.training.config.configuration import (
    PREDICTOR,
    Config,
    config_from_mapping,
    parse_times,
    read_config,
    read_toml,
    resumable_settings,
)
from bitfold.training.config.settings import Setting, flag, settings_of
from bitfold.training.events import (
    Audited,
    CheckpointWritten,
    EpochEnded,
    Event,
    Listener,
    Metrics,
    Noticed,
    RunEnded,
    RunStarted,
)
from bitfold.training.folder import RunFolder, dated_folder
from bitfold.training.metrics import METRIC_NAMES, read_metrics
from bitfold.training.run import Run, load_run
from bitfold.training.train import audit_run, resume, train
from bitfold.training.trajectory import Moment, TrajectoryReader

__all__ = [
    "METRIC_NAMES",
    "PREDICTOR",
    "Audited",
    "CheckpointWritten",
    "Config",
    "EpochEnded",
    "Event",
    "Listener",
    "Metrics",
    "Moment",
    "Noticed",
    "Run",
    "RunEnded",
    "RunFolder",
    "RunStarted",
    "Setting",
    "TrajectoryReader",
    "audit_run",
    "config_from_mapping",
    "dated_folder",
    "flag",
    "load_run",
    "parse_times",
    "read_config",
    "read_metrics",
    "read_network",
    "read_toml",
    "resumable_settings",
    "resume",
    "settings_of",
    "train",
]
