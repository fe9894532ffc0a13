"""Writers of sample files that Pillow cannot write."""

import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Writer = Callable[..., Path]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture
def write_png16(tmp_path: Path) -> Writer:
    """Write (height, width, 1..4) uint16 as a PNG, by hand."""

    def write(name: str, pixels: NDArray[np.uint16], extra: bytes = b"") -> Path:
        height, width, channels = pixels.shape
        colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
        path = tmp_path / name
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + _png_chunk(b"IHDR", header)
            + extra
            + _png_chunk(b"IDAT", zlib.compress(rows))
            + _png_chunk(b"IEND", b"")
        )
        return path

    return write


@pytest.fixture
def png_chunk() -> Callable[[bytes, bytes], bytes]:
    """Make one chunk of a PNG."""
    return _png_chunk


@pytest.fixture
def write_tiff16(tmp_path: Path) -> Writer:
    """Write (height, width, 1..4) uint16 as an uncompressed TIFF, by hand."""

    def write(
        name: str, pixels: NDArray[np.uint16], *, order: str = "<", orientation: int = 1
    ) -> Path:
        height, width, channels = pixels.shape
        data = pixels.astype(f"{order}u2").tobytes()
        bits_at = 8 + len(data)
        entries = [
            (256, 3, 1, width),
            (257, 3, 1, height),
            (258, 3, channels, 16 if channels == 1 else bits_at),
            (259, 3, 1, 1),
            (262, 3, 1, 1 if channels < 3 else 2),
            (273, 4, 1, 8),
            (274, 3, 1, orientation),
            (277, 3, 1, channels),
            (278, 3, 1, height),
            (279, 4, 1, len(data)),
            (284, 3, 1, 1),
        ]
        if channels in (2, 4):
            entries.append((338, 3, 1, 2))
        bits = struct.pack(f"{order}{channels}H", *[16] * channels)
        directory = struct.pack(f"{order}H", len(entries))
        for tag, kind, count, value in entries:
            directory += struct.pack(f"{order}HHI", tag, kind, count)
            if kind == 3 and count <= 2:  # up to 4 bytes stand in place of an offset
                directory += struct.pack(f"{order}HH", *[16, 16] if count == 2 else [value, 0])
            else:
                directory += struct.pack(f"{order}I", value)
        mark = b"II" if order == "<" else b"MM"
        header = mark + struct.pack(f"{order}HI", 42, bits_at + len(bits))
        path = tmp_path / name
        path.write_bytes(header + data + bits + directory + struct.pack(f"{order}I", 0))
        return path

    return write


@pytest.fixture
def write_video(tmp_path: Path) -> Writer:
    """Write (frames, height, width, 3 | 4) uint8 as a video."""

    def write(
        name: str,
        frames: NDArray[np.uint8],
        *,
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        rate: int = 10,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate, options=options or {"crf": "4"})
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pixel_format
            stream.codec_context.time_base = Fraction(1, rate)
            source = "rgba" if frames.shape[-1] == 4 else "rgb24"
            for pixels in frames:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=source)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def corner_colours() -> Callable[[int], NDArray[np.uint8]]:
    """Return a picture (size, size, 3) with four different corners: all rotations differ."""

    def make(size: int) -> NDArray[np.uint8]:
        pixels = np.zeros((size, size, 3), np.uint8)
        half = size // 2
        pixels[:half, :half, 0] = 255
        pixels[:half, half:, 1] = 255
        pixels[half:, :half, 2] = 255
        return pixels

    return make
