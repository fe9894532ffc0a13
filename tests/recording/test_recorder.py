"""The drawing process beside a training, also when either process dies."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from bitfold.recording import DrawingPaths, Recorder, TensorboardListener, worker
from bitfold.training import EpochEnded, Event, Run, RunEnded, load_run, resume, train
from tests.recording.tiny_runs import tiny


def num_video_frames(path: Path) -> int:
    """Decode a video and count its frames."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_recorder_leaves_video_frames_and_plot(tmp_path: Path) -> None:
    """After a run, the video is complete and the last frame and the losses are drawn."""
    problems: list[str] = []
    run = train(tiny(tmp_path / "run"), [Recorder(on_problem=problems.append)])
    assert problems == []
    assert num_video_frames(run.path / "video.mp4") == 4
    assert (run.path / "last_frame.png").exists()
    assert (run.path / "loss.png").exists()
    assert len(list((run.path / "snapshots").iterdir())) == 4


class _Orders(worker.Orders):
    """Orders of a trainer that will write a file; they end once no work is left."""

    def __init__(self) -> None:
        super().__init__(io.StringIO("frame\nfile\n"))
        while not self.is_file_expected:
            self._news.wait(0.01)
        self.is_stopping = False

    def wait(self) -> None:
        """Return without a new order."""
        self.is_finishing = True


def test_loops_of_a_file_are_compiled_once_when_all_frames_are_drawn(
    ring_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loops of a file are compiled once after all frames, if the trainer will write a file."""
    run, drawn_before = ring_run.branch(6, tmp_path / "run"), []
    frames = DrawingPaths.of(run).frames
    monkeypatch.setattr(
        worker, "warm_up_files", lambda run: drawn_before.append(len(list(frames.iterdir())))
    )
    orders = _Orders()
    worker.follow(run, orders)
    assert drawn_before == [len(run.frame_epochs())]
    assert not orders.is_file_expected
    orders.is_finishing = False
    worker.follow(run, orders)
    assert len(drawn_before) == 1


def test_killed_drawer_is_reported_and_training_goes_on(tmp_path: Path) -> None:
    """If the drawing process dies, training completes and prints a notice."""
    problems: list[str] = []
    recorder = Recorder(on_problem=problems.append)

    def kill_at_three(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 3:
            assert recorder._process is not None
            recorder._process.kill()
            recorder._process.wait()

    run = train(tiny(tmp_path / "run"), [recorder, kill_at_three])
    assert run.status["status"] == "completed"
    assert len(problems) == 1
    assert "bitfold render" in problems[0]


_TRAINER = """
import sys, time
from bitfold.recording import Recorder
from bitfold.training import Config, EpochEnded, train
def slow(event):
    if isinstance(event, EpochEnded):
        print(event.epoch, flush=True)
        time.sleep(0.05)
config = Config(target="ring", size=32, shape="[6]*2", epochs=100000, batch_size=128,
    save_interval="1", checkpoint_interval=7, frame_size=64, output_dir=sys.argv[1])
train(config, [Recorder(), slow])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a POSIX signal")
def test_killed_trainer_leaves_a_video_that_plays_and_can_be_completed(tmp_path: Path) -> None:
    """After SIGKILL the encoded part plays, the drawer ends, and a continued run completes it."""
    path = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", _TRAINER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    snapshots = path / "snapshots"
    while not snapshots.exists() or len(list(snapshots.iterdir())) < 20:
        assert child.stdout.readline(), "the trainer ended early"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    encoded = num_video_frames(path / "video.mp4")
    assert encoded > 0
    epoch = load_run(path).epochs()[-1]
    run = resume(path, [Recorder()], epochs=epoch + 5)
    assert num_video_frames(path / "video.mp4") == len(run.frame_epochs())
    assert len(list(snapshots.iterdir())) == len(run.frame_epochs())


@pytest.mark.slow
def test_nothing_is_dropped_when_drawing_lags(tmp_path: Path) -> None:
    """If drawing is slower than training, training ends first and no frame is dropped."""
    recorder = Recorder()
    drawn_at_end: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, RunEnded):
            drawn_at_end.append(recorder.num_drawn)

    config = tiny(tmp_path / "run", epochs=40, save_interval="1")
    run = train(config, [note, recorder])
    assert len(run.epochs()) == 41
    assert drawn_at_end[0] < 41
    assert recorder.num_drawn == 41
    assert num_video_frames(run.path / "video.mp4") == 41


