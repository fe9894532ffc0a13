from bitfold.training.config.config_file import (
    config_from_mapping,
    read_config,
    read_toml,
    settings_mapping,
)
from bitfold.training.config.configuration import Config
from bitfold.training.config.continuation import resumable_settings
from bitfold.training.config.drawing_settings import DrawingSettings, parse_times
from bitfold.training.config.kolmogorov_settings import KolmogorovSettings
from bitfold.training.config.nearest_name import hint, nearest_name
from bitfold.training.config.setting import Setting
from bitfold.training.config.setting_group import flag, settings_of
from bitfold.training.continued_run import audit_run, resume
from bitfold.training.events import (
    Audited,
    Changed,
    CheckpointWritten,
    EpochEnded,
    Event,
    FoldsMeasured,
    LateListener,
    Listener,
    LoopsCompiled,
    Noticed,
    RunEnded,
    RunStarted,
)
from bitfold.training.lineage.replay import first_difference
from bitfold.training.lineage.run import Run, load_run
from bitfold.training.new_run import train, train_to_the_end
from bitfold.training.run.checkpoint_network import read_network
from bitfold.training.run.record import RunRecord
from bitfold.training.session import Session
from bitfold.training.store.changes import Change, Changes
from bitfold.training.store.dated_folder import claimed_folder, dated_folder
from bitfold.training.store.folder import RunFolder
from bitfold.training.store.metrics import METRIC_NAMES, Metrics
from bitfold.training.store.metrics_log import read_metrics
from bitfold.training.store.run_places import PLACES, is_within, own_folder
from bitfold.training.store.trajectory import Moment, TrajectoryReader

__all__ = [
    "METRIC_NAMES",
    "PLACES",
    "Audited",
    "Change",
    "Changed",
    "Changes",
    "CheckpointWritten",
    "Config",
    "DrawingSettings",
    "EpochEnded",
    "Event",
    "FoldsMeasured",
    "KolmogorovSettings",
    "LateListener",
    "Listener",
    "LoopsCompiled",
    "Metrics",
    "Moment",
    "Noticed",
    "Run",
    "RunEnded",
    "RunFolder",
    "RunRecord",
    "RunStarted",
    "Session",
    "Setting",
    "TrajectoryReader",
    "audit_run",
    "claimed_folder",
    "config_from_mapping",
    "dated_folder",
    "first_difference",
    "flag",
    "hint",
    "is_within",
    "load_run",
    "nearest_name",
    "own_folder",
    "parse_times",
    "read_config",
    "read_metrics",
    "read_network",
    "read_toml",
    "resumable_settings",
    "resume",
    "settings_mapping",
    "settings_of",
    "train",
    "train_to_the_end",
]
