"""NNCodec, the reference program of ISO/IEC 15938-17, as bytes and back.

``pip install --no-deps nncodec==2.1.3``, then ``pip install Click h5py pandas ptflops scikit-learn
torchmetrics``. NNCodec imports its training programs too, and with them torchvision, OpenCV and
others, though its coder needs none of them. Empty modules stand for these programs here, so that it
runs beside any PyTorch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

_LEFT_OUT = ("nncodec.framework.use_case_init", "nncodec.framework.applications.utils")
_NAMES = ("use_cases", "evaluation", "transforms", "train")


class Settings(NamedTuple):
    """How NNCodec codes.

    Attributes:
        qp: the step, a quarter of an octave more for each one more.
        opt_qp: whether each tensor's qp is adapted.
        param_opt: whether the coder's own parameters are searched for.
    """

    qp: int
    opt_qp: bool
    param_opt: bool


class NNCodec:
    """Codes state dicts.

    Args:
        folder: for the files that NNCodec writes.

    Raises:
        ImportError: it is not installed.
    """

    def __init__(self, folder: Path) -> None:
        found = importlib.util.find_spec("nncodec")
        if found is None or found.submodule_search_locations is None:
            raise ImportError("Cannot compare: expected nncodec==2.1.3 to be installed.")
        root = Path(found.submodule_search_locations[0]).parent
        for name in _LEFT_OUT:
            module = types.ModuleType(name)
            module.__path__ = [str(root.joinpath(*name.split(".")))]
            for left_out in _NAMES:
                setattr(module, left_out, {})
            sys.modules.setdefault(name, module)
        from nncodec import nn  # noqa: PLC0415 - only after the modules above

        self._coder: Any = nn
        self._folder = folder

    def encode(self, state: Mapping[str, Tensor], settings: Settings) -> bytes:
        """Return the file of a state dict."""
        # It refuses whole numbers, such as the count of batches that a norm has seen.
        arrays = {name: item.numpy() for name, item in state.items() if item.is_floating_point()}
        with _silence():
            return bytes(
                self._coder.encode(
                    arrays, {**settings._asdict(), "results": str(self._folder), "verbose": False}
                )
            )

    def decode(self, data: bytes) -> dict[str, Tensor]:
        """Return the state dict that a file decodes to."""
        with _silence():
            found = self._coder.decode(bytearray(data))
        return {name: torch.from_numpy(np.array(item)) for name, item in found.items()}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield
