"""Video files on disk: copying packets without decoding them, and replacing files safely."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from bitfold.runtime.strangers.plain_files import make_way, open_plain

# Never guessed: FFmpeg would take a file that a stranger made for a list of other files to read.
_FORMAT = "mp4"


def previous_path(path: Path) -> Path:
    """Return the path of an old video while its frames are copied into the new one.

    >>> previous_path(Path("run/video.mp4")).as_posix()
    'run/video.previous.mp4'
    """
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def file_url(path: Path) -> str:
    """Return the URL of a file for FFmpeg, which takes what precedes a colon for a protocol.

    >>> file_url(Path("10:30/video.mp4"))
    'file:10:30/video.mp4'
    """
    return f"file:{path}"


def sync(path: Path) -> None:
    """Wait until the bytes of a file are on the disk.

    Raises:
        OSError: the file cannot be opened, or the disk fails.
    """
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remux(path: Path) -> None:
    """Rewrite a fragmented mp4 as a plain one with its index at the front.

    The new file is written beside the old one and then replaces it: a kill leaves one of them.

    Source: ISO/IEC 14496-12, section 8.2.

    Args:
        path: path of the video.

    Raises:
        av.error.FFmpegError or OSError: the old file cannot be read, or the new one not written.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        make_way(partial)
        with (
            av.open(file_url(path), format=_FORMAT) as old,
            av.open(file_url(partial), "w", format="mp4", options={"movflags": "faststart"}) as new,
        ):
            source = old.streams.video[0]
            stream = new.add_stream_from_template(source)
            for packet in old.demux(source):
                # An empty packet without a time marks the end.
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
        sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def kept_packets(
    path: Path, num_frames: int, context: VideoCodecContext
) -> "Iterator[Packet[VideoStream]]":
    """Read the first frames of a video as packets that another stream can continue.

    Each packet is one frame, in order, since there are no B-frames. The next stream begins with a
    keyframe, and a player may take two keyframes in a row for one picture (ITU-T H.264,
    7.4.1.2.4). So a keyframe at the end is left out.

    Args:
        path: path of the video, finished or cut off by a kill.
        num_frames: largest number of frames.
        context: the encoder that continues; it must have the same size and parameter sets.

    Yields:
        Packets, up to the first damaged one; none if the file cannot be read, or was encoded with
        other settings.
    """
    held: Packet[VideoStream] | None = None
    # A damaged file is no error: the caller draws missing frames again.
    with (
        contextlib.suppress(av.error.FFmpegError, OSError),
        open_plain(path, "rb") as file,
        av.open(file, "r", format=_FORMAT) as container,
    ):
        if not container.streams.video:
            return
        stream = container.streams.video[0]
        old = stream.codec_context
        if (old.width, old.height) != (context.width, context.height):
            return
        if old.name != "h264" or bytes(old.extradata or b"") != bytes(context.extradata or b""):
            return
        for number, packet in enumerate(container.demux(stream)):
            if number >= num_frames or packet.dts is None or packet.is_corrupt:
                break
            if held is not None:
                yield held
            held = packet
    if held is not None and not held.is_keyframe:
        yield held
