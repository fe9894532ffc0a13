"""A report as one HTML document."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version

from bitfold.cli.page.facts import Facts
from bitfold.cli.page.markup import Markup, joined, tag
from bitfold.cli.page.promise import promise
from bitfold.cli.page.sections import (
    cards,
    errors,
    frame,
    itemised,
    others,
    picture_row,
    training,
    with_title,
)
from bitfold.cli.page.style import STYLE
from bitfold.training import Config

# Nothing is fetched and nothing runs, whatever a name in a run may hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# Of a run's settings: places on the machine that made it.
_PLACES = frozenset({"output_dir", "log_file", "target", "checkpoint_dir", "snapshot_dir"})


def report_page(facts: Facts) -> str:
    """Return a run's report as HTML.

    Args:
        facts: what was measured.

    Returns:
        A document without scripts that refers to nothing outside of itself; the same for the same
        run and versions.
    """
    name = facts.run.path.name
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{name}: {facts.num_bytes:,} bytes"),
        tag("style", Markup(STYLE)),
    )
    body = tag("body", tag("main", _title(facts), *_body(facts), _footer(facts)))
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _title(facts: Facts) -> Markup:
    run, target = facts.run, facts.run.target
    task = f"{target.task} of {target.name}, {target.grid.width} x {target.grid.height}"
    frames = f" x {target.grid.num_frames}" if target.is_clip else ""
    text = f"{task}{frames} · {run.config.shape} · epoch {facts.epoch:,}"
    status = str(run.status.get("status", "unknown"))
    if status != "completed":
        text += f" · {status}"
    return tag("header", tag("h1", run.path.name), tag("p", text, class_="muted"))


def _body(facts: Facts) -> list[Markup]:
    how = facts.coded.how
    return [
        cards(facts),
        picture_row(facts),
        with_title("How well it does", errors(facts)),
        with_title("How it was trained", training(facts)),
        with_title(
            "What each byte is for",
            tag("p", f"{how[:1].upper()}{how[1:]}.", class_="note"),
            itemised(facts),
        ),
        with_title(
            "What the same weights take otherwise",
            tag("p", "Of numbers alone: this file also says how to build the network. Errors are "
                "those of what each decodes to, over the same pixels.", class_="note"),
            others(facts),
        ),
        with_title("What its size promises", promise(facts)),
        with_title("Its polytopes", frame(facts)),
        with_title("Settings", _settings(facts.run.config)),
    ]  # fmt: skip


def _settings(config: Config) -> Markup:
    """What the run has otherwise than by default."""
    usual = Config()
    names = [one.name for one in dataclasses.fields(Config) if one.name not in _PLACES]
    values = [(name, getattr(config, name)) for name in names]
    lines = [f"{n} = {value}" for n, value in values if value != getattr(usual, n)]
    return tag("section", tag("pre", "\n".join(lines) or "All as by default."), class_="card")


def _footer(facts: Facts) -> Markup:
    made = f"Made by bitfold {version('bitfold')}: "
    return tag("footer", joined(made, tag("code", f"bitfold report {facts.run.path.name}"), "."))
