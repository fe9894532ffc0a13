"""What the numbers of a report were measured on, and how the network and its code were chosen."""

from __future__ import annotations

from bitfold.experiments.quality import MAX_PIXELS
from bitfold.experiments.reports.facts import Facts


def measured(facts: Facts) -> list[tuple[str, str]]:
    """Return what was measured, and on which pixels or by which rule, a row for each."""
    return [
        ("size", "all bytes of the file, as it lies on a disk: header, structure, predictor, "
                 "steps, weights and checksum"),
        ("errors", f"of the network that is read from the file, at {_pixels(facts)}"),
        ("training", f"{facts.training.num_pixels:,} pixels, which the network learned"),
        ("validation", f"{facts.validation.num_pixels:,} other pixels; no weight was "
                              "learned or chosen by them alone"),
        ("weights", _choice_of_weights(facts)),
        ("code", f"{facts.coded.how}; two codes with different weights are compared by their "
                 f"errors at up to {MAX_PIXELS:,} pixels, evenly spread over all"),
    ]  # fmt: skip


def _pixels(facts: Facts) -> str:
    picture = facts.picture
    noun = "clip" if facts.run.target.is_clip else "picture"
    learned = facts.training.num_pixels / facts.run.target.num_usable
    where = f"{picture.num_pixels:,} pixels of the whole {noun}"
    return f"{where}, of which the network learned about {100 * learned:.3g} %"


def _choice_of_weights(facts: Facts) -> str:
    config = facts.run.config
    text = f"those of epoch {facts.epoch:,}, the last one that the run has kept"
    if config.has_kolmogorov and config.kolmogorov_quantise == "learned":
        text += (
            "; in its last tenth of the epochs, a training with learned steps keeps the weights "
            "with the least sum of the loss at the training points and lambda K"
        )
    return text
