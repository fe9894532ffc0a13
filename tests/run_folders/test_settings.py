"""A stranger's bad configuration is refused in one line, within little time."""

from __future__ import annotations

import time

import pytest

from tests.run_folders.stranger_runs import Call, Place

LONG = "a" * 5000
# Seconds of this process's time, as other processes may use the machine.
MOST_SECONDS = 5.0

#: A line of config.toml, and its error.
WRONG_LINES = {
    "nested": (f"shape = {'[' * 30_000}{']' * 30_000}", "it is nested too deeply"),
    "not closed": (f"shape = {'[' * 30_000}", "it is nested too deeply"),
    "too large": (f"shape = {'[' * 10**5}", "expected at most 65,536 bytes, got "),
    "dotted": (f"shape{'.a' * 30_000} = 1", "a key of many parts"),
    "many tables": ("".join(f"a{n}.b = 1\n" for n in range(5000)), "there is no setting"),
    "long number": (f"seed = {'9' * 5000}", "not TOML"),
    "large number": (f"epochs = {'9' * 400}", "--epochs: expected a number of at most"),
    "escaped NUL": (r'snapshot_dir = "a\u0000b"', "--snapshot-dir: expected a text without NUL"),
    "raw NUL": ('target = "a\0b"', "not TOML"),
    "nobody's home": ('snapshot_dir = "~nobody/x"', "repeat --snapshot-dir ~nobody/x"),
    "long name": (f"{LONG} = 1", "there is no setting of that name"),
    "long text": (f'target = "{LONG}"', "--target: expected a text without NUL, of at most 4,096"),
    "long shape": (f'shape = "[1]*{"9" * 3000}"', "shape"),
    "threads": ("threads = 1025", "--threads: expected a number of at most 1024, got 1025"),
    "pixels": ("frame_size = 100000", "--frame-size: expected a number of at most 4096"),
    "infinity": ("learning_rate = inf", "--learning-rate: expected a finite number, got inf"),
    "list": ("epochs = [1, 2]", "--epochs: expected a number, got a list"),
    "table": ("epochs = {a = 1}", "--epochs: expected a number, got an object"),
    "escapes": ('layout = "\\u001b[2J"', r"got '\x1b[2J'"),
}


@pytest.mark.parametrize("name", WRONG_LINES)
def test_a_wrong_setting_is_refused(name: str, place: Place, call: Call) -> None:
    """A wrong setting is refused in one line, quickly."""
    line, expected = WRONG_LINES[name]
    place.set(line)
    start = time.process_time()
    said = call("render", place.run)
    assert said.is_refused(), said
    assert expected in said.err
    assert time.process_time() - start < MOST_SECONDS
    assert place.is_untouched()


def test_all_commands_refuse_a_configuration(place: Place, call: Call) -> None:
    """All commands refuse with the same line, and do not read a file that is too large."""
    (place.run / "config.toml").write_bytes(b"# ")
    with (place.run / "config.toml").open("r+b") as file:
        file.truncate(2**40)
    lines = set()
    for command in ("resume", "render", "plot", "report", "audit", "replay"):
        said = call(command, place.run)
        assert said.is_refused(), (command, said)
        lines.add(said.err)
    for command, output in (("compress", "a.bitfold"), ("polytopes", "a.npz")):
        lines.add(call(command, place.run, "-o", output).err)
    assert len(lines) == 1
    assert "expected at most 65,536 bytes, got 1,099,511,627,776" in lines.pop()


def test_as_many_threads_as_allowed_are_used(place: Place, call: Call) -> None:
    """The allowed number of threads works even with fewer processors."""
    place.set("threads = 1024")
    for command in (["audit"], ["resume", "--epochs", "5"]):
        assert call(command[0], place.run, *command[1:]).code == 0


def test_a_log_on_a_full_disk_does_not_stop_training(place: Place, call: Call) -> None:
    """A log file that cannot be written does not stop training."""
    said = call("resume", place.run, "--epochs", "6", "--log-file", "/dev/full")
    assert (said.code, said.err) == (0, "")
