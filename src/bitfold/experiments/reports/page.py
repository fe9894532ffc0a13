"""A report as one HTML document, made from a template in which all text is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bitfold.errors import RenderError, RunError
from bitfold.experiments.coded_run import CodedRun
from bitfold.experiments.reports import formats
from bitfold.experiments.reports.facts import DELTA, Facts, gather_facts
from bitfold.experiments.reports.figures import curve, image, last_frame, pictures
from bitfold.experiments.reports.measured import measured
from bitfold.experiments.reports.sections import (
    bound_nats,
    byte_groups,
    changed_settings,
    subtitle,
    total,
)
from bitfold.experiments.run_coding import code_run, read_coded_run
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.decibels import psnr_text
from bitfold.runtime.display.html_tables import html_facts, visible
from bitfold.runtime.installed_version import installed_version
from bitfold.training import Run

_TEMPLATES = Path(__file__).parent / "templates"
#: A browser then fetches nothing and runs nothing, even if text were not escaped.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, eq=False)
class Report:
    """A report that was written.

    Args:
        path: the HTML file.
        coded: the model file that it is about.
    """

    path: Path
    coded: CodedRun

    def _repr_html_(self) -> str:
        size = f"{len(self.coded.data):,} bytes"
        return html_facts("Report", {"page": self.path, "model file": size})


def write_report(
    run: Run, path: str | Path | None = None, *, model: str | Path | None = None
) -> Report:
    """Write the report of a run: sizes, errors, training, bound and polytopes on one HTML page.

    Args:
        run: a run that has kept weights.
        path: the file to write; by default ``report.html`` in the run's folder.
        model: a model file of the run's newest network; by default `bitfold.experiments.code_run`
            codes it.

    Returns:
        Where the page lies, and the model file that it is about.

    Raises:
        RunError: the run has kept no weights.
        ModelFileError: ``model`` is damaged, or holds a network of another architecture.
        RenderError: the page cannot be written.
    """
    if not run.epochs():
        raise RunError(
            f"Cannot report on {run.path}: expected a run that has kept weights, got one without "
            "checkpoints or frames. Train it first."
        )
    coded = code_run(run) if model is None else read_coded_run(run, Path(model))
    page = report_page(gather_facts(run, coded))
    output = run.path / "report.html" if path is None else Path(path)
    try:
        write_atomically(output, page.encode())
    except OSError as error:
        raise RenderError(
            f"Cannot write {output}: {error.strerror}. Free some space, or choose another path."
        ) from None
    return Report(output, coded)


def report_page(facts: Facts) -> str:
    """Return the report of a run as HTML.

    Returns:
        A document without scripts that refers to nothing outside itself. The same run and the same
        versions give the same document.
    """
    return environment().get_template("page.html").render(_values(facts))


def environment() -> Environment:
    """An environment that escapes all text and refuses names that are not defined."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for item in (
        formats.count, formats.number, formats.percent, formats.width, formats.decibels,
        psnr_text,
    ):  # fmt: skip
        environment.filters[item.__name__] = item
    return environment


def _shown(value: object) -> object:
    """Return a value as the page shows it: a run's name may hold control characters."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _values(facts: Facts) -> dict[str, Any]:
    """The values that the template takes."""
    return {
        "facts": facts,
        "policy": POLICY,
        "name": facts.run.path.name,
        "subtitle": subtitle(facts),
        "noun": "clip" if facts.run.target.is_clip else "picture",
        "regression": facts.picture.decoded.is_regression,
        "pictures": [image(picture) for picture in pictures(facts)],
        "curve": curve(facts.run),
        "frame": image(last_frame(facts)),
        "measured": measured(facts),
        "groups": byte_groups(facts.info.items),
        "total": total(facts),
        "nats": bound_nats(facts),
        "delta": DELTA,
        "settings": changed_settings(facts.run.config),
        "version": installed_version("bitfold"),
    }
