"""The bound of a report, and all that it rests on, in words."""

from __future__ import annotations

import math

from bitfold.cli.page.facts import DELTA, Facts
from bitfold.cli.page.markup import Markup, tag
from bitfold.cli.page.numbers import number, percent


def promise(facts: Facts) -> Markup:
    """What follows from the size of the file for pixels that were not learned."""
    found = facts.promise
    rest = "It rests on these, the first of which is missing here:"
    numbers = [Markup()]
    if not found.covers_all:
        rest, numbers = "It holds because, and as far as:", [_numbers(facts)]
    return tag(
        "section",
        _verdict(facts),
        tag("p", "kl( r ‖ R ) ≤ ( bits · ln 2 + ln( 1 / δ ) ) / n", class_="formula"),
        *numbers,
        tag("p", rest),
        tag("ol", *(tag("li", tag("b", f"{name}. "), text) for name, text in _assumptions(facts))),
        tag("p", "Langford (2005), Occam's razor bound; Lotfi et al. (2022). As a function: "
            "bitfold.bound(bits, train_error, num_samples, delta).", class_="note"),
        class_="card",
    )  # fmt: skip


def _error_name(facts: Facts) -> str:
    if facts.picture.decoded.is_regression:
        return "mean squared error (outputs cut to 0 to 1)"
    return "share of wrong pixels"


def _value(facts: Facts, error: float) -> str:
    return number(error) if facts.picture.decoded.is_regression else percent(error)


def _verdict(facts: Facts) -> Markup:
    found, name = facts.promise, _error_name(facts)
    what = "clip" if facts.run.target.is_clip else "picture"
    if found.covers_all:
        text = (
            f"It does not apply: every pixel of the {what} was learned or kept for validation. "
            "Nothing is left that could be promised; the table of errors above is the whole truth."
        )
        return tag("p", text, class_="verdict no")
    said = (
        f"With probability {100 * (1 - DELTA):g} % over the draw of the training points, the "
        f"decoded network's {name} over the whole {what} is at most "
        f"R = {_value(facts, found.error)}."
    )
    measured = _value(facts, facts.picture.decoded.bounded_error)
    guess = _value(facts, found.guess)
    if found.is_vacuous:
        told = (
            f"That is vacuous: the best constant answer, which knows nothing, has {guess}. The "
            f"file is too long for {facts.training.num_pixels:,} points. Measured: {measured}."
        )
    else:
        told = f"The best constant answer has {guess}. Measured: {measured}."
    kind = "verdict no" if found.is_vacuous else "verdict yes"
    return tag("div", tag("p", said, class_=kind), tag("p", told))


def _numbers(facts: Facts) -> Markup:
    bits, num_points = 8 * facts.num_bytes, facts.training.num_pixels
    nats = (bits * math.log(2) - math.log(DELTA)) / num_points
    rows = (
        ("r", _error_name(facts) + " of the decoded network at the training points",
         _value(facts, facts.training.decoded.bounded_error)),
        ("bits", "of the whole file", f"{bits:,}"),
        ("n", "training points", f"{num_points:,}"),
        ("δ", "probability that it does not hold", f"{DELTA:g}"),
        ("", "the right side, in nats", number(nats)),
        ("R", "the largest for which the inequality holds", _value(facts, facts.promise.error)),
    )  # fmt: skip
    body = [
        tag("tr", tag("td", name), tag("td", text, class_="wide"), tag("td", value))
        for name, text, value in rows
    ]
    return tag("table", tag("tbody", *body))


def _assumptions(facts: Facts) -> list[tuple[str, str]]:
    what = "clip" if facts.run.target.is_clip else "picture"
    usable = facts.run.target.num_usable
    samples = (
        f"The n points were drawn at random from the {usable:,} usable pixels, none twice, which "
        "can only help (Hoeffding 1963, section 6). These pixels are a fixed grid and no "
        f"independent samples of a wider world: R is about the pixels of this {what} alone, where "
        "the error can simply be measured. It says nothing about another one."
    )
    if facts.promise.covers_all:
        samples = (
            "Errors are those of points drawn at random from what R is about. Here all of the "
            f"{usable:,} usable pixels were looked at, a fixed grid and no independent samples of "
            "a wider world."
        )
    return [
        ("Samples", samples),
        (
            "Bits",
            "Everything that a decoder needs is paid for: header, architecture, predictor, steps, "
            "weights, checksum. The format with its families of predictors and its tables was "
            "fixed before the data was seen; which of them is taken, and each grid's step, stands "
            "in the file.",
        ),
        (
            "One code",
            "Of all files of one length at most one in 2^54 is valid, as magic bytes and checksum "
            "are given. So 2^-bits adds up to at most 1 over files of all lengths, without paying "
            "for the length.",
        ),
        (
            "Decoded",
            "r and R are errors of the network that the file decodes to, not of the one in "
            "float32, and r is measured at the training points as they are.",
        ),
        (
            "Search",
            "However the file was come by (lambda, seeds, epochs, which code) costs nothing more: "
            "the bound holds of all files at once. Only a choice among k decoders by these very "
            "points would add ln k to the bound's nats.",
        ),
    ]
