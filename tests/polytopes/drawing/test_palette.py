"""The colours of layers."""

import colorsys

import numpy as np
import pytest

from bitfold.polytopes.drawing.palette import Ground, layer_colours


@pytest.mark.parametrize("ground", ["paper", "picture"])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_each_layer_has_a_colour_of_its_own(count: int, ground: Ground) -> None:
    """There are as many different colours as layers, for any number of layers."""
    colours = layer_colours(count, ground)
    assert colours.shape == (count, 3)
    assert len(np.unique(colours.round(2), axis=0)) == count
    assert ((colours >= 0) & (colours <= 1)).all()


def test_a_layer_has_one_hue_on_both_grounds() -> None:
    """On paper a layer's colour has its hue in frames, with another brightness."""
    paper, picture = (
        [colorsys.rgb_to_hsv(*colour)[0] for colour in layer_colours(6, ground).tolist()]
        for ground in ("paper", "picture")
    )
    np.testing.assert_allclose(paper, picture, atol=1e-9)


def test_no_line_is_too_bright_for_paper() -> None:
    """Lines reach 35 % of the luminance of white on paper, and more on a picture."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    luminances = {
        ground: (layer_colours(9, ground) ** 2.2 @ weights).max() for ground in ("paper", "picture")
    }
    assert luminances["paper"] <= 0.35 + 1e-12 < 0.7 < luminances["picture"]
