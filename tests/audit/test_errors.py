"""Tests of the errors of an audit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bitfold.audit import assert_gradients_reach, audit_gradients
from bitfold.errors import AuditError


def refusal(terms: Any, modules: Any, **options: Any) -> str:
    """The message of the error that an audit raises."""
    with pytest.raises(AuditError) as caught:
        audit_gradients(terms, modules, **options)
    return str(caught.value)


def fine() -> Tensor:
    """Return a valid term."""
    return torch.ones(())


def test_a_term_that_raises_is_named() -> None:
    """The message quotes the first line of the term's error, which is the cause."""

    def term() -> Tensor:
        raise ValueError("no such file\nand more")

    message = refusal({"ok": fine, "K": term}, {"net": nn.Linear(1, 1)})
    assert message.startswith("Cannot audit term 'K': expected a scalar, got ValueError: no such")
    assert "and more" not in message


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (torch.ones(2), "a tensor of shape (2,)"),
        (torch.tensor(math.nan), "got nan"),
        (torch.tensor(math.inf), "got inf"),
        (math.inf, "got inf"),
        (torch.tensor(3), "a value of torch.int64"),
        (torch.tensor(1j), "a value of torch.complex64"),
        (None, "a NoneType"),
        ("1.0", "a str"),
        (True, "a bool"),
    ],
)
def test_a_term_that_is_no_finite_scalar_is_named(value: object, found: str) -> None:
    """The error names a term that is not a finite scalar tensor, such as a Python number."""
    message = refusal({"K": lambda: value}, {"net": nn.Linear(1, 1)})
    assert message.startswith("Cannot audit term 'K': expected a finite scalar, got ")
    assert found in message


def test_a_backward_pass_that_raises_is_named() -> None:
    """The error names a term whose backward pass raises."""
    net = nn.Linear(2, 1)

    def term() -> Tensor:
        weight = net.weight * 1
        loss = weight.square().sum()
        weight += 1
        return loss

    message = refusal({"K": term}, {"net": net})
    assert message.startswith("Cannot audit term 'K': expected a backward pass, got RuntimeError")


def test_a_module_without_parameters_is_refused() -> None:
    """The error names a module without parameters."""
    message = refusal({"K": fine}, {"act": nn.Tanh()})
    assert "module 'act': expected at least one trainable parameter, got no parameters" in message


def test_a_frozen_module_is_refused() -> None:
    """The error says that no gradient is meant to reach a frozen module."""
    message = refusal({"K": fine}, {"teacher": nn.Linear(2, 2).requires_grad_(False)})
    assert "got 2 frozen or empty ones" in message
    assert "Leave it out" in message


def test_parameters_without_finite_values_are_refused() -> None:
    """The error names the module and the parameter that is not finite."""
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.bias[1] = math.nan
    message = refusal({"K": fine}, {"net": net})
    assert "module 'net'" in message
    assert "'bias'" in message
    assert "without a shape" in refusal({"K": fine}, {"net": nn.LazyLinear(3)})


def test_a_term_that_has_no_value_nearby_is_refused() -> None:
    """Nothing could be said of a dependence."""
    net, start = nn.Linear(2, 2), []

    def term() -> Tensor:
        value = net.weight.detach().sum()
        start.append(value)
        return value if torch.equal(value, start[0]) else value * math.nan

    message = refusal({"K": term}, {"net": net})
    assert "expected a value near the parameters of 'net'" in message


@pytest.mark.parametrize(
    ("terms", "modules", "options", "found"),
    [
        ({}, {"net": nn.Linear(1, 1)}, {}, "at least one term and one module"),
        ({"K": fine}, {}, {}, "at least one term and one module"),
        ({"K": torch.ones(())}, {"net": nn.Linear(1, 1)}, {}, "a callable without arguments"),
        ({"K": fine}, {"net": torch.ones(1)}, {}, "a torch.nn.Module, got Tensor"),
        ({"K": fine}, {"net": nn.Linear(1, 1)}, {"num_directions": 0}, "at least 1 direction"),
    ],
)
def test_what_is_no_audit_is_refused(
    terms: object, modules: object, options: dict[str, int], found: str
) -> None:
    """Invalid arguments are refused before any term is evaluated."""
    assert found in refusal(terms, modules, **options)


def test_pairs_that_are_not_there_are_refused() -> None:
    """A pair with an unknown name is refused, since the assertion could never fail."""
    with pytest.raises(AuditError, match=r"got \('K', 'network'\)"):
        assert_gradients_reach({"K": fine}, {"net": nn.Linear(1, 1)}, pairs=[("K", "network")])
