"""``bitfold studio``: the server's arguments, and the refusals before it starts."""

from __future__ import annotations

import queue
import socket
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Any

import pytest

import bitfold
from bitfold import studio
from bitfold.cli.main import main
from bitfold.studio.server.assets import Assets
from bitfold.training import Config
from tests.training.training_runs import tiny


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Collect the arguments of the server, and start none."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(studio, "serve", lambda folder, **given: found.update(given, at=folder))
    return found


def test_without_arguments_the_demos_ring_waits(served: dict[str, Any]) -> None:
    """Without arguments, the demo's ring waits in the folder of runs, served on this machine."""
    assert main(["studio", "--no-browser"]) == 0
    assert served["begin"]["target"] == "ring"
    assert Config(**served["begin"]).kolmogorov_quantise == "learned"
    assert (served["host"], served["port"], served["at"]) == ("127.0.0.1", 0, "runs")
    assert not served.get("is_playing")


def test_a_training_from_the_command_line_is_shown(
    served: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training from the command line plays at once, with its settings, beside the other runs."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", "ring", "--shape", "[7]*2", "--epochs", "9", "--studio"]) == 0
    config = Config(**served["begin"])
    assert (config.shape, config.epochs, served["is_playing"]) == ("[7]*2", 9, True)
    assert str(served["at"]) == "runs"


def test_another_host_is_served_with_a_warning(
    served: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Serving on another host prints a warning that explains the risk."""
    assert main(["studio", "--host", "0.0.0.0", "--no-browser"]) == 0
    assert "plain HTTP hides nothing" in capsys.readouterr().err
    assert served["host"] == "0.0.0.0"


def test_other_names_of_the_server_are_allowed_one_by_one(served: dict[str, Any]) -> None:
    """Each ``--allowed-host`` names one more host; port and folder are passed on too."""
    words = ["--allowed-host", "box.example:8000", "--allowed-host", "tunnel:443"]
    assert main(["studio", "--no-browser", "--port", "8123", "--folder", "mine", *words]) == 0
    assert served["allowed_hosts"] == ("box.example:8000", "tunnel:443")
    assert (served["port"], served["at"]) == (8123, "mine")


def test_given_runs_are_shown_and_none_is_begun(
    served: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders of runs are shown from where they lie, and no new run is begun."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        bitfold.train(tiny(tmp_path / name, epochs=1))
    assert main(["studio", "--no-browser", "one", str(tmp_path / "two")]) == 0
    assert served["runs"] == ["one", str(tmp_path / "two")]
    assert served["begin"] is None


@pytest.mark.parametrize(
    ("command", "is_opened"),
    [("firefox", True), ("/usr/bin/w3m", False), ("lynx", False), ("/opt/editor/browser.sh", True)],
)
def test_no_browser_takes_over_the_terminal(
    command: str, is_opened: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page opens in the user's browser, beside the server, unless it runs in the terminal."""
    opened: queue.Queue[tuple[str, bool]] = queue.Queue()

    class Browser(webbrowser.GenericBrowser):
        def open(self, url: str, *_: object) -> bool:
            opened.put((url, threading.current_thread() is threading.main_thread()))
            return True

    monkeypatch.setattr(studio, "serve", lambda folder, ready, **given: ready("http://a/"))
    monkeypatch.setattr(webbrowser, "get", lambda: Browser(command))
    assert main(["studio"]) == 0
    if is_opened:
        assert opened.get(timeout=60) == ("http://a/", False)
    assert opened.empty()


def test_without_a_browser_the_address_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a machine without any browser, the page's address is printed."""

    def fail() -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(studio, "serve", lambda folder, ready, **given: ready("http://a/"))
    monkeypatch.setattr(webbrowser, "get", fail)
    assert main(["studio"]) == 0
    assert capsys.readouterr().out == "http://a/\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["ring", "spiral"], "expected one target"),
        (["nowhere.png"], "nowhere.png"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    served: dict[str, Any], words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each impossible request is refused in one line."""
    assert main(["studio", *words]) == 2
    said = capsys.readouterr().err
    assert problem in said
    assert said.count("\n") == 1
    assert served == {}


def test_a_port_that_is_taken_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names a port in use and says what to do."""
    monkeypatch.setattr(Assets, "built", classmethod(lambda cls: Assets({})))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ["studio", "--port", str(port), "--folder", str(tmp_path), "--no-browser"]
        assert main(words) == 2
    assert f"Cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_without_the_page_a_line_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the built page, a line says how to build it."""
    monkeypatch.setattr("bitfold.studio.server.assets.PAGE", tmp_path)
    assert main(["studio", "--folder", str(tmp_path), "--no-browser"]) == 2
    assert "tools/build_page.py" in capsys.readouterr().err


def test_without_the_extra_a_line_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra, a line names `bitfold[studio]` as the package to install."""
    for name in [name for name in sys.modules if name.startswith("bitfold.studio.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(studio, "serve", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["studio", "--no-browser"]) == 2
    assert "Install bitfold[studio]" in capsys.readouterr().err
