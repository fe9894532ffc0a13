from bitfold.model_file.baselines import Baseline, baselines
from bitfold.model_file.files import read_model, read_tensors, write_model
from bitfold.model_file.information import FileItem, ModelFileInfo, model_info

__all__ = [
    "Baseline",
    "FileItem",
    "ModelFileInfo",
    "baselines",
    "model_info",
    "read_model",
    "read_tensors",
    "write_model",
]
