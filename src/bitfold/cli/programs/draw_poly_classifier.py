"""The program ``draw-poly-classifier``: a red, green and blue picture, by classification."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bitfold.cli.programs import draw_poly


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    return draw_poly.main(
        "draw-poly-classifier",
        "Train a network to tell a picture's colours and draw its polytopes while it trains.",
        own_settings=["final_activation"],
        fixed={"task": "classification", "smoothing_sigma": 0.0},
        arguments=arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
