from bitfold.model_file.baselines import Baseline, baselines
from bitfold.model_file.information import FileItem, ModelFileInfo, model_info
from bitfold.model_file.reading import read_model
from bitfold.model_file.writing import write_model

__all__ = [
    "Baseline",
    "FileItem",
    "ModelFileInfo",
    "baselines",
    "model_info",
    "read_model",
    "write_model",
]
