"""A run's network as the bytes of a model file, and as what they decode to."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bitfold.model_file import read_model, write_model
from bitfold.runtime.display.html_tables import html_facts


@dataclass(frozen=True, eq=False)
class CodedRun:
    """The network of a run as a model file.

    Args:
        data: the bytes of the file.
        network: the network that the file decodes to.
        how: which code was used and why, in words.
    """

    data: bytes
    network: nn.Module
    how: str

    def __repr__(self) -> str:
        return f"CodedRun({len(self.data):,} bytes: {self.how})"

    def _repr_html_(self) -> str:
        facts = {"size": f"{len(self.data):,} bytes", "code": self.how}
        return html_facts("A run's network as a model file", facts)


def coded(network: nn.Module, how: str, **options: Any) -> CodedRun:
    """Code a network as `bitfold.write_model` does with these options.

    Raises:
        ModelFileError: the network cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="bitfold-") as folder:
        path = Path(folder) / "net.bitfold"
        write_model(path, network, **options)
        decoded = read_model(path, into=copy.deepcopy(network))
        return CodedRun(path.read_bytes(), decoded, how)
