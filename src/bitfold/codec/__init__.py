"""The .bitfold file: a module quantised, coded, written and read."""

from bitfold.codec.baselines import Baseline, baselines
from bitfold.codec.information import FileItem, ModelFileInfo, model_info
from bitfold.codec.reading import read_model
from bitfold.codec.writing import write_model

__all__ = [
    "Baseline",
    "FileItem",
    "ModelFileInfo",
    "baselines",
    "model_info",
    "read_model",
    "write_model",
]
