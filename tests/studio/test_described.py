"""What pages are told of a target."""

from __future__ import annotations

import numpy as np

from bitfold.studio.described import target_message
from bitfold.targets import load_target, repainted
from bitfold.targets.classes import display_class_colours


def test_a_grey_target_is_shown_as_it_is() -> None:
    """A target without classes is sent with its own pixels and no colours of classes."""
    ring = load_target("ring", size=8)
    message = target_message(ring)
    assert (message.arrays["pixels"] == ring.pixels).all()
    assert message.facts["class_colours"] is None
    assert message.facts["shown_colours"] is None


def test_classes_are_shown_in_the_colours_of_their_predictions() -> None:
    """Each pixel has the display colour of its class; each class has a colour that paints it."""
    target = load_target("rgb-ring", size=16)
    pixels = target.pixels.copy()
    pixels[0, :2] = (250, 9, 3)  # nearest to the first class, whose colour it does not have
    target = repainted(target, pixels)
    assert target.classes is not None
    assert target.class_colours is not None
    message = target_message(target)
    shown = display_class_colours(target.class_colours)
    assert (message.arrays["pixels"][0].reshape(-1, 3) == shown[target.classes]).all()
    assert message.facts["class_colours"] == target.class_colours.tolist()
    assert message.facts["shown_colours"] == shown.tolist()
    assert not np.array_equal(shown, target.class_colours)
