"""The program ``draw-poly-while-training``: a grey picture, by regression."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bitfold.cli.programs import draw_poly


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return draw_poly.main(
        "draw-poly-while-training",
        "Train a network on a grey picture and draw its polytopes while it trains.",
        own_settings=["smoothing_sigma"],
        fixed={"task": "regression"},
        arguments=arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
