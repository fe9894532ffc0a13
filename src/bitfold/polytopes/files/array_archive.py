"""Archives of NumPy arrays (.npz) from strangers: anything unexpected is refused."""

from __future__ import annotations

import math
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# NumPy writes before an array's numbers: magic, version 1 or 2, the header's length, the header.
_HEADER = re.compile(
    rb"\{'descr': '([<>|]\w{2,3})', 'fortran_order': False, 'shape': \(([\d, ]{0,99})\), \} *\n"
)
_MAGIC = b"\x93NUMPY"
_MOST_AXES = 8

Specs = Mapping[str, tuple[str, int | None]]
"""By name an array's type as NumPy writes it, and its number of axes; None for any number."""


def read_arrays(path: Path, specs: Specs) -> dict[str, NDArray[Any]]:
    """Read arrays that ``numpy.savez`` stored without compression.

    Sizes are compared with the size of the file before any memory is reserved.

    Source: format of NEP 1 (Kern 2007), within a ZIP archive.

    Args:
        path: of the file.
        specs: all arrays of the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged, or has other arrays; the text begins with "expected".
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist(), specs, path.stat().st_size)
            data = {name: archive.read(f"{name}.npy") for name in specs}
    except (zipfile.BadZipFile, struct.error, EOFError, NotImplementedError, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"expected a whole .npz archive, got a damaged one ({reason})") from None
    return {name: _array(name, data.pop(name), *spec) for name, spec in specs.items()}


def _check_members(members: list[zipfile.ZipInfo], specs: Specs, file_size: int) -> None:
    names = sorted(member.filename for member in members)
    if names != sorted(f"{name}.npy" for name in specs):
        raise ValueError(
            f"expected the arrays {', '.join(specs)}, got {', '.join(names)[:200] or 'none'}"
        )
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ValueError(f"expected arrays as they are, got {member.filename} compressed")
        if member.file_size != member.compress_size:
            raise ValueError(f"expected arrays as they are, got two sizes of {member.filename}")
    total = sum(member.file_size for member in members)
    if total > file_size:
        raise ValueError(f"expected at most the file's {file_size} bytes, got {total} in arrays")


def _array(name: str, data: bytes, kind: str, num_axes: int | None) -> NDArray[Any]:
    width = {1: 2, 2: 4}.get(data[6]) if len(data) > 12 and data[:6] == _MAGIC else None
    if width is None:
        raise ValueError(f"expected {name} as NumPy writes it, got {data[:12]!r}")
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    header = _HEADER.fullmatch(data[8 + width : start])
    if header is None:
        raise ValueError(
            f"expected {name} as NumPy writes it, got {data[8 + width : start][:80]!r}"
        )
    if header[1].decode() != kind:
        raise ValueError(f"expected {name} of type {kind}, got {header[1].decode()}")
    shape = tuple(int(size) for size in header[2].decode().replace(" ", "").split(",") if size)
    if (len(shape) != num_axes and num_axes is not None) or len(shape) > _MOST_AXES:
        raise ValueError(f"expected {name} of {num_axes or 'few'} axes, got {len(shape)}")
    if math.prod(shape) * np.dtype(kind).itemsize != len(data) - start:
        raise ValueError(f"expected {name} of shape {shape}, got {len(data) - start} bytes")
    return np.frombuffer(data, kind, offset=start).reshape(shape).astype(kind[1:])
