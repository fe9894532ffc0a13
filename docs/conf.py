"""How Sphinx builds the documentation site: `make docs`."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "bitfold"
author = "The bitfold developers"
copyright = "The bitfold developers"  # noqa: A001 - Sphinx reads this name
release = version = version_of("bitfold")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "house",
    "gallery_pictures",
]
exclude_patterns = [
    "_build",
    "gallery/*.py",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
    "**/README.md",
]
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
# Docstrings put names between single backticks: they are code, not references.
default_role = "code"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    # The tests run the examples; the site shows them.
    "within_subsection_order": "FileNameSortKey",
    "plot_gallery": False,
    "filename_pattern": r"/\d+_",
    "ignore_pattern": r"(digits|spelled_numbers)\.py",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "remove_config_comments": True,
    "show_signature": False,
}

html_theme = "furo"
html_title = "bitfold"
html_static_path: list[str] = []
