"""Draws a run while it trains: starts the drawing process and keeps it informed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO, Final

from bitfold.errors import ProcessError
from bitfold.recording.files.drawing_paths import DrawingPaths, delete_other_frames
from bitfold.runtime.display.figure_backend import without_backend
from bitfold.runtime.strangers.isolated_start import give_way, isolated_command, own_group
from bitfold.training import EpochEnded, Event, LateListener, RunEnded, RunStarted

# After the last frame, as a share of the time from the start of the process to the first frame: the
# video is closed, and the loss figure is drawn, for which a library has to be loaded.
_CLOSING: Final = 0.4
# Training and the process that compiles for it come first, from the imports on.
_NICENESS = 10


class Recorder(LateListener):
    """A listener that starts a process which draws frames and a video.

    During training, this listener only tells the process that a frame was appended. Drawing may
    lag behind. After training, `__call__` waits until all frames are drawn. An interrupt during
    that wait ends it: the video is closed with the frames that are drawn, and ``bitfold render``
    draws the others.

    Args:
        on_progress: called with the number of frames drawn and of all frames, during the wait.
        on_problem: called with a line when drawing fails.
        on_notice: called with a line when drawing has to wait, for example for compiling.
        expects_file: whether a model file is written after training: the process compiles its loops
            when it has drawn all frames that there are.
        clock: returns the time in seconds.
        processor_clock: returns the processor time of this process in seconds.

    >>> recorder = Recorder()
    >>> recorder.num_drawn
    0
    """

    def __init__(
        self,
        on_progress: Callable[[int, int], None] = lambda drawn, total: None,
        on_problem: Callable[[str], None] = lambda line: None,
        on_notice: Callable[[str], None] = lambda line: None,
        *,
        expects_file: bool = False,
        clock: Callable[[], float] = time.monotonic,
        processor_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._expects_file, self._clock = expects_file, clock
        self._processor_clock = processor_clock
        self._on_progress, self._on_problem, self._on_notice = on_progress, on_problem, on_notice
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._num_asked = 0
        self._has_problem = False
        self._started, self._spent = clock(), processor_clock()
        self._num_threads = 1  # of training
        self._opening_seconds = self._frame_seconds = 0.0  # to the first frame; of the last one
        self.num_drawn = 0

    def __call__(self, event: Event) -> None:
        """Listen to training."""
        if isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, EpochEnded) and event.has_frame:
            self._num_asked += 1
            self._say("frame")
        elif isinstance(event, RunEnded):
            self._finish()

    def stop(self) -> None:
        """Ask the drawing process to end with the frame in hand; ``bitfold render`` goes on."""
        self._say("stop")

    def seconds_left(self) -> float:
        """Return about how long it takes to draw all frames that are missing, and to finish.

        Until the first frame is drawn, it is expected to take as long again as it has taken.
        """
        if self._process is None or self._has_problem:
            return 0.0
        if self.num_drawn == 0:
            return (1 + _CLOSING) * (self._clock() - self._started)
        num_missing = self._num_asked - self.num_drawn + 1  # the last epoch gets a frame, too
        return num_missing * self._frame_seconds + _CLOSING * self._opening_seconds

    def _once_alone(
        self, seconds: float, processor_seconds: float, queued_seconds: float | None
    ) -> float:
        """Return about how long drawing takes after training, when it gets training's processor.

        On a busy machine training leaves drawing little time. Other work goes on: it slows drawing
        as it slows a thread of training. What drawing waits for besides a processor, such as a
        disk, takes as long as before.

        Args:
            seconds: that drawing took; the estimate is at most this.
            processor_seconds: of them, those on a processor.
            queued_seconds: of them, those in which drawing waited for a processor; None if unknown:
                then it waited for nothing else.
        """
        spent = (self._processor_clock() - self._spent) / self._num_threads
        slowness = max(1.0, (self._clock() - self._started) / max(spent, 1e-9))
        other = 0.0 if queued_seconds is None else seconds - processor_seconds - queued_seconds
        return min(seconds, slowness * processor_seconds + max(0.0, other))

    def _start(self, event: RunStarted) -> None:
        run = event.run
        epochs = run.frame_epochs()
        delete_other_frames(DrawingPaths.of(run).frames, set(epochs))
        self._num_asked = len(epochs) or 1  # a new run appends its first moment right away
        named = [run.config.snapshot_dir] if "snapshot_dir" in run.named else []
        self._started, self._spent = self._clock(), self._processor_clock()
        self._num_threads = min(run.config.threads or 1, os.cpu_count() or 1)
        try:
            self._process = subprocess.Popen(
                isolated_command("bitfold.recording.worker", str(run.path), *named),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**without_backend(os.environ), "OMP_NUM_THREADS": "1"},
                **own_group(),
            )
        except ProcessError as error:
            self._report(str(error))
            return
        give_way(self._process.pid, _NICENESS)
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._listen, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()
        if self._expects_file:
            self._say("file")

    def _listen(self, answers: IO[str]) -> None:
        for line in answers:
            answer = json.loads(line)
            if "drawn" in answer:
                if self.num_drawn == 0:
                    opening = self._clock() - self._started
                    self._opening_seconds = self._once_alone(
                        opening, answer["spent"], answer["queued"]
                    )
                self._frame_seconds = self._once_alone(
                    answer["seconds"], answer["processor_seconds"], answer["queued_seconds"]
                )
                self.num_drawn += 1
            if "notice" in answer:
                self._on_notice(answer["notice"])
            if "problem" in answer:
                self._report(answer["problem"])

    def _finish(self) -> None:
        if self._process is None:
            return
        self._say("finish")
        try:
            while self._process.poll() is None:
                self._on_progress(self.num_drawn, self._num_asked)
                self._wait(0.2)
        except KeyboardInterrupt:
            self.stop()
            self._process.wait()
        self._close()

    def _wait(self, seconds: float) -> None:
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return

    def _close(self) -> None:
        assert self._process is not None
        assert self._reader is not None
        self._reader.join()
        if self._process.returncode != 0 and not self._has_problem:
            self._report(f"Drawing ended with exit code {self._process.returncode}.")
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # A pipe to a process that has died cannot be flushed.
                with contextlib.suppress(OSError):
                    pipe.close()

    def _say(self, word: str) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            self._process.stdin.write(word + "\n")
            self._process.stdin.flush()
        except OSError:
            if not self._has_problem:
                self._report("Drawing has ended early.")

    def _report(self, line: str) -> None:
        self._has_problem = True
        self._on_problem(f"{line} Training goes on without; `bitfold render` draws the rest.")
