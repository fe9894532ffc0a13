"""Tests of the inputs in some of a convolution's places."""

import pytest
import torch
from torch.nn import functional

from bitfold.model_file.calibrated.patches import MOST_PLACES, MOST_WIDE_PLACES, patches


@pytest.mark.parametrize(("channels", "most"), [(2, MOST_PLACES), (50, MOST_WIDE_PLACES)])
def test_some_places_of_each_sample_are_chosen(channels: int, most: int) -> None:
    """Each sample has its own places, all different and evenly spread over the picture."""
    inputs = torch.arange(3 * channels * 9 * 11.0).reshape(3, channels, 9, 11)
    found = patches(inputs, (3, 2), ((1, 2), 1, 1), torch.Generator().manual_seed(0))
    every = functional.unfold(inputs, (3, 2), 1, 1, (1, 2)).transpose(1, 2)
    assert found.shape == (3 * most, every.shape[2])
    places = []
    for sample, rows in enumerate(torch.split(found, most)):
        same = (rows[:, None] == every[sample]).all(dim=2)
        assert (same.sum(dim=1) == 1).all()
        places.append(same.int().argmax(dim=1))
        assert (places[-1].diff() > 0).all()
        part = every.shape[1] / most
        assert ((places[-1] - torch.arange(most) * part).abs() <= part).all()
    assert not torch.equal(places[0], places[1])
