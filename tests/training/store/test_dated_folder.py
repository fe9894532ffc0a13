"""New folders by date and time, each claimed by one process."""

from __future__ import annotations

import datetime as real
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

import bitfold
from bitfold.cli.main import main
from bitfold.errors import BitfoldError, RunError
from bitfold.experiments import frontier
from bitfold.training import Config, claimed_folder, dated_folder
from tests.training.training_runs import tiny

STAMP = "2030-01-02-030405"


class FrozenClock:
    """Stands for the module ``datetime``, stopped at one moment."""

    class datetime:  # noqa: N801 - as the module has it
        """Return the stopped clock."""

        @staticmethod
        def now() -> real.datetime:
            """Return that moment."""
            return real.datetime(2030, 1, 2, 3, 4, 5)


@pytest.fixture(autouse=True)
def stopped_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock, so that all runs begin in the same second, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bitfold.training.store.dated_folder.datetime", FrozenClock)


def test_a_folder_is_named_by_date_and_target(tmp_path: Path) -> None:
    """A folder has the date and the target as its name; a taken name gets a number."""
    with claimed_folder(tmp_path / "runs", "a/b c.png") as path:
        assert path == tmp_path / "runs" / f"{STAMP}-b-c"
        assert path.is_dir()
        with claimed_folder(tmp_path / "runs", "a/b c.png") as second:
            assert second.name == f"{STAMP}-b-c-2"


def test_no_two_claims_get_the_same_folder(tmp_path: Path) -> None:
    """Eight threads claim forty different folders in the same second."""
    with ExitStack() as kept, ThreadPoolExecutor(8) as threads:
        claims = [claimed_folder(tmp_path / "runs", "ring") for _ in range(40)]
        paths = list(threads.map(kept.enter_context, claims))
        assert len(set(paths)) == 40
        assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(
            path.name for path in paths
        )


def test_a_folder_that_stays_empty_is_removed(tmp_path: Path) -> None:
    """An empty folder and a parent made for it are removed; a folder with a file stays."""
    with claimed_folder(tmp_path / "runs", "ring"):
        pass
    assert not (tmp_path / "runs").exists()
    (tmp_path / "runs").mkdir()
    with claimed_folder(tmp_path / "runs", "ring"):
        pass
    assert (tmp_path / "runs").is_dir()
    with claimed_folder(tmp_path / "runs", "ring") as path:
        (path / "file").touch()
    assert path.is_dir()


def test_a_folder_that_cannot_be_made_gets_one_line(tmp_path: Path) -> None:
    """If the parent is a file, the error is one line."""
    (tmp_path / "runs").touch()
    with pytest.raises(RunError, match=r"Cannot make a folder in .*runs: File exists"):
        bitfold.train(tiny(tmp_path).replace(output_dir=None))


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    """Two runs of the same second train in two folders without a given name."""
    runs: list[Path] = []

    def begin_another(event: object) -> None:
        if len(runs) == 0:
            runs.append(Path())
            runs[0] = bitfold.train(config).path

    config = tiny(tmp_path).replace(output_dir=None, epochs=1)
    first = bitfold.train(config, [begin_another])
    assert first.path == tmp_path / "runs" / f"{STAMP}-ring"
    assert runs == [tmp_path / "runs" / f"{STAMP}-ring-2"]


def _train() -> object:
    return bitfold.train(Config(target="nothing-here.png"))


def _demo() -> object:
    return main(["demo", "--seed", "-1"])


def _frontier() -> object:
    return frontier(Config(target="nothing-here.png"), [0.1])


@pytest.mark.parametrize("begin", [_train, _demo, _frontier])
def test_bad_input_leaves_no_dated_folder(tmp_path: Path, begin: Callable[[], object]) -> None:
    """After bad input, a dated folder is removed again."""
    try:
        assert begin() == 2
    except BitfoldError as error:
        assert "\n" not in str(error)
    assert list(tmp_path.iterdir()) == []


def test_the_former_function_warns(tmp_path: Path) -> None:
    """The former function warns and names its replacement."""
    with pytest.warns(DeprecationWarning, match="claimed_folder"):
        assert dated_folder(tmp_path, "a/b c.png").name == f"{STAMP}-b-c"