@pytest.mark.slow
def test_the_time_that_drawing_still_takes_is_told(tmp_path: Path) -> None:
    """The estimate grows until the first frame is drawn, and is above 0 at the end."""
    left: list[tuple[int, float]] = []
    recorder = Recorder()

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            left.append((recorder.num_drawn, recorder.seconds_left()))

    assert recorder.seconds_left() == 0.0
    train(tiny(tmp_path / "run", epochs=40, save_interval="1", threads=2), [recorder, note])
    assert recorder._num_threads == min(2, os.cpu_count() or 1)
    waited = [seconds for num_drawn, seconds in left if num_drawn == 0]
    assert waited == sorted(waited)
    assert waited[0] > 0
    assert recorder.seconds_left() > 0  # a last frame and the end, as far as it knows


def test_tensorboard_gets_every_metric(tmp_path: Path) -> None:
    """The event file holds each metric under its own name, once an epoch."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(tiny(tmp_path / "run", kolmogorov_weight=0.01), [TensorboardListener()])
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    assert "kolmogorov_loss" in events.Tags()["scalars"]
    combined = [event.value for event in events.Scalars("combined_loss")]
    assert combined == pytest.approx(run.metrics["combined_loss"], rel=1e-6)


def test_drawing_that_was_slowed_by_training_is_expected_to_speed_up() -> None:
    """After training, a frame takes its processor time, times the slowness of each thread."""
    now, spent = 0.0, 0.0
    recorder = Recorder(clock=lambda: now, processor_clock=lambda: spent)
    now, spent = 20.0, 10.0  # half of the processor's time went to others
    assert recorder._once_alone(3.0, 0.5, 2.5) == 1.0
    assert recorder._once_alone(0.8, 0.5, 0.3) == 0.8
    spent = 20.0  # all of a processor
    assert recorder._once_alone(3.0, 0.5, 2.5) == 0.5
    recorder._num_threads = 2  # which get half of a processor each
    assert recorder._once_alone(3.0, 0.5, 2.5) == 1.0
    spent = 40.0
    assert recorder._once_alone(3.0, 0.5, 2.5) == 0.5


def test_a_frame_that_waits_for_a_disk_is_expected_to_wait_again() -> None:
    """Only the time in which drawing waited for a processor is saved after training."""
    now, spent = 0.0, 0.0
    recorder = Recorder(clock=lambda: now, processor_clock=lambda: spent)
    now, spent = 20.0, 20.0
    assert recorder._once_alone(3.0, 0.5, 1.0) == 2.0  # 1.5 s for the disk
    assert recorder._once_alone(3.0, 0.5, 0.0) == 3.0
    assert recorder._once_alone(3.0, 2.0, 2.5) == 2.0  # two threads: one drew, the other waited
    assert recorder._once_alone(3.0, 0.5, None) == 0.5
    spent = 10.0
    assert recorder._once_alone(3.0, 0.5, 1.0) == 2.5


def test_the_wait_for_a_processor_is_read_where_the_system_counts_it(tmp_path: Path) -> None:
    """The second number is in nanoseconds; without one the wait is unknown."""
    path = tmp_path / "schedstat"
    assert worker._queued_seconds(path) is None
    path.write_text("7 2500000000 3\n", encoding="ascii")
    assert worker._queued_seconds(path) == 2.5
    path.write_text("7\n", encoding="ascii")
    assert worker._queued_seconds(path) is None
