"""Names of runs from pages, and the folders that they may name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub.runs_folder import RunsFolder


@pytest.fixture
def runs(tmp_path: Path) -> RunsFolder:
    """Return a folder with one run, and another run beside the folder."""
    for name in ("runs/ring", "beside"):
        path = tmp_path / name
        path.mkdir(parents=True)
        (path / "config.toml").write_text('target = "ring"\n')
    return RunsFolder(tmp_path / "runs")


def test_a_run_is_found_by_its_name(runs: RunsFolder) -> None:
    """A run is listed and is found by its name."""
    assert runs.names() == ["ring"]
    assert runs.path("ring") == runs.folder / "ring"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../beside", "ring/", "ring/../../beside", "/etc", "RING\0", ".trash"]
)
def test_no_name_leads_out_of_the_folder(runs: RunsFolder, name: str) -> None:
    """Names are compared with those of runs and never joined to a path."""
    with pytest.raises(StudioError, match="there is none of this name"):
        runs.path(name)


def test_a_link_is_no_run(runs: RunsFolder, tmp_path: Path) -> None:
    """A link, which may lead anywhere, is no run."""
    (runs.folder / "linked").symlink_to(tmp_path / "beside")
    assert runs.names() == ["ring"]
    with pytest.raises(StudioError, match="there is none"):
        runs.path("linked")


def test_a_run_that_the_user_named_may_lie_elsewhere(runs: RunsFolder, tmp_path: Path) -> None:
    """A run outside the folder, named by the user, is shown by its own name."""
    shown = RunsFolder(runs.folder, [tmp_path / "beside"])
    assert sorted(shown.names()) == ["beside", "ring"]
    assert shown.path("beside") == tmp_path / "beside"
    with pytest.raises(StudioError, match="got one elsewhere"):
        shown.discard("beside")
    assert (tmp_path / "beside").is_dir()


def test_runs_elsewhere_that_share_a_name_are_numbered(runs: RunsFolder, tmp_path: Path) -> None:
    """Two named runs whose folders have one name, or ``.`` for one, are both shown."""
    places = [tmp_path / "beside", tmp_path / "a" / "beside", tmp_path / "b" / "beside"]
    shown = RunsFolder(runs.folder, places)
    assert [shown.path(name) for name in ("beside", "beside-2", "beside-3")] == places


def test_new_runs_get_folders_of_their_own(runs: RunsFolder) -> None:
    """New runs get folders of their own, numbered from the second on."""
    assert [runs.claim("ring").name, runs.claim("ring").name] == ["ring-2", "ring-3"]


def test_a_deleted_run_lies_in_the_trash(runs: RunsFolder) -> None:
    """Deleted runs, even two of one name, are in the trash and no longer listed."""
    first = runs.discard("ring")
    assert (first / "config.toml").is_file()
    again = runs.claim("ring")
    (again / "config.toml").write_text("")
    second = runs.discard("ring")
    assert [first.name, second.name] == ["ring", "ring-2"]
    assert runs.names() == []


def test_a_named_run_inside_the_folder_is_one_of_the_folders_own(runs: RunsFolder) -> None:
    """A run that the user names by its path in the folder may be deleted like the others."""
    shown = RunsFolder(runs.folder, [runs.folder / "ring"])
    assert shown.names() == ["ring"]
    assert shown.discard("ring") == runs.folder / ".trash" / "ring"


def test_a_named_run_elsewhere_hides_none_of_the_folder(runs: RunsFolder, tmp_path: Path) -> None:
    """A run elsewhere with a name of the folder is numbered, and no new run takes its name."""
    place = tmp_path / "elsewhere" / "ring"
    shown = RunsFolder(runs.folder, [place, tmp_path / "beside"])
    assert (shown.path("ring"), shown.path("ring-2")) == (runs.folder / "ring", place)
    assert [shown.claim(name).name for name in ("ring", "beside")] == ["ring-3", "beside-2"]


def test_a_run_that_the_user_named_is_shown_first(runs: RunsFolder, tmp_path: Path) -> None:
    """The page opens the first run that was named; without any the newest one."""
    os.utime(tmp_path / "beside", (1, 1))
    assert RunsFolder(runs.folder, [tmp_path / "beside"]).first() == "beside"
    assert runs.first() == "ring"
    assert RunsFolder(tmp_path / "empty").first() == ""
