from bitfold.model_file.baselines import Baseline, baselines
from bitfold.model_file.files import (
    read_model,
    read_tensors,
    write_model,
    write_safetensors,
)
from bitfold.model_file.information import FileItem, ModelFileInfo, model_info
from bitfold.model_file.sources import TENSORS_SUFFIX

__all__ = [
    "TENSORS_SUFFIX",
    "Baseline",
    "FileItem",
    "ModelFileInfo",
    "baselines",
    "model_info",
    "read_model",
    "read_tensors",
    "write_model",
    "write_safetensors",
]
