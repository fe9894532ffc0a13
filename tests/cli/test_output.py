"""If standard output fails, a program prints one line at most and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-P", "-m", "bitfold", "completion", "bash"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_full_disk_is_one_line() -> None:
    """A full disk gives one line with the reason, and an exit code."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(COMMAND, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("bitfold: Cannot write: No space left on device. Make room")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    """A reader that closes the pipe, as `head` does, causes no error."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_terminal_that_was_closed_is_no_error(tmp_path: Path) -> None:
    """A program goes on after its terminal was closed, and keeps its exit code."""
    code = (
        "import os, signal, sys, time; from bitfold.cli.main import run_command\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "def say():\n"
        "    print('ready', flush=True)\n"
        "    for _ in range(6000):\n"
        "        if not os.isatty(0): break\n"
        "        time.sleep(0.01)\n"
        "    for stream in (sys.stdout, sys.stderr):\n"
        "        print('lost', file=stream, flush=True)\n"
        "    open(sys.argv[1], 'w').close()\n"
        "    return 129\n"
        "sys.exit(run_command(say, debug=False))"
    )
    here, there = os.openpty()
    command = [sys.executable, "-c", code, str(tmp_path / "done")]
    with subprocess.Popen(command, stdin=there, stdout=there, stderr=there) as process:
        os.close(there)
        assert os.read(here, 100).startswith(b"ready")
        os.close(here)
        process.wait(120)
    assert process.returncode == 129
    assert (tmp_path / "done").exists()
