from bitfold.model_file.baselines import Baseline, baselines
from bitfold.model_file.compression import Compressed, compress
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
    "Compressed",
    "FileItem",
    "ModelFileInfo",
    "baselines",
    "compress",
    "model_info",
    "read_model",
    "read_tensors",
    "write_model",
    "write_safetensors",
]
