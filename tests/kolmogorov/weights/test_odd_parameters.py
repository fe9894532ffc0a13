"""Tests of unusual parameters and buffers, which are described or refused by name."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bitfold.audit import audit_gradients
from bitfold.errors import AuditError, KolmogorovError, ModelFileError
from bitfold.kolmogorov import KolmogorovLoss
from bitfold.model_file import read_model, write_model
from tests.runtime.test_module_state import quantised


class One(nn.Module):
    """A parameter of some kind beside a usual parameter."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        trains = tensor.is_floating_point() or tensor.is_complex()
        self.w = nn.Parameter(tensor, requires_grad=trains)
        self.b = nn.Parameter(torch.ones(3))


class Buffered(nn.Module):
    """A buffer of some kind beside a usual parameter."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.b = nn.Parameter(torch.ones(3))
        self.register_buffer("t", tensor)


class Sub(torch.Tensor):
    """A tensor subclass."""


def nested() -> Tensor:
    """Return one nested tensor of tensors of different lengths."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def sparse_rows() -> Tensor:
    """Return a sparse matrix stored by rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.eye(3).to_sparse_csr()


RIGHT: dict[str, Callable[[], nn.Module]] = {
    "float8 buffer": lambda: Buffered(torch.randn(4, 4).to(torch.float8_e4m3fn)),
    "uint8 parameter": lambda: One(torch.randint(0, 255, (4, 4), dtype=torch.uint8)),
    "bool buffer": lambda: Buffered(torch.tensor([True, False])),
    "NaN buffer": lambda: Buffered(torch.tensor([float("nan"), float("inf")])),
    "complex buffer": lambda: Buffered(torch.randn(3, dtype=torch.complex64)),
    "conjugate buffer": lambda: Buffered(torch.randn(3, dtype=torch.complex64).conj()),
    "negative buffer": lambda: Buffered(torch.randn(4, dtype=torch.complex64).conj().imag),
    "negative parameter": lambda: One(torch.randn(1, dtype=torch.complex64).conj().imag),
    "subclass": lambda: One(torch.randn(3, 3).as_subclass(Sub)),
    "transposed": lambda: One(torch.randn(5, 4).t()),
    "traced": lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(3, 4), nn.ReLU())),
}

#: Each kind with K's message and a file's message; None if the kind works.
REFUSED: dict[str, tuple[Callable[[], nn.Module], str | None, str | None]] = {
    "sparse": (lambda: One(torch.eye(3).to_sparse()), "'w'.* a sparse one", "'w'.* a sparse one"),
    "rows": (lambda: One(sparse_rows()), "'w'.* a sparse one", "'w'.* a sparse one"),
    "float8": (lambda: One(torch.randn(4, 4).to(torch.float8_e4m3fn)), "'w'.* torch.float8", None),
    "complex": (lambda: One(torch.randn(3, dtype=torch.complex64)), "'w'.* torch.complex64", None),
    "meta": (lambda: One(torch.ones(3, device="meta")), "'w'.* meta device", "'w'.* meta device"),
    "lazy": (lambda: nn.LazyLinear(3), "'weight'.* without a shape", "'weight'.* without a shape"),
    "sparse buffer": (lambda: Buffered(torch.eye(3).to_sparse()), None, "'t'.* a sparse one"),
    "nested buffer": (lambda: Buffered(nested()), None, "'t'.* a nested one"),
    "uint64": (
        lambda: Buffered(torch.tensor([2**63], dtype=torch.uint64)),
        None,
        "'t'.* got 9223372036854775808 to 9",
    ),
    "int64": (lambda: Buffered(torch.tensor([2**40])), None, "'t'.* got 1099511627776 to 1"),
    "packed": (quantised, "'1._packed_params._packed_params'", "'1._packed_params._packed_params'"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", RIGHT)
def test_unusual_kinds_are_described_and_written(name: str, tmp_path: Path) -> None:
    """K has a gradient, the audit sees the parameter, and a file returns its exact numbers."""
    torch.manual_seed(0)
    module = RIGHT[name]()
    loss = KolmogorovLoss(module)
    loss().backward()
    assert loss.bits().total > 0
    assert audit_gradients({"K": loss}, {"module": module}).ok
    for kolmogorov in (loss, None):
        tolerance = None if kolmogorov is not None else 0.0
        write_model(tmp_path / "a.bitfold", module, kolmogorov, tolerance=tolerance)
    torch.manual_seed(1)
    other = read_model(tmp_path / "a.bitfold", into=RIGHT[name]())
    for key, item in module.state_dict().items():
        torch.testing.assert_close(
            other.state_dict()[key].resolve_neg().to(torch.complex64),
            item.resolve_neg().to(torch.complex64),
            equal_nan=True,
        )


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # since PyTorch 2.14
@pytest.mark.parametrize("kind", ["script", "trace"])
def test_scripted_modules_are_described_written_and_trained(kind: str, tmp_path: Path) -> None:
    """A scripted module also computes with decoded weights, and has its own weights afterwards."""
    torch.manual_seed(0)
    plain, points = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.ones(2, 3)
    jit: Any = torch.jit
    module = jit.script(plain) if kind == "script" else jit.trace(plain, points)
    before = module(points)
    assert KolmogorovLoss(module)().item() == KolmogorovLoss(plain)().item()
    write_model(tmp_path / "a.bitfold", module, tolerance=0)
    read_model(tmp_path / "a.bitfold", into=plain)
    loss = KolmogorovLoss(module, quantise="learned")
    with loss.quantised():
        found = module(points)
    found.square().sum().backward()
    decoded = copy.deepcopy(plain)  # the scripted module shares the plain module's parameters
    decoded.load_state_dict(loss.decoded_state())
    assert torch.allclose(found, decoded(points))
    assert all(item.grad is not None for item in loss.weight_range.parameters())
    assert torch.equal(module(points), before)


@pytest.mark.parametrize("name", REFUSED)
def test_kinds_that_have_no_numbers_to_read_are_refused_by_name(name: str, tmp_path: Path) -> None:
    """K, files or both refuse a kind without readable numbers in one line; the other works."""
    torch.manual_seed(0)
    make, by_loss, by_file = REFUSED[name]
    module = make()
    for kind, said, work in (
        (KolmogorovError, by_loss, lambda: KolmogorovLoss(module)().backward()),
        (ModelFileError, by_file, lambda: write_model(tmp_path / "a.bitfold", module)),
    ):
        if said is None:
            work()
            continue
        with pytest.raises(kind, match=said) as caught:
            work()
        assert "\n" not in str(caught.value)


def test_an_expanded_parameter_is_written_and_not_read_into(tmp_path: Path) -> None:
    """An expanded parameter can be written but not read into, and the module stays unchanged."""
    module, into = (One(torch.randn(1, 3).expand(4, 3)) for _ in range(2))
    write_model(tmp_path / "a.bitfold", module)
    before = into.w.clone()
    with pytest.raises(ModelFileError, match=r"Cannot read into 'w'.* got an expanded one. Clone"):
        read_model(tmp_path / "a.bitfold", into=into)
    assert torch.equal(into.w, before)


@pytest.mark.parametrize("name", ["sparse", "rows", "float8", "meta", "lazy"])
def test_the_audit_refuses_what_it_cannot_move(name: str) -> None:
    """The audit refuses by name a parameter that it cannot displace."""
    with pytest.raises(AuditError, match=r"Cannot audit module 'net': expected .*, got 'w"):
        audit_gradients({"zero": lambda: torch.zeros(())}, {"net": REFUSED[name][0]()})
