"""The aspect, the frames and the palette of a picture in a recipe, written and read."""

from __future__ import annotations

from bitfold.entropy_coding.damage import damaged
from bitfold.entropy_coding.streams import StreamReader, StreamWriter
from bitfold.networks import Picture

Palette = tuple[tuple[int, int, int], ...]
#: The most colours of a palette.
MAX_PALETTE = 256
# Orders of the Golomb numbers.
_ASPECT_ORDER, _FRAMES_ORDER, _RATE_ORDER = 2, 0, 10
# Of a channel of a colour.
_CHANNEL_BITS = 8
# Rates are in hundredths of a frame a second.
_RATE_PARTS, _MOST_RATE, _MOST_PARTS = 100, 10**6, 2**14


def written_picture(picture: Picture | None) -> Picture | None:
    """What a file says of a picture: nothing for a square one, which a reader assumes."""
    if picture is None or (picture.width == picture.height and not picture.num_frames):
        return None
    width, height = picture.simplest_sides()
    # A rate beyond what a file can say is as good as unknown.
    rate = min(round(_RATE_PARTS * (picture.frames_per_second or 0)), _MOST_RATE)
    is_clip = picture.num_frames > 0
    written_rate = rate / _RATE_PARTS if is_clip and rate else None
    return Picture(width, height, picture.num_frames, written_rate)


def write_picture(writer: StreamWriter, picture: Picture) -> None:
    """Append width, height and frames, and for a clip its rate in hundredths."""
    for side in (picture.width, picture.height):
        writer.write_golomb(side - 1, _ASPECT_ORDER)
    writer.write_golomb(picture.num_frames, _FRAMES_ORDER)
    if picture.num_frames:
        rate = round(_RATE_PARTS * (picture.frames_per_second or 0))
        writer.write_golomb(rate, _RATE_ORDER)


def read_picture(reader: StreamReader) -> Picture:
    """Read the picture that `write_picture` wrote.

    Raises:
        ModelFileError: if a number is beyond its limit.
    """
    width, height = (reader.read_golomb(_ASPECT_ORDER) + 1 for _ in range(2))
    num_frames = reader.read_golomb(_FRAMES_ORDER)
    rate = reader.read_golomb(_RATE_ORDER) if num_frames else 0
    if max(width, height, num_frames) > _MOST_PARTS or rate > _MOST_RATE:
        raise damaged(
            f"expected a picture of at most {_MOST_PARTS:,} parts a side and frames, got "
            f"{width:,} x {height:,} x {num_frames:,} at {rate / _RATE_PARTS} a second",
            reader.position,
        )
    return Picture(width, height, num_frames, rate / _RATE_PARTS if rate else None)


def write_palette(writer: StreamWriter, palette: Palette) -> None:
    """Append red, green and blue of each output's colour."""
    for colour in palette:
        for channel in colour:
            writer.write_bits(channel, _CHANNEL_BITS)


def read_palette(reader: StreamReader, num_colours: int) -> Palette:
    """Read the palette that `write_palette` wrote.

    Raises:
        ModelFileError: if there are more colours than a picture has classes.
    """
    if num_colours > MAX_PALETTE:
        raise damaged(
            f"expected a palette of at most {MAX_PALETTE} colours, got {num_colours:,}",
            reader.position,
        )
    channels = [reader.read_bits(_CHANNEL_BITS) for _ in range(3 * num_colours)]
    return tuple(zip(channels[::3], channels[1::3], channels[2::3], strict=True))
