"""The gradient audit: which loss term reaches which module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor, nn

from bitfold.audit.judge import Base, Judge
from bitfold.audit.probe import Probe, Term
from bitfold.audit.probed_module import ProbedModule
from bitfold.audit.report import AuditRow, GradientAudit, Verdict
from bitfold.errors import AuditError

# Repeated evaluations at the same parameters: they tell how noisy a value is.
NUM_REPEATS = 2


def audit_gradients(
    terms: Mapping[str, Term],
    modules: Mapping[str, nn.Module],
    *,
    seed: int = 0,
    num_directions: int = 3,
) -> GradientAudit:
    """Find out for each loss term whether its gradient reaches each module that it depends on.

    A pair of a term and a module is

    - ``reaches``: the gradient arrives;
    - ``weak``: the gradient arrives at fewer than 10 % of the parameters that influence the value;
    - ``cut``: the value depends on the module, but no path leads a gradient there, or the gradient
      is zero at the parameters and at displaced ones;
    - ``independent``: the value does not depend on the module.

    The audit restores everything that it changes, also if a term raises: parameters, gradients,
    buffers, plain attributes of modules, training mode, and the random states of PyTorch, NumPy and
    Python. ``docs/audit.md`` explains how verdicts are reached, and what an audit cannot see.

    Args:
        terms: name to a callable without arguments that returns a scalar: a tensor of one element
            or a Python number. The audit calls it many times.
        modules: name to module. The audit looks at parameters with ``requires_grad``.
        seed: of the random directions; the global random state plays no part.
        num_directions: random directions for each size of displacement, at least 1.

    Returns:
        One row for each pair; ``str`` of it is a table. ``ok`` is False exactly if a pair is cut.

    Raises:
        AuditError: if there are no terms or modules, a module has no trainable parameters, or a
            term raises or does not return a finite scalar.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> network, points = nn.Linear(2, 1), torch.rand(8, 2)
        >>> terms = {
        ...     "task": lambda: network(points).square().mean(),
        ...     "size": lambda: network.weight.detach().abs().sum(),
        ... }
        >>> audit = audit_gradients(terms, {"network": network})
        >>> audit.ok, [row.verdict.value for row in audit.rows]
        (False, ['reaches', 'cut'])
        >>> audit.rows[1].sites[0].operation
        'Tensor.detach'
    """
    _check(terms, modules, num_directions)
    probed_modules = [
        ProbedModule(name, module, bit, seed) for bit, (name, module) in enumerate(modules.items())
    ]
    probe = Probe(terms, modules, {probed.name: probed.parameters for probed in probed_modules})
    rows = [row for name in terms for row in _rows(probe, name, probed_modules, num_directions)]
    return GradientAudit(tuple(rows), probe.num_evaluations)


def assert_gradients_reach(
    terms: Mapping[str, Term],
    modules: Mapping[str, nn.Module],
    *,
    pairs: Iterable[tuple[str, str]] | None = None,
    seed: int = 0,
    num_directions: int = 3,
) -> None:
    """Fail a test if a loss term depends on a module that its gradient does not reach.

    Args:
        terms: as for `audit_gradients`.
        modules: as for `audit_gradients`.
        pairs: names of a term and a module whose verdict must be ``reaches``. Other pairs may have
            any verdict, for example an intended cut. None: no pair may be cut.
        seed: as for `audit_gradients`.
        num_directions: as for `audit_gradients`.

    Raises:
        AssertionError: if a pair has another verdict; the message holds the table.
        AuditError: as for `audit_gradients`, and if ``pairs`` names an unknown term or module.

    Example:
        >>> import torch
        >>> network = nn.Linear(2, 1)
        >>> assert_gradients_reach({"L1": lambda: network.weight.abs().sum()}, {"net": network})
    """
    __tracebackhide__ = True
    wanted = None if pairs is None else list(pairs)
    for term, module in wanted or ():
        if term not in terms or module not in modules:
            raise AuditError(
                f"Cannot assert that gradients reach: expected pairs of {list(terms)} and "
                f"{list(modules)}, got {(term, module)}. Correct the names."
            )
    audit = audit_gradients(terms, modules, seed=seed, num_directions=num_directions)
    if wanted is None:
        failed = [(r.term, r.module) for r in audit.rows if r.verdict == Verdict.CUT]
    else:
        failed = [pair for pair in wanted if audit.row(*pair).verdict != Verdict.REACHES]
    if failed:
        named = ", ".join(f"{term} -> {module}" for term, module in failed)
        raise AssertionError(f"gradients do not reach: {named}\n{audit}")


def _rows(
    probe: Probe, name: str, probed_modules: Sequence[ProbedModule], num_directions: int
) -> Iterator[AuditRow]:
    wanted = list({id(p): p for probed in probed_modules for p in probed.parameters}.values())
    evaluation = probe.evaluate(name, wanted=wanted)
    repeats = [probe.value(name) for _ in range(NUM_REPEATS)]
    noise = max(abs(value - evaluation.number) for value in repeats)
    judge = Judge(probe, Base(name, evaluation, noise), num_directions)
    found: dict[int, Tensor | None] = {
        id(parameter): gradient
        for parameter, gradient in zip(wanted, evaluation.gradients, strict=True)
    }
    for probed in probed_modules:
        yield judge.judge(probed, [found[id(parameter)] for parameter in probed.parameters])


def _check(
    terms: Mapping[str, Term], modules: Mapping[str, nn.Module], num_directions: int
) -> None:
    if not terms or not modules:
        raise AuditError(
            f"Cannot audit gradients: expected at least one term and one module, got {len(terms)} "
            f"and {len(modules)}. Name them in two dictionaries."
        )
    for name, term in terms.items():
        if not callable(term):
            raise AuditError(
                f"Cannot audit term {name!r}: expected a callable without arguments, got "
                f"{type(term).__name__}. Wrap it: lambda: loss."
            )
    for name, module in modules.items():
        if not isinstance(module, nn.Module):
            raise AuditError(
                f"Cannot audit module {name!r}: expected a torch.nn.Module, got "
                f"{type(module).__name__}. Put bare parameters into a module."
            )
    if num_directions < 1:
        raise AuditError(
            f"Cannot audit gradients: expected at least 1 direction, got {num_directions}. Pass 3."
        )
