"""The specification is enough to write a decoder, and the examples for users run."""

import copy
import doctest
from pathlib import Path
from typing import Any

import pytest
import torch

import bitfold
from bitfold.entropy_coding.laplace.tables import integer_tables
from tests.model_file.make_golden import GOLDEN, modules
from tests.model_file.plain_decoder import decode, table

PAGE = Path(__file__).parents[2] / "docs" / "model-files.md"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.bitfold")))
def test_a_decoder_from_the_specification_reads_the_same_numbers(name: Any) -> None:
    """A plain-Python decoder, which shares no code with the package, reads the same numbers."""
    path = GOLDEN / f"{name}.bitfold"
    module = modules()[name.split("-")[0]]
    own = [*module.named_parameters(), *module.named_buffers()]
    kinds = {torch.int64: "whole"}
    tensors = [
        (tuple(item.shape), "transposed" if at == "2.weight" else kinds.get(item.dtype, "real"))
        for at, item in own
    ]
    names = [at for at, _ in own]
    found = decode(path.read_bytes(), None if name.startswith("network") else tensors, names)
    bitfold.read_model(path, into=module)
    for (at, item), numbers in zip(own, found, strict=True):
        expected = torch.tensor(numbers, dtype=torch.float64).to(item.dtype).view(item.shape)
        assert torch.equal(item, expected), at


@pytest.mark.parametrize("distribution", ["laplace", "logistic"])
def test_the_tables_of_the_specification_are_the_packages(distribution: str) -> None:
    """The specification gives the same table as the package for each scale."""
    tables = integer_tables(distribution)
    for number, (first, reach) in enumerate(zip(tables.firsts, tables.reaches, strict=True)):
        starts = tables.starts[first : first + 2 * reach + 4]
        assert (starts[1:] - starts[:-1]).tolist() == table(number - 64, distribution == "logistic")


def test_the_examples_of_the_page_run() -> None:
    """Each example prints the text on the page."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags)
    assert found.attempted > 15
    assert found.failed == 0


@pytest.mark.parametrize("num_bytes", [4000, 12000])
def test_the_plain_decoder_reads_a_trellis(tmp_path: Path, num_bytes: int) -> None:
    """Tables on a trellis, also of kernels and with unused lines, are read alike by both."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(300, 250), torch.nn.Conv2d(8, 12, 3), torch.nn.Linear(20, 30)]
    module = torch.nn.Sequential(*layers)
    with torch.no_grad():
        module.get_parameter("0.weight")[:, 5:20] = 0
        module.get_parameter("1.weight")[:, 2] = 0
        module.get_parameter("1.weight")[3:5] = 0
    path = tmp_path / "net.bitfold"
    bitfold.write_model(path, module, num_bytes=num_bytes)
    assert path.read_bytes()[2] // 4 == 4  # the version
    into = copy.deepcopy(module)
    bitfold.read_model(path, into=into)
    named = list(into.named_parameters())
    tensors = [(tuple(item.shape), "real") for _, item in named]
    found = decode(path.read_bytes(), tensors, [name for name, _ in named])
    for (_, item), decoded in zip(named, found, strict=True):
        assert torch.equal(
            item, torch.tensor(decoded, dtype=torch.float64).float().view(item.shape)
        )


@pytest.mark.parametrize("size", [3, 40])
def test_the_plain_decoder_reads_mixed_predictions_without_a_loss(
    tmp_path: Path, size: int
) -> None:
    """A small module that was written without a loss in version 3 is read alike by both."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(100, 100), torch.nn.Linear(100, 50))
    with torch.no_grad():
        for item in module.parameters():
            used = torch.rand([-(-side // 10) for side in item.shape]).gt(0.7)
            for axis, side in enumerate(item.shape):
                used = used.repeat_interleave(10, axis).narrow(axis, 0, side)
            numbers = (size * torch.randn(item.shape)).round() * used
            item.copy_((numbers.double() * 0.0123).float())
    path = tmp_path / "net.bitfold"
    bitfold.write_model(path, module)
    assert path.read_bytes()[2] // 4 == 3  # the version
    names = [name for name, _ in module.named_parameters()]
    tensors = [(tuple(item.shape), "real") for item in module.parameters()]
    found = decode(path.read_bytes(), tensors, names)
    for item, decoded in zip(module.parameters(), found, strict=True):
        assert torch.equal(
            item, torch.tensor(decoded, dtype=torch.float64).float().view(item.shape)
        )
