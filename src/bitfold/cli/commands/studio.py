"""``bitfold studio [TARGET | RUN ...]``."""

from __future__ import annotations

import argparse
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitfold import experiments, targets, training
from bitfold.errors import StudioError
from bitfold.studio.hosts import LOCAL_HOSTS

if TYPE_CHECKING:
    from bitfold.training import Config

# Browsers that `webbrowser` finds where there is no display, and that take over the terminal.
_TERMINAL_BROWSERS = {"www-browser", "links", "elinks", "lynx", "w3m"}


def add_to(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "studio",
        help="watch and touch training on a live page",
        description="Serve a page on which one watches polytopes while a network trains, pauses, "
        "steps, paints the target, changes settings, rewinds and branches. Without arguments: the "
        "built-in ring, paused at epoch 0. Everything is saved when it is interrupted.",
    )
    parser.add_argument(
        "what",
        metavar="TARGET | RUN",
        nargs="*",
        help="a picture, clip or built-in picture to learn, or folders of runs to show",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on; 0, the default: a free one"
    )
    parser.add_argument(
        "--allowed-host",
        metavar="NAME:PORT",
        action="append",
        default=[],
        help="another name by which browsers reach the page, such as that of a tunnel (repeatable)",
    )
    parser.add_argument(
        "--folder", metavar="FOLDER", default="runs", help="folder of the runs (%(default)s)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    parser.add_argument("--debug", action="store_true", help="show a traceback on errors")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    if arguments.host not in LOCAL_HOSTS:
        sys.stderr.write(
            f"Listening on {arguments.host}: everybody who can reach it sees what this page "
            "sends, and plain HTTP hides nothing. Prefer a tunnel to 127.0.0.1.\n"
        )
    runs, target = _sorted(arguments.what)
    given = {
        "runs": runs,
        "begin": None if runs else _first_settings(target),
        "host": arguments.host,
        "port": arguments.port,
        "allowed_hosts": tuple(arguments.allowed_host),
    }
    return _serve(arguments.folder, is_shown=not arguments.no_browser, **given)


def show_training(config: Config) -> int:
    """Serve a page on which a new run trains; its folder is named like those of `bitfold train`."""
    settings = {name: getattr(config, name) for name, _, _ in training.settings_of(type(config))}
    folder = Path(settings.pop("output_dir") or "runs/run").parent
    return _serve(folder, is_shown=True, begin=settings, is_playing=True)


def _serve(folder: str | Path, *, is_shown: bool, **given: Any) -> int:
    try:
        from bitfold.studio import serve  # noqa: PLC0415 - belongs to an extra
    except ImportError as error:
        raise StudioError(
            f"Cannot start the studio: {error.name} is not installed. Install bitfold[studio]."
        ) from None

    def ready(url: str) -> None:
        print(url, flush=True)
        if is_shown:
            _open_browser(url)

    serve(folder, ready=ready, **given)
    return 0


def _open_browser(url: str) -> None:
    """Open a page in the user's browser, unless the only one would take over the terminal.

    The server goes on meanwhile: some browsers are waited for until they have shown the page.
    """
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if browser.basename not in _TERMINAL_BROWSERS:
        threading.Thread(target=browser.open, args=(url,), daemon=True).start()


def _first_settings(target: str | None) -> dict[str, Any]:
    """Return the settings of the run that the studio begins with: the demo's, or the picture's."""
    if target is None:
        return dict(experiments.DEMO)
    loaded = targets.load_target(target)
    suited = experiments.picture_settings(loaded, given=["epochs"])
    if suited.values:
        print(suited, flush=True)
    return {"target": target, **suited.values}


def _sorted(what: list[str]) -> tuple[list[str], str | None]:
    """Return the folders of runs among the arguments, and the target if there is one."""
    runs = [one for one in what if (Path(one) / "config.toml").is_file()]
    targets = [one for one in what if one not in runs]
    if len(targets) > 1 or (targets and runs):
        raise StudioError(
            f"Cannot start the studio: expected one target, or folders of runs, got {what}."
        )
    for one in runs:
        training.load_run(one)  # refuses what is no run before anything is served
    return runs, targets[0] if targets else None
