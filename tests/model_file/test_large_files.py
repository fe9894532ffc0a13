"""Files of so many numbers that these are decoded twice."""

from pathlib import Path

import pytest
import torch
from torch import nn

from bitfold import PolytopeNet, read_model, write_model
from bitfold.model_file import decoding
from bitfold.model_file.syntax.recipe import Recipe


def test_a_large_file_builds_its_network_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers are those of a small file, and the second pass builds no second network."""
    network = PolytopeNet(2, [9, 8], 3, generator=torch.Generator().manual_seed(1))
    path = tmp_path / "net.bitfold"
    write_model(path, network)
    expected = read_model(path).state_dict()
    built, build = list[nn.Module](), Recipe.build

    def counted(recipe: Recipe) -> nn.Module:
        built.append(build(recipe))
        return built[-1]

    monkeypatch.setattr(Recipe, "build", counted)
    monkeypatch.setattr(decoding, "MOST_KEPT", 0)
    found = read_model(path).state_dict()
    assert len(built) == 1
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
