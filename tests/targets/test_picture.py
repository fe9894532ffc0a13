"""Tests of still pictures from files."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bitfold.errors import TargetError
from bitfold.targets import load_target

KINDS: dict[str, dict[str, Any]] = {
    "png": {},
    "jpg": {"quality": 95, "subsampling": 0},
    "webp": {"lossless": True},
    "bmp": {},
    "tif": {},
    "gif": {},
    "avif": {"quality": 98, "subsampling": "4:4:4"},
    "jp2": {},
    "ppm": {},
    "tga": {},
    "qoi": {},
    "dds": {},
    "sgi": {},
    "pcx": {},
}
LOSSY_LEVELS = 8


def stored(upright: Any, orientation: Any) -> Any:
    """Return the pixels as a camera in that orientation stores them, by Exif's inverse table."""
    inverse: dict[int, Callable[[Any], Any]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: np.rot90,
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(inverse[orientation](upright))


@pytest.mark.parametrize("kind", KINDS)
def test_red_stays_red(tmp_path: Path, corner_colours: Any, kind: Any) -> None:
    """Each format gives red, green and blue where they were; swapped channels would show."""
    path = tmp_path / f"a.{kind}"
    pixels = corner_colours(64)
    Image.fromarray(pixels).save(path, **KINDS[kind])
    target = load_target(str(path), task="regression")
    assert target.pixels.shape == (1, 64, 64, 3)
    for row, column in ((8, 8), (8, 56), (56, 8), (56, 56)):
        difference = target.picture()[row, column].astype(int) - pixels[row, column]
        assert np.abs(difference).max() <= (LOSSY_LEVELS if kind in ("jpg", "avif") else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_picture_is_classified_in_every_format(
    tmp_path: Path, corner_colours: Any, kind: Any
) -> None:
    """Red, green and blue become classes 0, 1 and 2 and black 3, also through JPEG's noise."""
    path = tmp_path / f"a.{kind}"
    Image.fromarray(corner_colours(64)).save(path, **KINDS[kind])
    target = load_target(str(path))
    assert target.task == "classification"
    assert target.class_colours is not None
    assert target.classes is not None
    assert target.class_colours.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]
    corners = target.classes.reshape(64, 64)[[8, 8, 56, 56], [8, 56, 8, 56]]
    assert corners.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "avif"])
def test_orientation_is_obeyed(
    tmp_path: Path, corner_colours: Any, kind: str, orientation: Any
) -> None:
    """A picture stored in any of Exif's eight ways comes out upright."""
    upright = corner_colours(64)[:, :48]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind}"
    Image.fromarray(stored(upright, orientation)).save(path, exif=exif, **KINDS[kind])
    target = load_target(str(path), task="regression")
    assert target.picture().shape == upright.shape
    difference = target.picture().astype(int) - upright
    assert np.abs(difference).mean() < (3 if kind in ("jpg", "avif") else 0.001)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_orientation_is_obeyed_at_sixteen_bits(
    write_tiff16: Any, orientation: Any, channels: int
) -> None:
    """The decoders for 16 bits turn pictures as those for 8 bits do."""
    upright = np.random.default_rng(0).integers(0, 65536, (6, 9, channels)).astype(np.uint16)
    if channels in (2, 4):
        upright[..., -1] = 65535
    path = write_tiff16("a.tif", stored(upright, orientation), orientation=orientation)
    colour = upright[..., : 1 if channels < 3 else 3]
    np.testing.assert_array_equal(load_target(str(path)).pixels[0], colour)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_tiff_is_kept(write_tiff16: Any, channels: int, order: str) -> None:
    """Every 16-bit value of a TIFF survives, in both orders of bytes, alpha over white."""
    pixels = np.random.default_rng(1).integers(0, 65536, (11, 7, channels)).astype(np.uint16)
    path = write_tiff16("a.tif", pixels, order=order)
    np.testing.assert_array_equal(load_target(str(path)).pixels[0], over_white(pixels))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_is_kept(write_png16: Any, channels: int) -> None:
    """Every 16-bit value of a PNG survives, alpha over white."""
    pixels = np.random.default_rng(2).integers(0, 65536, (11, 7, channels)).astype(np.uint16)
    target = load_target(str(write_png16("a.png", pixels)))
    assert target.pixels.dtype == np.uint16
    np.testing.assert_array_equal(target.pixels[0], over_white(pixels))
    expected = over_white(pixels).reshape(77, -1).astype(np.float32) / np.float32(65535)
    np.testing.assert_array_equal(target.values(np.arange(77)), expected)


