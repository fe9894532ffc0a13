"""Checkpoints: each is one safetensors file, whole or absent, and checked when it is read."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import save
from safetensors.torch import load
from torch import Tensor

from bitfold.errors import CheckpointError
from bitfold.runtime.atomic_files import delete_temporary_files, write_atomically
from bitfold.runtime.strangers.bounded_json import parse_json, shortened
from bitfold.runtime.strangers.plain_files import open_plain, read_plain
from bitfold.training.store.metrics import checked_epoch
from bitfold.training.store.retention import Retention

#: The newest checkpoints that are kept, besides the best.
KEPT = 3
_MAX_HEADER_BYTES = 2**26  # enough for a hundred thousand tensors
# The largest network with two moments, decoded weights and the best state.
MAX_FILE_BYTES = 2**33
_FACTS: dict[str, Any] = {"config": str, "validation_loss": (int, float, type(None))}
_NAME = re.compile(r"epoch-([0-9]{9,10})")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The whole state of a training at the end of an epoch.

    Args:
        epoch: the last finished epoch.
        tensors: name to tensor: network, predictor, optimisers, random states, split, watchdogs.
        facts: all other state, as JSON can hold it.
    """

    epoch: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    @property
    def num_changes(self) -> int:
        """How many of the run's changes had acted; 0 if the file does not say."""
        found = self.facts.get("num_changes", 0)
        return found if type(found) is int and found >= 0 else 0

    def within(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with ``prefix.``, by the rest of their names."""
        start = prefix + "."
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Return the path of an epoch's checkpoint."""
    return folder / f"epoch-{epoch:09d}.safetensors"


def checkpoint_paths(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first, without leftovers of killed writers."""
    paths = folder.glob("epoch-*.safetensors")
    return sorted((p for p in paths if _NAME.fullmatch(p.stem)), key=checkpoint_epoch)


def checkpoint_epoch(path: Path) -> int:
    """Return the epoch of one of `checkpoint_paths`."""
    return int(path.stem.removeprefix("epoch-"))


def write_checkpoint(
    folder: Path, checkpoint: Checkpoint, retention: Retention | None = None
) -> Path:
    """Write a checkpoint; keep the last 3, the best and the chosen ones, and delete the others.

    The best checkpoint has the lowest ``facts["validation_loss"]``.

    Args:
        folder: of the checkpoints.
        checkpoint: the state.
        retention: chooses older checkpoints that stay; by default none.

    Returns:
        The path of the new checkpoint.

    Raises:
        OSError: the disk is full; the earlier checkpoints are intact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().cpu().contiguous() for name, t in checkpoint.tensors.items()}
    facts = json.dumps({**checkpoint.facts, "epoch": checkpoint.epoch})
    # safetensors.torch makes a ctypes type for each new size and never frees it; NumPy's writer
    # does not.
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    data = save(arrays, {"bitfold": facts, "sha256": _digest(tensors, facts)})
    path = checkpoint_path(folder, checkpoint.epoch)
    write_atomically(path, data)
    retention = retention or Retention(0, {})
    retention.take(checkpoint.epoch, len(data))
    _prune(folder, retention)
    return path


def read_checkpoint(path: Path, max_bytes: int = MAX_FILE_BYTES) -> Checkpoint:
    """Read a checkpoint and check every byte of it.

    Args:
        path: the file.
        max_bytes: a larger file is refused before it is read.

    Raises:
        CheckpointError: the file is missing, truncated or altered; the message names the field.
    """
    try:
        data = read_plain(path, max_bytes)
        with torch.device("cpu"):  # whatever the caller's default is
            tensors = load(data)
        metadata = _metadata(data)
        facts, epoch = _facts(metadata["bitfold"])
        intact = metadata["sha256"] == _digest(tensors, metadata["bitfold"])
    except OSError as error:
        raise CheckpointError(f"Cannot read checkpoint {path}: {error.strerror}.") from None
    except KeyError as error:
        raise CheckpointError(
            f"Cannot read checkpoint {path}: it is damaged (it has no {error.args[0]})."
        ) from None
    except (SafetensorError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"Cannot read checkpoint {path}: it is damaged ({error}).") from None
    if not intact:
        raise CheckpointError(f"Cannot read checkpoint {path}: its checksum does not match.")
    return Checkpoint(epoch, tensors, facts)


def read_kept_checkpoint(path: Path, max_bytes: int = MAX_FILE_BYTES) -> Checkpoint:
    """Read one of `checkpoint_paths`, whose name must tell its epoch.

    Raises:
        CheckpointError: as `read_checkpoint`, or it is another epoch's.
    """
    checkpoint = read_checkpoint(path, max_bytes)
    if checkpoint.epoch != checkpoint_epoch(path):
        raise CheckpointError(
            f"Cannot read checkpoint {path}: epoch: expected that of its name, got "
            f"{checkpoint.epoch}."
        )
    return checkpoint


def _facts(text: str) -> tuple[dict[str, Any], int]:
    """Return the facts of a checkpoint, and its epoch.

    Raises:
        ValueError: a fact has another type.
        KeyError: a fact is missing.
    """
    facts = parse_json(text, has_constants=True)  # a loss may have been no number
    if not isinstance(facts, dict):
        raise ValueError("its facts are no object")
    try:
        epoch = checked_epoch(facts.pop("epoch"))
    except ValueError as error:
        raise ValueError(f"epoch: {error}") from None
    for name, kind in _FACTS.items():
        if name in facts and not (isinstance(facts[name], kind) and facts[name] is not True):
            raise ValueError(f"{name}: got {shortened(facts[name])}")
    return facts, epoch


def read_checkpoints(
    folder: Path, max_bytes: int = MAX_FILE_BYTES
) -> Iterator[Checkpoint | CheckpointError]:
    """Yield each checkpoint in a folder, the newest first, or why it cannot be read."""
    for path in reversed(checkpoint_paths(folder)):
        try:
            yield read_kept_checkpoint(path, max_bytes)
        except CheckpointError as error:
            yield error


def delete_later_checkpoints(folder: Path, epoch: int) -> None:
    """Delete the checkpoints of later epochs, and the leftovers of killed writers."""
    for path in checkpoint_paths(folder):
        if checkpoint_epoch(path) > epoch:
            path.unlink()
    delete_temporary_files(folder)
    for path in folder.glob("epoch-*.tmp"):  # of versions before 0.3
        path.unlink()


def _prune(folder: Path, retention: Retention) -> None:
    paths = checkpoint_paths(folder)
    older = paths[:-KEPT]
    if not older:
        return
    for path in paths:
        if checkpoint_epoch(path) not in retention.losses:
            retention.losses[checkpoint_epoch(path)] = _validation_loss(path)
    best = min(paths, key=lambda path: retention.losses[checkpoint_epoch(path)])  # oldest of equals
    for path in older:
        if path != best and not retention.keeps(checkpoint_epoch(path)):
            path.unlink(missing_ok=True)
            del retention.losses[checkpoint_epoch(path)]


def _validation_loss(path: Path) -> float:
    """Return a checkpoint's validation loss, reading its header alone; infinity if it has none."""
    try:
        with open_plain(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            head = file.read(min(size, _MAX_HEADER_BYTES))
        loss = float(
            parse_json(parse_json(head)["__metadata__"]["bitfold"], has_constants=True)[
                "validation_loss"
            ]
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return math.inf
    return loss if math.isfinite(loss) else math.inf


def _metadata(data: bytes) -> dict[str, str]:
    size = int.from_bytes(data[:8], "little")
    metadata = parse_json(data[8 : 8 + size])["__metadata__"]
    return {str(name): str(text) for name, text in metadata.items()}


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return digest.hexdigest()
