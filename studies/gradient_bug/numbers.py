"""The numbers in docs/gradient-bug.md, written there by the command that measured them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.pages import replace_block


def quote_numbers(results: Mapping[str, Any], page: Path) -> None:
    """Replace the two tables of the page with those of new results.

    Args:
        results: as `studies.gradient_bug.study` writes them to JSON.
        page: Markdown that holds ``<!-- runs -->``, ``<!-- end of runs -->`` and the same for
            ``slopes``, each on a line of its own.
    """
    replace_block(page, "runs", runs_table(results["runs"]))
    replace_block(page, "slopes", slopes_table(results["slopes"]))


def runs_table(stories: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a table with one row for each run."""
    lines = [
        "| bins | seed | largest rise of combined | K before and after it | combined at the end "
        "| task at the end | K at the end | norm of K's gradient in the network |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, found in stories.items():
        lines += [_run_row(kind, seed, story) for seed, story in enumerate(found)]
    return "\n".join(lines) + "\n"


def _run_row(kind: str, seed: int, story: Mapping[str, Any]) -> str:
    before, after = story["before_largest_rise"], story["after_largest_rise"]
    end, norms = story["end"], story["gradient_norm_of_k_to_network"]
    rise = (
        f"{story['largest_rise']:.4f}: {before['combined_loss']:.4f} at {before['epoch']:,}, "
        f"{after['combined_loss']:.4f} at {after['epoch']:,}"
    )
    norm = (
        "exactly 0" if norms["largest"] == 0 else f"{norms['smallest']:g} to {norms['largest']:g}"
    )
    cells = (
        kind,
        seed,
        rise,
        f"{before['kolmogorov_loss']:.3f}, {after['kolmogorov_loss']:.3f}",
        f"{end['combined_loss']:.4f}",
        f"{end['task_loss']:.4f}",
        f"{end['kolmogorov_loss']:.3f}",
        norm,
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def slopes_table(slopes: Sequence[Mapping[str, float]]) -> str:
    """Return a table with one row for each temperature."""
    lines = [
        "| T | weights under 1 % of the true slope | under 10 % | median | largest |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in slopes:
        cells = (
            f"{row['temperature']:g}",
            f"{row['share_under_1_percent']:.1%}",
            f"{row['share_under_10_percent']:.1%}",
            f"{row['median']:.2g}",
            f"{row['largest']:.3g}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
