"""Tensors as outputs by inputs by kernel offsets."""

import itertools
import math

import numpy as np
import pytest
import torch

from bitfold.kolmogorov.weights.box import box_of

SHAPES = [(), (4,), (3, 2), (1, 5), (5, 1, 3), (2, 3, 2, 2)]


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_are_located_as_by_a_loop(shape: tuple[int, ...], is_transposed: bool) -> None:
    """The output, input and offset of each number are those of its index in the tensor."""
    box = box_of(shape, is_transposed=is_transposed)
    assert box.size == math.prod(shape)
    first, second, *kernel = (*shape, 1, 1)[: max(len(shape), 2)]
    expected = []
    for one, two in itertools.product(range(first), range(second)):
        sides = (two, one) if is_transposed else (one, two)
        expected += [(*sides, offset) for offset in range(math.prod(kernel))]
    found = box.locate(np.arange(box.size))
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_unflattened_numbers_stand_where_they_are_located(
    shape: tuple[int, ...], is_transposed: bool
) -> None:
    """`unflatten` and `locate` agree on each number."""
    box = box_of(shape, is_transposed=is_transposed)
    numbers = torch.arange(box.size)
    found = box.unflatten(numbers)
    assert found.shape == box[:3]
    assert torch.equal(found[tuple(map(torch.from_numpy, box.locate(numbers.numpy())))], numbers)


def test_only_matrices_can_have_scales_of_lines() -> None:
    """Tensors of one row or one column have no scales of rows and columns."""
    assert box_of((3, 2, 5), is_transposed=True).line_counts == (2, 3)
    for shape in ((3,), (3, 1), (1, 3, 7)):
        assert box_of(shape, is_transposed=False).line_counts == ()
