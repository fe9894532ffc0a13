"""Encodings: their names, their waves, and networks that begin with them."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from bitfold.errors import ConfigError, ShapeError
from bitfold.networks import CompiledNet, Encoding, PolytopeNet, TriangleWaves, most_visible_octaves
from bitfold.networks.dense import slopes_of


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


def wave(phases: Tensor) -> Tensor:
    """Return a triangle wave of period 1 that is 1 at 0, by its distance to whole numbers."""
    return 1 - 4 * (phases - phases.round()).abs()


@pytest.mark.parametrize("in_features", [2, 3])
@pytest.mark.parametrize("num_octaves", [1, 2, 3, 20])
def test_folding_gives_the_waves_of_the_formula(in_features: int, num_octaves: int) -> None:
    """Each octave has a cosine and a sine of period 2^-k, which folding computes exactly."""
    points = torch.rand(500, in_features, dtype=torch.float64, generator=generator()) - 0.5
    parts = TriangleWaves(in_features, num_octaves)(points).split(in_features, 1)
    assert torch.equal(parts[0], points)
    for octave in range(num_octaves):
        phases = points * 2**octave
        assert torch.allclose(parts[1 + 2 * octave], wave(phases), atol=1e-9)
        assert torch.allclose(parts[2 + 2 * octave], wave(phases - 0.25), atol=1e-9)
    assert all(part.abs().max() <= 1 + 1e-9 for part in parts)
    assert len(parts) == 1 + 2 * num_octaves


def test_waves_are_exact_in_float32_at_their_kinks() -> None:
    """At multiples of 2^-(n + 1) float32 gives the values of the formula, without rounding."""
    num_octaves = 7
    steps = torch.arange(-(2**num_octaves), 2**num_octaves + 1) / 2 ** (num_octaves + 1)
    points = torch.stack([steps, steps.flip(0)], 1)
    parts = TriangleWaves(2, num_octaves)(points).split(2, 1)
    for octave in range(num_octaves):
        phases = points.double() * 2**octave
        assert torch.equal(parts[1 + 2 * octave].double(), wave(phases))
        assert torch.equal(parts[2 + 2 * octave].double(), wave(phases - 0.25))


def test_the_slope_at_a_kink_is_the_mean_of_both_sides() -> None:
    """The slope at a kink is 0, the mean of both sides; elsewhere its size is 4 / period."""
    num_octaves = 3
    steps = torch.arange(-7, 8) / 16  # all kinks within the square
    waves = TriangleWaves(2, num_octaves)
    for step in steps:
        points = step.repeat(waves.out_features, 2).requires_grad_()
        slopes = torch.autograd.grad(waves(points).trace(), points)[0][:, 0]
        for octave in range(num_octaves):
            quarter = float(step) * 2 ** (octave + 2)
            is_whole = quarter == round(quarter)
            for phase in range(2):
                is_kink = is_whole and round(quarter) % 2 == phase
                slope = float(slopes[2 + 4 * octave + 2 * phase])
                assert abs(slope) == (0 if is_kink else 4 * 2**octave), (float(step), octave)


def test_an_encoding_has_no_state() -> None:
    """An encoding adds no parameters: the network's are those of one input for each wave."""
    network = PolytopeNet(3, "[4]", 1, encoding="triangle:2", generator=generator())
    plain = PolytopeNet(15, "[4]", 1, generator=generator())
    assert network.num_parameters == plain.num_parameters == 69
    own, others = list(network.parameters()), list(plain.parameters())
    assert all(torch.equal(a, b) for a, b in zip(own, others, strict=True))
    assert not list(network.buffers())
    assert "triangle:2" in repr(network)
    points = torch.rand(5, 3, generator=generator()) - 0.5
    assert torch.equal(network(points), plain(TriangleWaves(3, 2)(points)))


@pytest.mark.parametrize(
    "text",
    (
        "", "triangle", "triangle:", "triangle:0", "triangle:21", "triangle:-1", "triangle:1.5",
        "triangle:\u0663", "Triangle:3", "sine:3", "triangle:3 ", "triangle:99999999999",
    ),
)  # fmt: skip
def test_other_encodings_are_refused(text: str) -> None:
    """The error names the unknown encoding and the known ones."""
    with pytest.raises(ConfigError, match=re.escape(f"encoding {text!r}: expected")):
        PolytopeNet(2, "[4]", 1, encoding=text)


@pytest.mark.parametrize("in_features", [1, 4])
def test_only_pictures_and_clips_are_encoded(in_features: int) -> None:
    """Only pictures and clips, of 2 or 3 coordinates, can be encoded."""
    with pytest.raises(ShapeError, match=f"or 3 of a clip, got {in_features}"):
        PolytopeNet(in_features, "[4]", 1, encoding="triangle:3")


def test_names_are_read_and_written() -> None:
    """An encoding is read as it was written, in the shortest spelling."""
    texts = ["none", *(f"triangle:{octaves}" for octaves in (1, 7, 20))]
    assert [str(Encoding.parse(text)) for text in texts] == texts
    assert str(Encoding.parse("triangle:07")) == "triangle:7"
    assert [most_visible_octaves(side) for side in (64, 100, 512)] == [6, 6, 9]


@pytest.mark.parametrize("settings", [{}, {"activation": "relu"}, {"final_activation": "sigmoid"}])
def test_compiled_training_computes_the_same(settings: dict[str, Any]) -> None:
    """Compiled training gives PyTorch's outputs and gradients, with loops and without."""
    network = PolytopeNet(2, "[12]*3", 3, encoding="triangle:3", generator=generator(), **settings)
    points = torch.rand(300, 2, generator=generator(1)) - 0.5
    found, kept = [], []
    for evaluate in (network, CompiledNet(network)):
        outputs = evaluate(points)
        kept.append(outputs.detach())
        found.append(torch.autograd.grad((outputs**2).sum(), list(network.parameters())))
    assert torch.allclose(kept[0], kept[1], atol=1e-5)
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(*found, strict=True))
    uses_loops = "final_activation" not in settings
    name = type(CompiledNet(network)(points).grad_fn).__name__
    assert (name == "_CompiledPassBackward") is uses_loops


@pytest.mark.parametrize("encoding", ["none", "triangle:3", "grid:2x3"])
def test_an_encoding_is_no_layer_with_a_slope(encoding: str) -> None:
    """The network alone says whether its first module encodes, and slopes count from the next."""
    network = PolytopeNet(2, "[4]*2", 1, encoding=encoding)
    assert slopes_of(network) == [0.01, 0.01, 1.0]
    assert CompiledNet(network)._encode is (None if encoding == "none" else network.layers[0])
