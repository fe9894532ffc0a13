"""Videos that can be played after a kill, and continued."""

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import av.error
import numpy as np
import numpy.typing as npt

from bitfold.errors import RenderError
from bitfold.render.frame.scene import is_rgb
from bitfold.render.video.video_file import kept_packets, previous_path, remux, sync
from bitfold.render.video.video_stream import open_fragmented, video_frame, video_size
from bitfold.runtime.strangers.plain_files import is_plain, make_way

DEFAULT_CRF: Final = 18
HIGHEST_CRF: Final = 51
HIGHEST_RATE: Final = 240.0
# Keeps rates such as 30000/1001 exact.
LARGEST_RATE_DENOMINATOR: Final = 1001
LOWEST_RATE: Final = 0.001


class VideoWriter:
    """Writes frames as an H.264 video: yuv420p, BT.709, even sides, width at most 3840.

    While frames are appended, the file is a fragmented mp4: after a kill, all appended frames
    except the last can be played. Closing turns the file into a plain mp4, which can be played
    before it is loaded. Frames with an odd side are padded by their edge. Larger frames are scaled
    down.

    A video can be continued, even if a kill cut it off: its first frames are copied without
    encoding them again. Meanwhile the old file is kept beside the new one, as
    ``video.previous.mp4``. After a kill during the copy, the next writer continues the old file.

    x264 encodes through PyAV, without a system program.

    Args:
        path: path of the video; an existing file is replaced.
        width: width of the frames, >= 1.
        height: height of the frames, >= 1.
        frames_per_second: at least 0.001, at most 240.
        keep_frames: number of frames to keep of an existing video, >= 0. ``num_frames`` is the
            number kept: all of them that exist, or one less; 0 if there is no readable video with
            this size and these settings.
        crf: x264's constant rate factor, 0 (no loss) to 51.
        num_threads: number of threads of the encoder.

    Raises:
        RenderError: a setting is out of bounds, or the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "video.mp4"
    ...     with VideoWriter(path, width=64, height=48, frames_per_second=30) as writer:
    ...         writer.append(np.zeros((48, 64, 3), np.uint8))
    ...     writer.num_frames, path.exists()
    (1, True)
    """

    def __init__(
        self,
        path: Path | str,
        *,
        width: int,
        height: int,
        frames_per_second: float,
        keep_frames: int = 0,
        crf: int = DEFAULT_CRF,
        num_threads: int = 1,
    ) -> None:
        self._path = Path(path)
        self._shape = (height, width, 3)
        _check_settings(self._path, width, height, crf, frames_per_second)
        self._rate = Fraction(frames_per_second).limit_denominator(LARGEST_RATE_DENOMINATOR)
        self._size = video_size(width, height)
        self._num_frames = 0
        self._is_open = False
        self._num_bytes = 0
        self._has_failed = False
        previous = previous_path(self._path)
        with self._reporting("write"):
            if keep_frames <= 0:
                # Else a later writer would take the rest of an earlier continuation for this video.
                previous.unlink(missing_ok=True)
            elif is_plain(self._path) and not os.path.lexists(previous):
                self._path.replace(previous)
            make_way(self._path)
            self._container, self._stream = open_fragmented(
                self._path, self._size, self._rate, crf=crf, num_threads=num_threads
            )
            self._is_open = True
            self._num_bytes = self._path.stat().st_size
            if keep_frames > 0 and os.path.lexists(previous):
                self._keep(previous, keep_frames)

    @classmethod
    def continued(
        cls,
        path: Path | str,
        *,
        num_frames: int,
        width: int,
        height: int,
        frames_per_second: float,
    ) -> Self:
        """Continue an existing video after its first frames, as ``keep_frames`` does.

        Args:
            path: path of the video.
            num_frames: number of frames to keep, >= 0.
            width: width of the frames.
            height: height of the frames.
            frames_per_second: at least 0.001, at most 240.

        Returns:
            A writer whose ``num_frames`` is the number of frames kept; append the next ones.

        Raises:
            RenderError: a setting is out of bounds, or the file cannot be written.
        """
        return cls(
            path,
            width=width,
            height=height,
            frames_per_second=frames_per_second,
            keep_frames=num_frames,
        )

    @property
    def path(self) -> Path:
        """Path of the video."""
        return self._path

    @property
    def num_frames(self) -> int:
        """Number of frames in the video, kept and appended."""
        return self._num_frames

    def append(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Encode one more frame.

        Args:
            rgb: uint8 (height, width, 3), of the writer's size; it is copied.

        Raises:
            RenderError: the frame has another shape, the video is closed, or the file cannot be
                written. The frames before can still be played.
        """
        if not self._is_open:
            raise RenderError(
                f"Cannot append to {self._path}: expected an open video, got a closed one. "
                "Continue it first."
            )
        if not is_rgb(rgb) or rgb.shape != self._shape:
            raise RenderError(
                f"Cannot append to {self._path}: expected uint8 {self._shape}, "
                f"got {rgb.dtype} {rgb.shape}. Paint every frame at the same size."
            )
        with self._reporting("write"):
            frame = video_frame(rgb, self._size)
            frame.pts = self._num_frames
            frame.time_base = 1 / self._rate
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
            # Complete fragments are flushed, so a fragment ends here.
            self._num_bytes = self._path.stat().st_size
        self._num_frames += 1

    def close(self) -> None:
        """Finish the video; a second call does nothing. A video without frames is deleted.

        Raises:
            RenderError: the file cannot be written. The frames before can still be played.
        """
        if not self._is_open:
            return
        self._is_open = False
        if self._has_failed:
            # The error was reported already. Keep complete fragments: they can be played.
            with contextlib.suppress(av.error.FFmpegError, OSError):
                self._container.close()
            with contextlib.suppress(OSError):
                os.truncate(self._path, self._num_bytes)
            return
        with self._reporting("finish"):
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()
            if self._num_frames:
                remux(self._path)
            else:
                self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _keep(self, previous: Path, keep_frames: int) -> None:
        """Copy the first frames of the old file, then delete it."""
        packets = kept_packets(previous, keep_frames, self._stream.codec_context)
        for packet in packets:
            packet.stream = self._stream
            packet.time_base = 1 / self._rate
            packet.pts = packet.dts = self._num_frames
            packet.duration = 1
            self._container.mux(packet)
            self._num_frames += 1
        sync(self._path)
        previous.unlink()

    @contextlib.contextmanager
    def _reporting(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            self._has_failed = True
            if self._is_open and verb == "write":
                self.close()
            raise RenderError(
                f"Cannot {verb} the video {self._path}: expected a writable file and free space, "
                f"got {error}. Check the folder and the disk."
            ) from error


def _check_settings(path: Path, width: int, height: int, crf: int, rate: float) -> None:
    wanted = [
        ("a width of 1 or more", width >= 1, width),
        ("a height of 1 or more", height >= 1, height),
        (f"a rate factor of 0 to {HIGHEST_CRF}", 0 <= crf <= HIGHEST_CRF, crf),
        (f"above 0 to {HIGHEST_RATE:g} frames a second", LOWEST_RATE <= rate <= HIGHEST_RATE, rate),
    ]
    for expected, is_met, got in wanted:
        if not is_met:
            raise RenderError(
                f"Cannot write the video {path}: expected {expected}, got {got}. Change it."
            )