def over_white(pixels: Any) -> Any:
    """Blend the last of 2 or 4 channels over white in exact arithmetic."""
    if pixels.shape[-1] in (1, 3):
        return pixels
    full = int(np.iinfo(pixels.dtype).max)
    colour, alpha = pixels[..., :-1].astype(object), pixels[..., -1:].astype(object)
    mixed = (2 * (colour * alpha + full * (full - alpha)) + full) // (2 * full)
    return mixed.astype(pixels.dtype)


@pytest.mark.parametrize(("channels", "key"), [(1, ">H"), (3, ">HHH")])
def test_a_transparent_sixteen_bit_value_becomes_white(
    write_png16: Any, png_chunk: Any, channels: int, key: str
) -> None:
    """A value that a PNG declares transparent is shown as white, also at 16 bits."""
    pixels = np.full((4, 5, channels), 1000, np.uint16)
    pixels[..., -1] = 3000
    pixels[1, 2] = 500
    chunk = png_chunk(b"tRNS", struct.pack(key, *[500] * channels))
    target = load_target(str(write_png16("a.png", pixels, chunk)), task="regression")
    pixels[1, 2] = 65535
    np.testing.assert_array_equal(target.pixels[0], pixels)


def test_sixteen_bit_grey_written_by_pillow_is_kept(tmp_path: Path) -> None:
    """Pillow's own 16-bit grey PNG and TIFF come back exactly."""
    values = np.random.default_rng(3).integers(0, 65536, (9, 8)).astype(np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        np.testing.assert_array_equal(load_target(str(tmp_path / name)).pixels[0, ..., 0], values)


def test_white_is_zero_is_obeyed(tmp_path: Path) -> None:
    """A 16-bit TIFF that counts from white is inverted."""
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={262: 0})
    target = load_target(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(target.pixels[0, ..., 0], 65535 - values)


@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_alpha_is_over_white(tmp_path: Path, kind: str) -> None:
    """Transparent pixels become white and half transparent ones lie between."""
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:, 2:4] = (200, 0, 0, 128)
    pixels[:, 4:] = (0, 0, 200, 255)
    path = tmp_path / f"a.{kind}"
    Image.fromarray(pixels).save(path, **KINDS[kind])
    row = load_target(str(path), task="regression").picture()[0]
    assert row[0].tolist() == [255, 255, 255]
    np.testing.assert_allclose(row[2], [227, 127, 127], atol=1)
    assert row[4].tolist() == [0, 0, 200]


def test_palettes_are_looked_up(tmp_path: Path) -> None:
    """A palette picture gives its colours, and its transparent entry becomes white."""
    image = Image.new("P", (8, 6), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(0, (0, 0, 4, 6))
    image.save(tmp_path / "a.png", transparency=0)
    picture = load_target(str(tmp_path / "a.png"), task="regression").picture()
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 7].tolist() == [200, 100, 50]


def test_cmyk_is_converted(tmp_path: Path) -> None:
    """Full magenta and yellow make red, in JPEG and TIFF."""
    for name in ("a.jpg", "a.tif"):
        Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / name)
        picture = load_target(str(tmp_path / name), task="regression").picture()
        np.testing.assert_allclose(picture[8, 8], [255, 0, 0], atol=2)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "1", "P"])
def test_grey_has_one_channel(tmp_path: Path, mode: str) -> None:
    """Grey stays one channel, and colour files with equal channels become grey."""
    grey = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    grey.convert(mode).save(tmp_path / "a.png")
    target = load_target(str(tmp_path / "a.png"))
    assert (target.out_features, target.task) == (1, "regression")
    if mode != "1":
        np.testing.assert_array_equal(target.pixels[0, ..., 0], np.asarray(grey))


