"""Commands for changed run folders, and the studio's work on a run."""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bitfold.cli.main import main, run_command
from bitfold.errors import BitfoldError, StudioError
from bitfold.studio.export import replay_page
from bitfold.studio.export.saver import saved
from bitfold.studio.hub.live_run import LiveRun
from bitfold.studio.hub.runs_folder import RunsFolder
from bitfold.studio.viewer.worker import Viewer
from bitfold.studio.wire.message import Message, decode, encode
from bitfold.training import Run, load_run
from tests.run_folders.fuzzing.sweep_commands import (
    SWEEP_COMMANDS,
    continue_sweep,
    read_plans,
    read_sweep,
)

#: The command for a folder of its own kind.
FRONTIER = "frontier"
#: Exit codes of a command that succeeded, and of a command that refused.
GOOD_CODES, REFUSED = frozenset({0, 1, 3, 4, 5, 6}), 2
COMMANDS = (
    "resume",
    "render",
    "frame",
    "plot",
    "folds",
    "report",
    "polytopes",
    "compress",
    "audit",
    "info",
    "decompress",
    "replay",
    "branch",
    "export",
    "studio",
    FRONTIER,
    *SWEEP_COMMANDS,
)
_WINDOW = {"x": 0.0, "y": 0.0, "half": 0.5, "aspect": 1.0, "time": None}
_PAGE_FILES = {"index.html": "<head></head><body></body>", "studio.css": "", "replay.js": ""}


def arguments_of(command: str, run: Path, output: Path) -> list[str]:
    """Return the words of a command, or of a function that stands for a command."""
    path, out = str(run), str(output)
    return {
        "resume": ["resume", path, "--epochs", "6"],
        "render": ["render", path],
        "frame": ["render", path, "--epoch", "2"],
        "plot": ["plot", path],
        "folds": ["plot", path, "--what", "folds", "-o", out + ".svg"],
        "report": ["report", path],
        "polytopes": ["polytopes", path, "-o", out + ".npz"],
        "compress": ["compress", path, "-o", out + ".bitfold"],
        "audit": ["audit", path],
        "info": ["info", path + "/net.bitfold"],
        "decompress": ["decompress", path + "/net.bitfold", "-o", out + ".png", "--size", "16"],
        "replay": ["replay", path],
        "branch": ["branch", path, out + "-branch"],
        "export": ["export", path, out + ".html"],
        "studio": ["studio", path],
        FRONTIER: ["frontier", "-o", path, "--lambdas", "0.02"],
        "read": ["read", path],
        "sweep": ["continue-sweep", path],
        "merge": ["sweep", "--merge", path, "-o", out + "-merged"],
        "compare": ["compare", path, "-o", out + ".html"],
        "read-sweep": ["read-sweep", path],
        "plan": ["plan", path],
    }[command]


def _read(path: str) -> int:
    """Read every part of a run, even if another part cannot be read; return 2 if one cannot."""
    parts: tuple[Callable[[Run], object], ...] = (
        lambda run: run.metrics,
        lambda run: run.status,
        lambda run: run.split,
        lambda run: run.epochs(),
        lambda run: run.network(),
        lambda run: [run.network(epoch) for epoch in run.frame_epochs()],
        lambda run: run.kolmogorov(),
    )
    errors = []
    for part in parts:
        try:
            part(load_run(path))
        except BitfoldError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return 0


def _branch(path: str, folder: str) -> int:
    """Branch a run, for which there is no command."""
    load_run(path).branch(3, folder)
    return 0


def _export(path: str, page: str) -> int:
    """Write a run as a page, with placeholder files that need no build."""
    built = Path(page).with_suffix(".built")
    built.mkdir(exist_ok=True)
    for name, text in _PAGE_FILES.items():
        (built / name).write_text(text)
    with patch.object(replay_page, "PAGE", built):
        return main(["export", path, "-o", page, "--quiet"])


def _studio(path: str) -> int:
    """Do the studio's work for a page: list the runs, open one, look at it and save."""
    runs = RunsFolder(Path(path).parent)
    listed = runs.all_facts()
    encode(Message("runs", {"runs": listed}))
    problems = [str(facts["problem"]) for facts in listed if "problem" in facts]
    if not listed:
        raise StudioError("Cannot list the run: it has no configuration.")
    live, viewer = LiveRun("run", str(runs.path("run"))), Viewer()
    usual = {"client": 0, "view": 0, "run": "run", "path": live.path}

    def asked(kind: str, **facts: Any) -> Message:
        answer = decode(encode(viewer.answer(Message(kind, {**usual, **facts}))))
        if answer.kind == "refused":
            problems.append(answer.facts["text"])
        return answer

    for kind in ("target", "settings", "changes"):
        asked(kind)
    history = asked("history")
    if history.kind == "history":
        live.take_history(history)
        decode(live.moment(0))
    seen = {**_WINDOW, "epoch": live.epoch, "faces": "value", "window_key": "0 0"}
    asked("cut", **seen)
    asked("locate", x=0.1, y=0.1, window_key="0 0")
    for form in ("graphml", "bitfold"):
        try:
            saved(Message("save", {**usual, **seen, "format": form}), lambda _: None)
        except BitfoldError as error:
            problems.append(str(error))
    for problem in problems:
        assert len(problem.splitlines()) == 1, problem
    if problems:
        raise StudioError(problems[0])
    return 0


_FUNCTIONS: dict[str, Callable[..., int]] = {
    "read": _read,
    "branch": _branch,
    "export": _export,
    "studio": _studio,
    "continue-sweep": continue_sweep,
    "read-sweep": read_sweep,
    "plan": read_plans,
}


def call(arguments: list[str]) -> tuple[int | None, str]:
    """Call a command; return its exit code and its standard error."""
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            if arguments[0] in _FUNCTIONS:
                function, *given = arguments
                code = run_command(lambda: _FUNCTIONS[function](*given), debug=False)
                return code, errors.getvalue()
            return main(arguments), errors.getvalue()
        except SystemExit as ending:
            return (ending.code if isinstance(ending.code, int) else 1), errors.getvalue()
        except Exception:
            return None, traceback.format_exc()
