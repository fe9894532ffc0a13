"""Versions of installed packages."""

from importlib.metadata import version

from bitfold.runtime.installed_version import installed_version


def test_a_package_without_metadata_has_an_unknown_version() -> None:
    """A version is that of the metadata; a package that was copied without them has none."""
    assert installed_version("numpy") == version("numpy")
    assert installed_version("made-up-package") == "unknown"