def test_one_coloured_pixel_makes_colour(tmp_path: Path) -> None:
    """A single pixel with unequal channels keeps three channels."""
    pixels = np.full((5, 5, 3), 80, np.uint8)
    pixels[4, 4, 2] = 81
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert load_target(str(tmp_path / "a.png"), task="regression").out_features == 3


def test_the_name_of_a_file_does_not_matter(tmp_path: Path, corner_colours: Any) -> None:
    """The kind is told by the first bytes, not by the ending."""
    Image.fromarray(corner_colours(16)).save(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").rename(tmp_path / "a.jpeg")
    np.testing.assert_array_equal(
        load_target(str(tmp_path / "a.jpeg")).picture(), corner_colours(16)
    )


@pytest.mark.parametrize("kind", [*KINDS, "16.png", "16.tif"])
@given(share=st.floats(0.0, 0.999))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_file_is_never_half_a_picture(
    tmp_path: Path, write_png16: Any, write_tiff16: Any, kind: Any, share: Any
) -> None:
    """A cut file is an error of one line or, where only its tail went, the same picture."""
    noise = np.random.default_rng(4).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    path = tmp_path / f"a.{kind}"
    if kind == "16.png":
        write_png16(path.name, noise.astype(np.uint16) * 200)
    elif kind == "16.tif":
        write_tiff16(path.name, noise.astype(np.uint16) * 200)
    else:
        Image.fromarray(noise).save(path, **KINDS[kind])
    whole = load_target(str(path), task="regression").pixels
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    try:
        cut = load_target(str(path), task="regression").pixels
    except TargetError as error:
        assert "\n" not in str(error)
        assert "Cannot load" in str(error)
    else:
        np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize("kind", [*KINDS, "16.png", "16.tif"])
def test_half_a_file_is_an_error(
    tmp_path: Path, write_png16: Any, write_tiff16: Any, kind: Any
) -> None:
    """The first half of a picture's file says that it is damaged or incomplete."""
    noise = np.random.default_rng(5).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    path = tmp_path / f"a.{kind}"
    if kind == "16.png":
        write_png16(path.name, noise.astype(np.uint16) * 200)
    elif kind == "16.tif":
        write_tiff16(path.name, noise.astype(np.uint16) * 200)
    else:
        Image.fromarray(noise).save(path, **KINDS[kind])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    # Only its end identifies a TGA.
    with pytest.raises(TargetError, match="begins with" if kind == "tga" else "complete"):
        load_target(str(path))


@pytest.mark.parametrize("kind", ["ico", "icns"])
def test_the_largest_picture_of_an_icon_is_read(
    tmp_path: Path, corner_colours: Any, kind: str
) -> None:
    """An icon holds its picture in several sizes, of which the largest is learned."""
    Image.fromarray(corner_colours(64)).save(tmp_path / f"a.{kind}")
    shown = load_target(str(tmp_path / f"a.{kind}"), task="regression").picture()
    side = len(shown)
    assert side == (64 if kind == "ico" else 1024)
    corners = shown[[side // 8, side // 8, -side // 8], [side // 8, -side // 8, side // 8]]
    assert corners.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


@given(
    st.sampled_from(sorted(KINDS)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)))
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_ends_in_one_kind_of_error(tmp_path: Path, kind: Any, damage: Any) -> None:
    """Whatever bytes change, loading gives a target or a TargetError, and never a warning."""
    path = tmp_path / f"a.{kind}"
    y, x = np.mgrid[:24, :24].astype(np.uint8)
    Image.fromarray(np.stack([x * 9, y * 9, x + y], axis=-1)).save(path, **KINDS[kind])
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        load_target(str(path), task="regression")
    except TargetError as error:
        assert "\n" not in str(error)


def test_a_decompression_bomb_is_refused(tmp_path: Path, png_chunk: Any) -> None:
    """A small file that claims a huge picture is refused before decoding, without a warning."""
    for side in (8200, 12_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        (tmp_path / "a.png").write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + png_chunk(b"IHDR", header)
            + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000))
            + png_chunk(b"IEND", b"")
        )
        with pytest.raises(TargetError, match=r"pixels, got .* Scale it down"):
            load_target(str(tmp_path / "a.png"))


