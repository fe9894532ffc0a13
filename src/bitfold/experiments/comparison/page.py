"""A comparison as one HTML page: all text is escaped, and one script that is named by its hash."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bitfold.errors import RenderError
from bitfold.experiments.comparison.curves import curves_of, rounded
from bitfold.experiments.comparison.entries import Entry, gather_entries
from bitfold.experiments.comparison.paired import CONFIDENCE, paired_differences
from bitfold.experiments.comparison.thumbnails import thumbnails
from bitfold.experiments.sweeps.record import NAME as RECORD
from bitfold.runtime.atomic_files import write_atomically
from bitfold.runtime.display.html_tables import html_facts, visible
from bitfold.runtime.installed_version import installed_version

_TEMPLATES = Path(__file__).parent / "templates"
_REPORT_TEMPLATES = Path(__file__).parents[1] / "reports" / "templates"
_SCRIPTS: Final = ("data.js", "charts.js", "main.js")
PAGE: Final = "compare.html"
# Ratios nearer to 1 are shown with more digits, up to so many.
_NEAR, _MOST_DECIMALS = 0.01, 6


@dataclass(frozen=True)
class RunComparison:
    """A comparison that was written.

    Args:
        path: the HTML file.
        num_runs: that it shows.
    """

    path: Path
    num_runs: int

    def _repr_html_(self) -> str:
        return html_facts("Comparison", {"page": self.path, "runs": self.num_runs})


def compare_runs(paths: Sequence[str | Path], output: str | Path | None = None) -> RunComparison:
    """Write one HTML page that compares the members of sweeps, and runs.

    Args:
        paths: folders of sweeps and of runs.
        output: the file to write; by default ``compare.html`` in the folder of the only sweep, or
            in the current folder.

    Raises:
        ConfigError: there is nothing to compare.
        RunError: a folder holds neither run nor sweep.
        RenderError: the page cannot be written.
    """
    entries = gather_entries(paths)
    is_sweep = len(paths) == 1 and (Path(paths[0]) / RECORD).exists()
    place = Path(output) if output is not None else Path(paths[0] if is_sweep else ".") / PAGE
    title = " and ".join(Path(one).resolve().name for one in list(paths)[:3])
    page = comparison_page(entries, title)
    try:
        write_atomically(place, page.encode())
    except OSError as error:
        raise RenderError(
            f"Cannot write {place}: {error.strerror}. Free some space, or choose another path."
        ) from None
    return RunComparison(place, len(entries))


def comparison_page(entries: Sequence[Entry], title: str) -> str:
    """Return the comparison as HTML.

    Returns:
        A document that refers to nothing outside itself. Its policy lets a browser run the one
        script that was written here, and no other.
    """
    script = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
        f"'{_hash_of(script)}'; base-uri 'none'; form-action 'none'"
    )
    environment = Environment(
        loader=FileSystemLoader([_TEMPLATES, _REPORT_TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("compare.html").render(
        policy=policy,
        title=title,
        num_runs=f"{len(entries):,}",
        data=Markup(_as_script(_content(entries))),
        script=Markup(script),
        differences=[_row(one) for one in paired_differences(entries)],
        confidence=f"{100 * CONFIDENCE:.0f} %",
        version=installed_version("bitfold"),
    )


def _content(entries: Sequence[Entry]) -> dict[str, Any]:
    """What the script shows."""
    epochs, curves = curves_of(entries)
    names = list(entries[0].settings) if entries else []
    runs = [
        {
            "name": visible(entry.name),
            "status": visible(entry.end.status),
            "reason": visible(entry.end.reason),
            "settings": [_setting(entry.settings[name]) for name in names],
            "numbers": _numbers(entry),
            "curves": some,
            "frame": frame,
        }
        for entry, some, frame in zip(entries, curves, thumbnails(entries), strict=True)
    ]
    return {"settings": names, "epochs": epochs, "runs": runs}


def _numbers(entry: Entry) -> dict[str, float | None]:
    end = entry.end
    found: dict[str, float | None] = {
        "bytes": end.num_bytes,
        "error": rounded(end.error),
        "PSNR, dB": rounded(end.psnr_db),
        "best validation loss": rounded(end.best.get("validation_loss")),
        "best epoch": end.best.get("epoch"),
        "last task loss": rounded(end.last.get("task_loss")),
        "last K": rounded(end.last.get("kolmogorov_loss")),
        "polytopes": end.last.get("num_polytopes"),
        "epochs": end.epochs,
        "seconds": rounded(end.seconds),
    }
    return {name: value for name, value in found.items() if value is not None}


def _setting(value: Any) -> str | float | bool | None:
    if isinstance(value, list):
        return "+".join(map(str, value)) or "none"
    return visible(value) if isinstance(value, str) else value


def _row(one: Any) -> dict[str, Any]:
    form = _ratio if one.quantity.is_ratio else "{:+.3g}".format
    interval = "one seed: no interval"
    if one.low is not None:
        interval = f"{form(one.low)} to {form(one.high)}"
    return {
        "setting": one.setting,
        "before": _named(one.before),
        "after": _named(one.after),
        "quantity": one.quantity.label,
        "centre": form(one.centre),
        "interval": interval,
        "is_clear": one.is_clear,
        "seeds": one.num_seeds,
        "larger": f"{one.num_larger} of {one.num_pairs}",
    }


def _ratio(value: float) -> str:
    """Show a ratio with three digits, and near 1 with two digits of its distance from 1.

    >>> [_ratio(value) for value in (2.0249, 1.0, 0.9962, 1.00031, 1 + 1e-9)]
    ['2.02 x', '1 x', '0.9962 x', '1.00031 x', '1.000000 x']
    """
    distance = abs(value - 1)
    if distance == 0 or distance > _NEAR:
        return f"{value:.3g} x"
    digits = min(1 - math.floor(math.log10(distance)), _MOST_DECIMALS)
    return f"{value:.{digits}f} x"


def _named(value: Any) -> str:
    """A setting's value in a table."""
    if value is None:
        return "default"
    return f"{value:.6g}" if isinstance(value, float) else str(_setting(value))


def _as_script(content: dict[str, Any]) -> str:
    """JSON that no text in it can end: it stands within a script element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shown(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash_of(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
