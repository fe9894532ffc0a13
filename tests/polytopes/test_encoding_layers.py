"""Which layers of a partition are folds of an encoding."""

from __future__ import annotations

from torch import nn

from bitfold.polytopes.encoding_layers import num_encoding_layers
from bitfold.polytopes.lowering.lowered import Bend


class Says(nn.Module):
    """A module with an attribute of the encodings' name."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.is_encoding = value


class Asks(nn.Module):
    """A module with a method of that name."""

    def is_encoding(self) -> bool:
        """Return what no encoding does."""
        return False


def test_a_module_is_an_encoding_only_if_it_says_true() -> None:
    """Bends of other modules are layers of neurons, whatever they have under that name."""
    others = (Asks(), Says(False), Says("no"), Says(1), nn.ReLU())
    for first, expected in ((Says(True), 2), *((other, 0) for other in others)):
        network = nn.Sequential(first, nn.ReLU())
        bends = [Bend("0", "abs"), Bend("0", "abs"), Bend("1", "relu")]
        assert num_encoding_layers(network, bends) == expected
