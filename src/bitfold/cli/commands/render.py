"""``bitfold render RUN``."""

from __future__ import annotations

import argparse
import dataclasses
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import track

from bitfold import recording, render, targets, training
from bitfold.cli.console.options import (
    add_places,
    add_presentation,
    add_settings,
    given_places,
    given_settings,
)
from bitfold.cli.console.output import Console
from bitfold.errors import ConfigError, RenderError, RunError
from bitfold.runtime.atomic_files import write_atomically

if TYPE_CHECKING:
    from bitfold.recording import DrawingPaths, FrameStyle
    from bitfold.training import Moment, Run

_SETTINGS = (
    "frame_size", "layout", "faces", "fold_colour", "encoding_folds", "polytope_engine",
    "snapshot_format", "png_compression", "jpeg_quality", "clip_slices", "slice_times", "video_fps",
    "smoothing_sigma",
)  # fmt: skip


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "render",
        help="draw a run's frames and video, again or in another style",
        description="Draw the frames and the video of a run from its trajectory. Without options, "
        "complete the frames that the run itself drew. With options, draw all of them anew, into "
        "RUN/render or --output.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    parser.add_argument("-o", "--output", metavar="PATH", type=Path,
                        help="folder for frames and video; with --epoch, a PNG file")  # fmt: skip
    parser.add_argument("--epoch", type=int, metavar="N", help="draw only this epoch, as PNG")
    parser.add_argument(
        "--window", nargs=4, type=float, metavar=("X0", "Y0", "X1", "Y1"),
        help="the rectangle to show; the picture is -0.5 -0.5 0.5 0.5",
    )  # fmt: skip
    parser.add_argument(
        "--zoom", nargs=3, type=float, metavar=("X", "Y", "TIMES"),
        help="draw a video that flies into the vertex nearest to (X, Y), up to a magnification of "
        "TIMES",
    )  # fmt: skip
    parser.add_argument(
        "--zoom-frames", type=int, default=250, metavar="N",
        help="frames of the --zoom video (default: 250)",
    )  # fmt: skip
    add_settings(parser, names=_SETTINGS)
    add_places(parser, "snapshot_dir")
    add_presentation(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw, and print the path of the result."""
    places = given_places(arguments)
    one = training.load_run(arguments.run, **places)
    changes = {n: value for n, value in given_settings(arguments).items() if n not in places}
    style = recording.FrameStyle.of(one.config.replace(**changes))
    if arguments.window is not None:
        style = dataclasses.replace(style, window=targets.Window(*arguments.window))
    console = Console(quiet=arguments.quiet)
    if arguments.zoom is not None:
        output = arguments.output or one.path / "zoom.mp4"
        _draw_zoom(one, style, arguments, output, console)
    elif arguments.epoch is not None:
        output = arguments.output or one.path / f"epoch-{arguments.epoch}.png"
        _draw_one(one, style, arguments.epoch, output)
    else:
        is_other = bool(changes) or arguments.window is not None or arguments.output is not None
        paths = _paths(one, arguments.output) if is_other else recording.DrawingPaths.of(one)
        _draw_all(one, style, paths, console, afresh=is_other)
        output = paths.video
    console.print(output, soft_wrap=True)
    return 0


def _paths(one: Run, output: Path | None) -> DrawingPaths:
    folder = output or training.own_folder(one.path, "render/frames").parent
    return recording.DrawingPaths(
        folder / "frames", folder / "video.mp4", folder / "last_frame.png"
    )


def _draw_all(
    one: Run, style: FrameStyle, paths: DrawingPaths, console: Console, *, afresh: bool
) -> None:
    total = len(one.frame_epochs())
    try:
        paths.video.parent.mkdir(parents=True, exist_ok=True)
        drawing = recording.Drawing(one, style, paths, afresh=afresh)
        try:
            bar = track(drawing.draw_new(), "drawing", total, console=console)
            for _ in bar:
                pass
        finally:
            drawing.close()
    except OSError as error:
        message = f"Cannot draw into {paths.video.parent}: {error.strerror}."
        raise RenderError(message) from None


def _draw_zoom(
    one: Run, style: FrameStyle, arguments: argparse.Namespace, output: Path, console: Console
) -> None:
    if arguments.window is not None:
        raise ConfigError("Cannot zoom: expected no --window beside --zoom. Give one of them.")
    x, y, times = arguments.zoom
    moment = _moment(one, arguments.epoch)
    time = 0.0 if one.target.is_clip else None
    point = recording.nearest_vertex(one, moment, (x, y), time)
    windows = recording.zoom_windows(point, times, arguments.zoom_frames)
    frames = recording.draw_zoom(one, moment, style, windows, output)
    for _ in track(frames, "zooming", len(windows), console=console):
        pass


def _draw_one(one: Run, style: FrameStyle, epoch: int, output: Path) -> None:
    moment = _moment(one, epoch)
    try:
        picture = recording.FrameMaker(one, style).draw(moment)
        write_atomically(output, render.encode_png(picture))
    except OSError as error:
        raise RenderError(f"Cannot write {output}: {error.strerror}.") from None


def _moment(one: Run, epoch: int | None) -> Moment:
    """The moment of an epoch; by default the last one."""
    epochs = one.frame_epochs()
    wanted = epochs[-1] if epoch is None and epochs else epoch
    with closing(one.open_trajectory()) as reader:
        moment = next((m for m in reader.moments() if m.epoch == wanted), None)
    if moment is None:
        near = min(epochs, key=lambda other: abs(other - (wanted or 0)), default=None)
        raise RunError(
            f"Cannot draw epoch {wanted} of {one.path}: it has no frame. The nearest is {near}."
        )
    return moment
