"""What kind of file this is."""

from pathlib import Path
from typing import Literal

from bitfold.errors import TargetError

Kind = Literal[
    "PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "ICNS",
    "PSD", "QOI", "DDS", "SGI", "PCX", "SUN", "XPM", "MP4", "WEBM",
]  # fmt: skip

KINDS_TEXT = (
    "a PNG, JPEG, WebP, AVIF, JPEG 2000, BMP, TIFF, GIF, PPM, TGA, ICO or PSD picture, or an mp4, "
    "webm or gif clip"
)
MAX_FILE_BYTES = 2**30
SIGNATURE_BYTES = 256
# A TGA has its signature at its end.
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"

_SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
    *((0, b"P" + digit + blank, "PPM") for digit in (b"1", b"2", b"3", b"4", b"5", b"6")
      for blank in (b" ", b"\t", b"\n", b"\r")),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"icns", "ICNS"),
    (0, b"8BPS", "PSD"),
    (0, b"qoif", "QOI"),
    (0, b"DDS ", "DDS"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\x0a\x05\x01", "PCX"),
    (0, b"\x59\xa6\x6a\x95", "SUN"),
    (0, b"/* XPM */", "XPM"),
    (4, b"ftyp", "MP4"),
    # QuickTime files of before 2001 begin with any of these boxes.
    (4, b"moov", "MP4"),
    (4, b"mdat", "MP4"),
    (4, b"wide", "MP4"),
    (0, b"\x1aE\xdf\xa3", "WEBM"),
)  # fmt: skip

# What bitfold does not read, with its name, so that nobody takes the file for damaged.
_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (8, b"CR\2\0", "a CR2 raw photograph"),
    (0, b"IIU\0", "an RW2 raw photograph"),
    (0, b"IIRO", "an ORF raw photograph"),
    (0, b"FUJIFILMCCD-RAW", "a RAF raw photograph"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"<svg", "an SVG drawing"),
    (8, b"AVI ", "an AVI clip"),
    (8, b"WAVE", "a WAVE sound"),
    (0, b"FLV\1", "an FLV clip"),
    (0, b"OggS", "an Ogg clip or sound"),
    (0, b"ID3", "an MP3 sound"),
    (0, b"PK\3\4", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
)
# Brands of other pictures that share the mp4 container, the first that is found counts.
_BRANDS: tuple[tuple[frozenset[bytes], str], ...] = (
    (frozenset({b"avif", b"avis"}), "AVIF"),
    (frozenset({b"crx "}), "a CR3 raw photograph"),
    (frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}),
     "a HEIC picture"),
)  # fmt: skip


def identify_file(path: Path) -> Kind:
    """Tell a file's kind from its first bytes; its name does not matter.

    Source: the formats' specifications.

    Args:
        path: the file.

    Returns:
        Its kind.

    Raises:
        TargetError: it is missing, a directory, unreadable, empty, above 1 GiB, or of another kind.

    >>> identify_file(Path("nowhere.png"))
    Traceback (most recent call last):
    ...
    bitfold.errors.TargetError: Cannot load 'nowhere.png': expected a picture or clip, got no such
    file. Check the path.
    """
    where = repr(str(path))
    try:
        if path.is_dir():
            raise TargetError(
                f"Cannot load {where}: expected a picture or clip, got a directory. "
                "Name one file in it."
            )
        if not path.is_file():
            got = "something that is no file" if path.exists() else "no such file"
            raise TargetError(
                f"Cannot load {where}: expected a picture or clip, got {got}. Check the path."
            )
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(SIGNATURE_BYTES)
            stream.seek(max(0, size - len(_TGA_FOOTER)))
            end = stream.read(len(_TGA_FOOTER))
    except (OSError, ValueError) as error:
        raise TargetError(
            f"Cannot load {where}: expected a readable file, got {one_line(error)}. "
            "Check the path and its permissions."
        ) from error
    _check_size(where, size)
    foreign = _foreign_name(start)
    if foreign is None:
        kind = _kind_of(start, end)
        if kind is not None:
            return kind
    got = foreign or f"a file that begins with {start[:8]!r}"
    raise TargetError(
        f"Cannot load {where}: expected {KINDS_TEXT}, got {got}. Convert it to PNG or mp4."
    )


def damaged_file(
    where: str, kind: Kind, error: BaseException, text: str | None = None
) -> TargetError:
    """Return the error for a file that its decoder refused.

    Args:
        where: names the file.
        kind: what `identify_file` said.
        error: what the decoder raised.
        text: a better text than the error's own.
    """
    return TargetError(
        f"Cannot load {where}: expected a complete {kind} file, got a damaged one "
        f"({text or one_line(error)}). Copy or download it again."
    )


def one_line(error: BaseException) -> str:
    """Shorten an exception's text to one line.

    >>> one_line(ValueError("a\\n  b"))
    'a b'
    """
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _check_size(where: str, num_bytes: int) -> None:
    if num_bytes == 0:
        raise TargetError(
            f"Cannot load {where}: expected {KINDS_TEXT}, got an empty file. "
            "Copy or download it again."
        )
    if num_bytes > MAX_FILE_BYTES:
        raise TargetError(
            f"Cannot load {where}: expected at most {MAX_FILE_BYTES} bytes, got {num_bytes}. "
            "Cut it shorter or scale it down."
        )


def _kind_of(start: bytes, end: bytes) -> Kind | None:
    if _brand_name(start) == "AVIF":
        return "AVIF"
    for offset, mark, kind in _SIGNATURES:
        if start[offset : offset + len(mark)] == mark:
            return kind
    return "TGA" if end == _TGA_FOOTER else None


def _foreign_name(start: bytes) -> str | None:
    """Name a known kind of file that bitfold does not read."""
    for offset, mark, name in _FOREIGN:
        if start[offset : offset + len(mark)] == mark:
            return name
    brand = _brand_name(start)
    return None if brand == "AVIF" else brand


def _brand_name(start: bytes) -> str | None:
    """Name the picture in an mp4 container by its brands; None for clips."""
    if start[4:8] != b"ftyp":
        return None
    box = start[: int.from_bytes(start[:4], "big")]
    major, compatible = box[8:12], {box[at : at + 4] for at in range(16, len(box) - 3, 4)}
    for brands, name in _BRANDS:
        if major in brands:
            # "mif1" is any picture of this container; the others say of which codec.
            is_avif = bool(compatible & _BRANDS[0][0])
            return "AVIF" if is_avif and major in (b"mif1", b"msf1") else name
    return None
