"""Tests of dividing weights among processes, in a single process."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bitfold import KolmogorovError, KolmogorovLoss, ModelFileError, write_model
from bitfold.kolmogorov.weights.box import Box
from bitfold.kolmogorov.weights.layout import Layout
from bitfold.kolmogorov.weights.shards import RowShards


class Group:
    """Stands for a group of processes, and sends nothing."""

    def __init__(self, rank: int, size: int) -> None:
        self._rank, self._size = rank, size

    def rank(self) -> int:
        """Return the number of this process."""
        return self._rank

    def size(self) -> int:
        """Return the number of processes."""
        return self._size


def shards(rank: int, size: int) -> RowShards:
    """Return the shards of one of several processes."""
    group: Any = Group(rank, size)
    return RowShards(group)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("is_transposed", [False, True])
def test_parts_are_disjoint_and_complete(size: int, is_transposed: bool) -> None:
    """The processes hold each line once, as torch.chunk divides them; some hold no line."""
    box = Box(7, 5, 3, is_transposed)
    parts = [shards(rank, size).held(box) for rank in range(size)]
    lines = [line for part in parts for line in range(*part.lines(int(is_transposed)).indices(99))]
    assert lines == list(range(5 if is_transposed else 7))
    assert sum(part.box.size for part in parts) == box.size
    chunks = [len(chunk) for chunk in torch.arange(box.in_memory[0]).chunk(size)]
    counts = [part.box.in_memory[0] for part in parts]
    assert counts == chunks + [0] * (size - len(chunks))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_weights_keep_their_places_in_the_whole(size: int) -> None:
    """A part's rows, columns, offsets and positions are those of the whole module."""
    module = nn.ModuleList([nn.Conv1d(2, 4, 3), nn.ConvTranspose1d(3, 2, 2), nn.Linear(5, 1)])
    parameters = list(module.named_parameters())
    whole = Layout(module, parameters)
    flat = torch.arange(whole.num_weights)
    places, positions = whole.locate(flat), whole.positions(flat)
    found = []
    for rank in range(size):
        layout = Layout(module, parameters, shards(rank, size))
        own = torch.arange(layout.num_weights)
        found += [
            (tuple(place), tuple(position))
            for place, position in zip(
                layout.locate(own).t().tolist(), layout.positions(own).tolist(), strict=True
            )
        ]
    expected = zip(places.t().tolist(), positions.tolist(), strict=True)
    assert sorted(found) == sorted((tuple(place), tuple(one)) for place, one in expected)


def test_numbers_of_own_lines_stand_among_all() -> None:
    """A process's vector of all lines is 0 at other processes' lines, so that a sum is complete."""
    held = shards(1, 3).held(Box(5, 4, 1))
    assert held.spread(torch.tensor([3.0, 4.0]), axis=0).tolist() == [0, 0, 3, 4, 0]
    columns = torch.arange(4)
    assert held.spread(columns, axis=1) is columns


def test_copies_share_the_processes() -> None:
    """A copy shares the group, since processes cannot be copied."""
    one = shards(0, 2)
    assert copy.deepcopy(one) is one


def test_flat_parameters_and_stages_are_refused(tmp_path: Path) -> None:
    """FSDP1 and pipeline stages are refused by loss and file, in one line with an alternative."""
    from torch.distributed.fsdp import FullyShardedDataParallel
    from torch.distributed.pipelining import PipelineStage

    flat = FullyShardedDataParallel.__new__(FullyShardedDataParallel)
    nn.Module.__init__(flat)
    stage: Any = PipelineStage.__new__(PipelineStage)
    for given, told in (
        (nn.Sequential(flat), r"FullyShardedDataParallel \(FSDP1\).*fully_shard \(FSDP2\)\.$"),
        (stage, r"a pipeline stage\. Pass its own part of the layers, stage\.submod"),
    ):
        with pytest.raises(KolmogorovError, match=told) as caught:
            KolmogorovLoss(given)
        assert "\n" not in str(caught.value)
        with pytest.raises(ModelFileError, match=told):
            write_model(tmp_path / "a.bitfold", given)
