"""A page can choose no files, neither by settings nor by a target's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitfold.errors import StudioError
from bitfold.studio.hub.permissions import permitted_settings, permitted_target
from bitfold.training import Config, settings_of


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder with one dropped picture, and a file beside the folder."""
    folder = tmp_path / ".pictures"
    folder.mkdir()
    (folder / "cat.png").write_bytes(b"")
    (tmp_path / "secret.png").write_bytes(b"")
    return folder


@pytest.mark.parametrize("name", ["output_dir", "checkpoint_dir", "snapshot_dir", "log_file"])
def test_settings_that_name_files_are_refused(name: str, pictures: Path) -> None:
    """A setting that names a file is refused, for any value."""
    with pytest.raises(StudioError, match=f"Cannot set {name} from a page"):
        permitted_settings({"learning_rate": 0.1, name: "inside"}, pictures)


def test_every_setting_of_a_path_is_known() -> None:
    """Every setting whose help mentions a folder or file is on this test's list."""
    paths = {
        name
        for name, _, setting in settings_of(Config)
        if setting.kind == "str"
        and not setting.choices
        and any(word in setting.help for word in ("folder", "file", "path"))
    }
    assert paths == {"target", "output_dir", "checkpoint_dir", "snapshot_dir", "log_file"}


def test_targets_are_built_in_or_dropped(pictures: Path) -> None:
    """A target is built in, or a dropped picture found by its name."""
    assert permitted_settings({"target": "ring", "seed": 1}, pictures) == {
        "target": "ring",
        "seed": 1,
    }
    assert permitted_target("text:bit", pictures) == "text:bit"
    assert permitted_target("cat.png", pictures) == str(pictures / "cat.png")


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "secret.png", "", ".", "..", None, ["ring"], "cat"]
)
def test_no_name_leads_to_another_file(name: object, pictures: Path) -> None:
    """Names are compared and never joined to a path."""
    with pytest.raises(StudioError, match="Cannot learn"):
        permitted_target(name, pictures)


@pytest.mark.parametrize("name", ["bogus", "self", "path"])
def test_a_setting_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    """A name of no setting is refused in one line, before a trainer sees it."""
    with pytest.raises(StudioError, match=f"Cannot set .*{name}.*: there is no setting of that"):
        permitted_settings({name: 1}, tmp_path)
