"""Tests of choosing grids by a tolerance or a size."""

from pathlib import Path

import pytest
import torch
from torch import nn

from bitfold import read_model, write_model
from bitfold.model_file import read_tensors


def network(seed: int = 0) -> nn.Sequential:
    """Return two linear layers with random weights."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 10))


def on_grid(kind: str, folder: Path) -> nn.Module:
    """Return a network with weights on a grid: decoded from a file, or rounded to 255 levels."""
    made = network()
    if kind == "decoded":
        write_model(folder / "first", made)
        return read_model(folder / "first", into=network(1))
    with torch.no_grad():
        for parameter in made.parameters():
            scale = parameter.abs().max() / 127
            parameter.copy_((parameter / scale).round() * scale)
    return made


@pytest.mark.parametrize("kind", ["decoded", "int8"])
def test_a_tolerance_or_a_size_rounds_weights_that_lie_on_a_grid(kind: str, tmp_path: Path) -> None:
    """At a tolerance or size, weights on a grid take as few bytes as others, to within 3 %."""
    module, path = on_grid(kind, tmp_path), tmp_path / "a.bitfold"
    off_grid = network(2)
    off_grid.load_state_dict(module.state_dict())
    with torch.no_grad():
        for parameter in off_grid.parameters():
            parameter.add_(1e-6 * torch.randn_like(parameter))
    for tolerance in (0.1, 0.25, 1.0):
        ours = write_model(path, module, tolerance=tolerance)
        assert ours <= 1.03 * write_model(tmp_path / "b.bitfold", off_grid, tolerance=tolerance)
    for num_bytes in (700, 400, 200):
        assert 0.9 * num_bytes <= write_model(path, module, num_bytes=num_bytes) <= num_bytes


@pytest.mark.parametrize("kind", ["decoded", "int8"])
@pytest.mark.parametrize("tolerance", [None, 0.0, 2.0**-10])
def test_a_grid_is_kept_where_nothing_coarser_is_asked_for(
    kind: str, tolerance: float | None, tmp_path: Path
) -> None:
    """Without a tolerance, or with a finer one, weights on a grid are kept exactly."""
    module = on_grid(kind, tmp_path)
    write_model(tmp_path / "a.bitfold", module, tolerance=tolerance)
    read = read_model(tmp_path / "a.bitfold", into=network(1))
    for own, other in zip(module.parameters(), read.parameters(), strict=True):
        assert torch.equal(own, other)


def test_writing_twice_at_one_tolerance_changes_nothing(tmp_path: Path) -> None:
    """A decoded network keeps its weights at the tolerance that it was written with."""
    path = tmp_path / "a.bitfold"
    for tolerance in (2.0**-8, 2.0**-6, 0.1):
        write_model(path, network(), tolerance=tolerance)
        once = read_model(path, into=network(1))
        write_model(path, once, tolerance=tolerance)
        twice = read_model(path, into=network(2))
        for own, other in zip(once.parameters(), twice.parameters(), strict=True):
            assert torch.equal(own, other)


@pytest.mark.parametrize("kind", ["codebook", "mask", "int8", "complex"])
def test_numbers_of_few_values_are_counted_where_they_are_written_as_they_are(
    kind: str, tmp_path: Path
) -> None:
    """Codebooks, masks and int8 weights take few bytes by their counts, and are read exactly."""
    torch.manual_seed(0)
    book = torch.randn(16)
    made = {
        "codebook": (book[torch.randint(16, (64, 64))], 4096 * 4 / 8 + 64),
        "mask": ((torch.rand(64, 64) < 0.1).float(), 4096 * 0.47 / 8 + 8),
        "int8": (torch.randint(-128, 128, (64, 64), dtype=torch.int8), 4096),
        "complex": (torch.complex(book, book)[torch.randint(16, (64, 64))], 8192 * 4 / 8 + 64),
    }
    given, expected = made[kind]
    if kind == "codebook":
        given[0, 0] = -0.0
    path = tmp_path / "a.bitfold"
    assert write_model(path, {"w": given}, tolerance=0) < 1.03 * expected + 60
    found = read_tensors(path)["w"]
    assert torch.equal(found.to(given.dtype), given)
    if kind == "codebook":
        assert torch.equal(found.signbit(), given.signbit())
