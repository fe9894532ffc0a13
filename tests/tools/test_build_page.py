"""Building the page, and the check that distributions carry it."""

from __future__ import annotations

import importlib.util
import io
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def tool(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a program of ``tools/``, which finds its neighbours by their names."""
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_the_names_of_the_pages_files_are_those_that_the_build_makes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each file that must be carried stands in the program that bundles the page."""
    program = (TOOLS.parent / "frontend" / "build.mjs").read_text(encoding="utf-8")
    for name in tool("build_page", monkeypatch).ASSETS:
        assert f'"{name}"' in program


def test_a_source_distribution_needs_no_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is built anew in a checkout, and taken as it is from a source distribution."""
    build_page = tool("build_page", monkeypatch)
    monkeypatch.setattr(build_page, "ROOT", tmp_path)
    monkeypatch.setattr(build_page, "PAGE", tmp_path / "page")
    (tmp_path / "page").mkdir()
    for name in build_page.ASSETS:
        (tmp_path / "page" / name).write_text("built")
    assert not build_page.is_carried()
    (tmp_path / "PKG-INFO").write_text("Name: bitfold")
    assert build_page.is_carried()
    (tmp_path / "page" / "widget.js").unlink()
    assert not build_page.is_carried()


@pytest.mark.parametrize("kind", ["whl", "tar.gz"])
@pytest.mark.parametrize("missing", [None, "widget.js", "index.html"])
def test_a_distribution_without_a_file_of_the_page_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, missing: str | None
) -> None:
    """A wheel or sdist in which a file of the page is empty or missing is named with that file."""
    check_page = tool("check_distributions", monkeypatch).check_page
    names = [name for name in tool("build_page", monkeypatch).ASSETS if name != missing]
    path = tmp_path / f"bitfold.{kind}"
    if kind == "whl":
        with zipfile.ZipFile(path, "w") as wheel:
            for name in names:
                wheel.writestr(f"bitfold/studio/page/{name}", "x")
            wheel.writestr(f"bitfold/studio/page/{missing}", "")
    else:
        with tarfile.open(path, "w:gz") as sdist:
            for name in names:
                info = tarfile.TarInfo(f"bitfold-1/src/bitfold/studio/page/{name}")
                info.size = 1
                sdist.addfile(info, io.BytesIO(b"x"))
    if missing is None:
        check_page(path)
    else:
        with pytest.raises(SystemExit, match=f"expected bitfold/studio/page/{missing}"):
            check_page(path)
