"""The parts of a report: what was measured, in words, tables and bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bitfold.cli.page.facts import Comparison, Facts
from bitfold.cli.page.figures import curve, image, last_frame, pictures
from bitfold.cli.page.markup import Markup, joined, tag
from bitfold.cli.page.numbers import decibels, number, percent
from bitfold.cli.quality import Quality
from bitfold.model_file import FileItem


def cards(facts: Facts) -> Markup:
    """The few numbers that one wants first."""
    plain = 4 * facts.num_weights
    decoded, itself = facts.picture.decoded, facts.picture.itself
    kept = (
        (decibels(decoded), f"PSNR of what is decoded; {decibels(itself)} of the network")
        if decoded.is_regression
        else (percent(decoded.error), f"of pixels wrong as decoded; {percent(itself.error)} before")
    )
    found = (
        (f"{facts.num_bytes:,} bytes", "the whole .bitfold file"),
        (f"{plain / facts.num_bytes:.1f} times",
         f"smaller than float32, which takes {plain:,} bytes"),
        kept,
        (f"{8 * facts.num_bytes / facts.num_weights:.2f} bits",
         f"for each of {facts.num_weights:,} weights and biases, all included"),
    )  # fmt: skip
    return tag(
        "div", *(tag("div", tag("b", big), tag("span", small)) for big, small in found),
        class_="cards",
    )  # fmt: skip


def picture_row(facts: Facts) -> Markup:
    """The target, the network and what its file decodes to, side by side."""
    what = "The middle of the clip" if facts.run.target.is_clip else "The picture"
    captions = (
        f"{what}",
        f"The network: {4 * facts.num_weights:,} bytes in float32",
        f"Decoded from the file: {facts.num_bytes:,} bytes",
    )
    shown = zip(pictures(facts), captions, strict=True)
    return tag(
        "div",
        *(tag("figure", image(one, text), tag("figcaption", text)) for one, text in shown),
        class_="pictures",
    )


def errors(facts: Facts) -> Markup:
    """Task loss and quality of the decoded network beside the network's own."""
    is_regression = facts.picture.decoded.is_regression
    off = "wrong side of 1/2" if facts.run.target.is_two_valued else "off by more than a tenth"
    loss = "mean squared error" if is_regression else "cross-entropy, nats"
    head = ["at", "pixels", f"{loss}, network", "decoded"]
    if is_regression:
        head += ["PSNR, network", "decoded"]
    head += [f"{off if is_regression else 'wrong class'}, network", "decoded"]
    rows = [_quality_row(one) for one in (facts.picture, facts.training, facts.validation)]
    return tag("section", table(head, rows), class_="card")


def _quality_row(found: Comparison) -> list[str]:
    pair = (found.itself, found.decoded)
    cells = [found.where, f"{found.num_pixels:,}", *(number(one.task_loss) for one in pair)]
    if found.decoded.is_regression:
        cells += [decibels(one) for one in pair]
    return [*cells, *(percent(one.share_off) for one in pair)]


def training(facts: Facts) -> Markup:
    """Task loss, K and combined over the epochs."""
    drawn = curve(facts.run)
    if drawn is None:
        return tag("p", "The run has not finished an epoch yet.", class_="muted")
    return tag("section", drawn, class_="card")


def itemised(facts: Facts) -> Markup:
    """What each byte of the file is for, as a bar and as a table."""
    groups = _groups(facts.info.items)
    total = sum(bits for _, bits in groups)
    stack = tag(
        "div",
        *(
            tag("i", class_=f"c{place}", style=f"width:{100 * bits / total:.2f}%",
                title=f"{name}: {bits / 8:,.1f} bytes")
            for place, (name, bits) in enumerate(groups)
        ),
        class_="stack",
    )  # fmt: skip
    key = tag(
        "ul",
        *(
            tag("li", tag("i", class_=f"c{place}"),
                f"{name}: {bits / 8:,.0f} bytes, {percent(bits / total)}")
            for place, (name, bits) in enumerate(groups)
        ),
        class_="key",
    )  # fmt: skip
    head = ("", "bytes", "numbers", "bits each", "zeros", "dead outputs", "step", "coded as")
    items = [*facts.info.items, _total(facts)]
    rows = [_item_row(item) for item in items]
    kinds = [""] * (len(rows) - 1) + ["total"]
    return tag("section", stack, key, table(head, rows, kinds), class_="card")


