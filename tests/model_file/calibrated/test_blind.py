"""Tests of parameters whose inputs are not known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bitfold
from bitfold.model_file.calibrated.blind import blindly_rounded
from bitfold.model_file.calibrated.tables import Known


def test_a_weight_goes_to_a_bin_that_takes_few_bits() -> None:
    """Weights go to 0 where that saves bits, and to one of the next numbers in all cases."""
    torch.manual_seed(0)
    tensor = torch.randn(20, 25)
    found = blindly_rounded(tensor, 2.0**-13, Known(in_large=False))
    values = tensor.reshape(-1).double().numpy()
    assert (found.numbers == 0).sum() > 1.05 * (np.rint(values / found.step) == 0).sum()
    assert np.abs(found.numbers * found.step - values).max() < 2 * found.step


@pytest.mark.parametrize(("rows", "share"), [(20, 11), (200, 15)])
def test_rounded_weights_are_as_large_as_weights_are(rows: int, share: int) -> None:
    """On a grid and on a trellis, zeros make up for no smaller outputs, as steps are longer."""
    torch.manual_seed(0)
    tensor = torch.randn(rows, 25)
    found = blindly_rounded(tensor, 2.0**-share, Known(in_large=True))
    values = tensor.reshape(-1).double().numpy()
    assert found.on_trellis == (rows > 20)
    assert values @ found.numbers * found.step == pytest.approx(values @ values, rel=2**-8)
    assert (found.numbers == 0).mean() > 0.15


def test_steps_follow_from_the_power_of_a_tensor() -> None:
    """A tensor of four times as many weights of the same size has a step twice as long."""
    torch.manual_seed(0)
    steps = [
        blindly_rounded(torch.randn(40, n), 2.0**-14, Known(in_large=True)).step for n in (20, 80)
    ]
    assert 1.8 < steps[1] / steps[0] < 2.2


def test_zeros_are_rounded() -> None:
    """All their numbers are 0."""
    for tensor in (torch.zeros(3, 4), torch.zeros(5), torch.zeros(())):
        assert not blindly_rounded(tensor, 1e-6, Known(in_large=True)).numbers.any()


class Grouped(nn.Module):
    """Convolutions with groups, an embedding, and a layer that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.names = nn.Embedding(10, 8)
        self.first = nn.Conv1d(8, 16, 3, padding=1, groups=4)
        self.second = nn.ConvTranspose1d(16, 8, 3)
        self.unused = nn.Linear(8, 8)

    def forward(self, letters: Tensor) -> Tensor:
        """(N, 6) to (N, 8, 8)."""
        found: Tensor = self.second(self.first(self.names(letters).transpose(1, 2)).relu())
        return found


def test_parameters_without_recorded_inputs_are_rounded_by_what_they_do(tmp_path: Path) -> None:
    """Layers with groups, embeddings and layers that no output depends on are written too."""
    torch.manual_seed(0)
    network, decoded = Grouped(), Grouped()
    letters = torch.randint(10, (40, 6))
    path = tmp_path / "a"
    bitfold.write_model(path, network, calibration=[letters], tolerance=0.1)
    bitfold.read_model(path, into=decoded)
    with torch.no_grad():
        wanted = network(letters)
        assert (decoded(letters) - wanted).norm() < 0.1 * wanted.norm()
    unused = network.unused.weight.detach()
    assert (decoded.unused.weight.detach() - unused).norm() < 0.5 * unused.norm()


def test_tables_whose_rows_differ_have_a_grid() -> None:
    """Rows whose sizes spread little are on a trellis, widely on a grid; zeros do not count."""
    torch.manual_seed(0)
    tensor = torch.randn(60, 50)
    for octaves, on_trellis in ((0.5, True), (1.0, False)):
        rows = torch.linspace(-octaves, octaves, 60).mul(1.5).exp2()[:, None]
        assert (
            blindly_rounded(tensor * rows, 2.0**-14, Known(in_large=True)).on_trellis == on_trellis
        )
    rows = torch.ones(60, 1)
    rows[30:] = 0
    assert blindly_rounded(tensor * rows, 2.0**-14, Known(in_large=True)).on_trellis