def test_thirty_two_bits_are_refused(tmp_path: Path) -> None:
    """Depths beyond 16 bits are named, not cut."""
    Image.new("F", (4, 4), 0.5).save(tmp_path / "a.tif")
    with pytest.raises(TargetError, match=r"32 bits\. Convert it to 16 bits"):
        load_target(str(tmp_path / "a.tif"))


def tiff_of_floats(bits: int, planes: int) -> bytes:
    """Write a TIFF of three planes of floating-point numbers by hand."""
    num_bytes = 4 * bits // 8
    arrays_at = 8 + planes * num_bytes
    starts = [8 + plane * num_bytes for plane in range(planes)]
    entries = [
        (256, 3, 1, 2), (257, 3, 1, 2), (258, 3, planes, arrays_at), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, planes, arrays_at + 2 * planes), (277, 3, 1, planes),
        (278, 3, 1, 2), (279, 4, planes, arrays_at + 6 * planes), (284, 3, 1, 2),
        (339, 3, planes, arrays_at + 10 * planes),
    ]  # fmt: skip
    arrays = struct.pack(f"<{planes}H", *[bits] * planes)
    arrays += struct.pack(f"<{2 * planes}I", *starts, *[num_bytes] * planes)
    arrays += struct.pack(f"<{planes}H", *[3] * planes)
    directory = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack("<HHII", tag, kind, count, value)
    start = b"II" + struct.pack("<HI", 42, arrays_at + len(arrays))
    return start + bytes(planes * num_bytes) + arrays + directory + bytes(4)


@pytest.mark.parametrize("bits", [64, 32])
def test_floating_point_tiffs_are_named(tmp_path: Path, bits: int) -> None:
    """A TIFF of measurements is refused for its numbers, and not called damaged."""
    (tmp_path / "a.tif").write_bytes(tiff_of_floats(bits, 3))
    with pytest.raises(TargetError, match=f"8 or 16 bits a channel, got floating point of {bits}"):
        load_target(str(tmp_path / "a.tif"))


def test_the_thumbnail_of_a_raw_photograph_is_refused(tmp_path: Path) -> None:
    """A first page that stands for a larger picture is not learned in its place."""
    Image.new("RGB", (4, 4)).save(tmp_path / "a.dng", "TIFF", tiffinfo={254: 1})
    with pytest.raises(TargetError, match="got the thumbnail of a raw photograph"):
        load_target(str(tmp_path / "a.dng"))


def test_sixteen_bits_of_a_ppm_are_kept(tmp_path: Path) -> None:
    """A grey map of 16 bits keeps its values."""
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 65535\n" + struct.pack(">2H", 258, 65535))
    assert load_target(str(tmp_path / "a.pgm")).pixels.ravel().tolist() == [258, 65535]


def test_a_decoder_that_pillow_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Pillow's decoder of AVIF the message says so."""
    Image.new("RGB", (4, 4)).save(tmp_path / "a.avif")
    monkeypatch.setattr("PIL.features.check", lambda name: name != "avif")
    with pytest.raises(TargetError, match="a Pillow with its decoder of AVIF pictures"):
        load_target(str(tmp_path / "a.avif"))


def test_decoders_that_disagree_are_an_error(
    monkeypatch: pytest.MonkeyPatch, write_png16: Any
) -> None:
    """Swapped bytes in the 16-bit decoder are noticed by the 8-bit one."""
    pixels = np.random.default_rng(6).integers(0, 65536, (5, 5, 3)).astype(np.uint16)
    monkeypatch.setattr(
        "bitfold.targets.picture._decode_sixteen_bits", lambda data, kind: pixels.byteswap()
    )
    with pytest.raises(TargetError, match="two decoders read differently"):
        load_target(str(write_png16("a.png", pixels)))