def _groups(items: Sequence[FileItem]) -> list[tuple[str, float]]:
    """Bits of weights, biases, predictor, steps and of all the rest; none of which are 0."""
    found = dict.fromkeys(("weights", "biases", "predictor", "steps", "header and structure"), 0.0)
    *_, rest = found
    for item in items:
        name = "weights" if item.name.endswith("weight") else "biases"
        if not item.num_numbers:
            name = item.name if item.name in found else rest
        found[name] += item.bits
    return [(name, bits) for name, bits in found.items() if bits > 0]


def _total(facts: Facts) -> FileItem:
    items = facts.info.items
    return FileItem(
        "total",
        8.0 * facts.num_bytes,
        facts.info.num_numbers,
        num_zeros=sum(item.num_zeros for item in items),
        num_dead=sum(item.num_dead for item in items),
    )


def _item_row(item: FileItem) -> list[str]:
    cells = [item.name, f"{item.bits / 8:,.1f}"]
    if not item.num_numbers:
        return [*cells, "", "", "", "", "", ""]
    step = f"{item.step:.4g}" if item.step else ""
    each = f"{item.bits / item.num_numbers:.3f}"
    counts = (item.num_numbers, item.num_zeros, item.num_dead)
    numbers, zeros, dead = (f"{count:,}" for count in counts)
    return [*cells, numbers, each, zeros, dead, step, item.method]


def others(facts: Facts) -> Markup:
    """What usual means take of the same weights, each with what it decodes to."""
    head = ("", "bytes", "", "of this file", *_quality_head(facts.picture.decoded), "")
    longest = max(row.num_bytes for row, _ in facts.rows)
    rows = [_other_row("this file", facts.num_bytes, facts, facts.picture.decoded, longest)]
    notes = [""]
    for row, quality in facts.rows:
        rows.append(_other_row(row.name, row.num_bytes, facts, quality, longest))
        notes.append(row.note)
    body = [
        tag("tr", *cells, tag("td", note, class_="wide"), class_="own" if place == 0 else "")
        for place, (cells, note) in enumerate(zip(rows, notes, strict=True))
    ]
    return tag("section", tag("table", _head(head), tag("tbody", *body)), class_="card")


def _quality_head(quality: Quality) -> tuple[str, str]:
    if quality.is_regression:
        return "mean squared error", "PSNR"
    return "cross-entropy, nats", "wrong class"


def _other_row(
    name: str, num_bytes: int, facts: Facts, quality: Quality, longest: int
) -> list[Markup]:
    last = decibels(quality) if quality.is_regression else percent(quality.error)
    width = 100 * num_bytes / max(1, longest, facts.num_bytes)
    bar = tag("td", tag("i", style=f"width:{width:.2f}%"), class_="bar")
    texts = (f"{num_bytes / facts.num_bytes:.2f} x", number(quality.task_loss), last)
    return [tag("td", name), tag("td", f"{num_bytes:,}"), bar, *(tag("td", one) for one in texts)]


def frame(facts: Facts) -> Markup:
    """The polytopes of the newest network."""
    drawn = image(last_frame(facts), f"polytopes of the network at epoch {facts.epoch:,}")
    return tag("section", drawn, class_="card")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kinds: Sequence[str] = ()) -> Markup:
    """A table; numbers to the right, the first column and words to the left."""
    body = [
        tag("tr", *(tag("td", cell, **_side(place, head)) for place, cell in enumerate(row)),
            class_=kinds[number] if kinds else "")
        for number, row in enumerate(rows)
    ]  # fmt: skip
    return tag("table", _head(head), tag("tbody", *body))


def _head(head: Sequence[str]) -> Markup:
    cells = [tag("th", one, scope="col", **_side(place, head)) for place, one in enumerate(head)]
    return tag("thead", tag("tr", *cells))


def _side(place: int, head: Sequence[str]) -> dict[str, str]:
    return {"class_": "text"} if head[place] == "coded as" else {}


def with_title(title: str, *parts: str) -> Markup:
    """Parts below a heading."""
    return joined(tag("h2", title), *parts)
