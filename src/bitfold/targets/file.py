"""Targets on disk: safetensors with JSON metadata, written whole or not at all."""

import json
import os
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from bitfold.errors import TargetError
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.strangers.plain_files import check_plain
from bitfold.targets.frames import MAX_CLIP_BYTES, MAX_PICTURE_PIXELS
from bitfold.targets.signature import one_line
from bitfold.targets.target import Target, Task

METADATA_KEY = "bitfold_target"
VERSION = 1
# The largest clip as 3 channels and a byte for classes, or the largest picture at 16 bits.
MAX_FILE_BYTES = max(2 * MAX_CLIP_BYTES, 7 * MAX_PICTURE_PIXELS) + 2**20


def write_target(path: str | os.PathLike[str], target: Target) -> None:
    """Write a target; a reader sees the old file or the new one, also after a kill.

    Args:
        path: the file; its folder exists.
        target: what to write.

    Raises:
        TargetError: the file cannot be written.

    >>> import tempfile
    >>> from bitfold.targets.target import load_target
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_target(Path(folder) / "a", load_target("rgb-ring", size=32))
    ...     read_target(Path(folder) / "a").out_features
    3
    """
    metadata = {
        "version": VERSION,
        "name": target.name,
        "task": target.task,
        "is_clip": target.is_clip,
        "frames_per_second": target.frames_per_second,
    }
    tensors: dict[str, NDArray[np.generic]] = {"pixels": np.ascontiguousarray(target.pixels)}
    if target.class_colours is not None and target.classes is not None:
        tensors["class_colours"] = np.ascontiguousarray(target.class_colours)
        tensors["classes"] = target.classes.astype(np.int8)  # at most 64 classes, and -1
    if target.frame_edges is not None:
        tensors["frame_edges"] = np.array(target.frame_edges, np.float64)
    data = save(tensors, {METADATA_KEY: json.dumps(metadata)})
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise TargetError(
            f"Cannot write target {str(path)!r}: expected a writable folder with room for "
            f"{len(data)} bytes, got {one_line(error)}. Choose another folder."
        ) from error


def read_target(path: str | os.PathLike[str]) -> Target:
    """Read a target that `write_target` wrote, checking everything in it.

    Args:
        path: the file; it may be hostile.

    Returns:
        A target equal to the one written.

    Raises:
        TargetError: the file is missing, damaged, or holds anything but a target.
    """
    try:
        return _read_checked(Path(path))
    except Exception as error:  # the parser of a hostile file may raise nearly everything
        raise TargetError(
            f"Cannot read target {str(path)!r}: expected a file that bitfold wrote, got a damaged "
            f"one ({one_line(error)}). Load the picture again."
        ) from error


def _read_checked(path: Path) -> Target:
    check_plain(path, MAX_FILE_BYTES)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        tensors = {key: np.array(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    fields = json.loads(metadata.get(METADATA_KEY, "null"))
    if not isinstance(fields, dict) or fields.get("version") != VERSION:
        raise ValueError(f"no metadata of version {VERSION}")
    known = {"pixels", "class_colours", "classes", "frame_edges"}
    if tensors.keys() - known or "pixels" not in tensors:
        raise ValueError(f"other arrays than a target's: {sorted(tensors)}")
    name, task, is_clip = fields.get("name"), fields.get("task"), fields.get("is_clip")
    if not (isinstance(name, str) and isinstance(task, str) and isinstance(is_clip, bool)):
        raise ValueError("name, task or is_clip of another type")
    classes = tensors.get("classes")
    if classes is not None and classes.dtype != np.int8:
        raise ValueError(f"classes of {classes.dtype}")
    edges = tensors.get("frame_edges")
    if edges is not None and (edges.dtype != np.float64 or edges.ndim != 1):
        raise ValueError(f"frame_edges of {edges.dtype}, {edges.ndim} dimensions")
    return Target(
        name=name,
        pixels=tensors["pixels"],
        task=cast("Task", task),  # Target refuses any other word
        is_clip=is_clip,
        frames_per_second=_number(fields.get("frames_per_second")),
        class_colours=tensors.get("class_colours"),
        classes=None if classes is None else classes.astype(np.int64),
        frame_edges=None if edges is None else tuple(edges.tolist()),
    )


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("frames_per_second of another type")
    return float(value)
