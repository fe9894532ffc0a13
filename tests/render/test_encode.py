"""PNG and JPEG."""

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bitfold.errors import RenderError
from bitfold.render import encode_jpeg, encode_png


def decoded(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode a file with Pillow."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@given(
    width=st.integers(1, 90), height=st.integers(1, 50), compression=st.integers(0, 9),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_png_keeps_every_pixel(width: int, height: int, compression: int, seed: int) -> None:
    """Decoding an encoded picture gives it back, at any size and compression."""
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert (decoded(encode_png(picture, compression)) == picture).all()


def test_png_of_a_part_of_a_canvas_is_that_part() -> None:
    """An array that is not contiguous is encoded correctly."""
    canvas = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    assert (decoded(encode_png(canvas[5:25, 9:50:2])) == canvas[5:25, 9:50:2]).all()


def test_png_compression_makes_files_smaller() -> None:
    """Files shrink from compression 0 to 1 and from 1 to 9."""
    ramp = np.add.outer(np.arange(200), np.arange(300)).astype(np.uint8)
    picture = np.stack([ramp, ramp // 2, ramp // 3], axis=-1)
    sizes = [len(encode_png(picture, compression)) for compression in (0, 1, 9)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 2 * sizes[1] > 0


def test_jpeg_quality_trades_size_for_likeness() -> None:
    """A higher quality gives a larger file with a smaller error."""
    rows, columns = np.mgrid[:96, :128]
    picture = np.stack([rows * 2, columns, (rows * columns) % 256], axis=-1).astype(np.uint8)
    files = [encode_jpeg(picture, quality) for quality in (10, 50, 95)]
    errors = [np.abs(decoded(file).astype(int) - picture).mean() for file in files]
    assert len(files[0]) < len(files[1]) < len(files[2])
    assert errors[0] > errors[1] > errors[2]


def test_jpeg_keeps_red_red() -> None:
    """Red, green and blue come back in their own channels."""
    picture = np.repeat(np.diag([255, 255, 255]).astype(np.uint8), 16, axis=0).repeat(16, axis=0)
    picture = np.repeat(picture[:, None], 32, axis=1)
    assert np.abs(decoded(encode_jpeg(picture)).astype(int) - picture).max() < 12


@pytest.mark.parametrize("compression", [-1, 10])
def test_compression_out_of_bounds_is_refused(compression: int) -> None:
    """The message names the bounds."""
    with pytest.raises(RenderError, match="compression of 0 to 9"):
        encode_png(np.zeros((2, 2, 3), np.uint8), compression)


@pytest.mark.parametrize("quality", [0, 101])
def test_quality_out_of_bounds_is_refused(quality: int) -> None:
    """The message names the bounds."""
    with pytest.raises(RenderError, match="quality of 1 to 100"):
        encode_jpeg(np.zeros((2, 2, 3), np.uint8), quality)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_other_arrays_than_pictures_are_refused(shape: tuple[int, ...]) -> None:
    """Grey pictures, pictures with alpha and empty pictures are refused."""
    for encode in (encode_png, encode_jpeg):
        with pytest.raises(RenderError, match="expected uint8"):
            encode(np.zeros(shape, np.uint8))
