"""The audit: which loss term reaches which module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor, nn

from bitfold.audit.judge import Base, Judge
from bitfold.audit.probe import Probe, Term
from bitfold.audit.probed_module import Subject
from bitfold.audit.report import AuditRow, GradientAudit, Verdict
from bitfold.errors import AuditError

# Evaluations without any displacement, to see whether a value comes out the same again.
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
    - ``weak``: it arrives at fewer than 10 % of the parameters that influence the value;
    - ``cut``: the value depends on the module, but there is no path for a gradient, or the gradient
      is zero here and at displaced parameters;
    - ``independent``: the value does not depend on the module.

    Parameters, gradients, buffers, plain attributes of modules, training mode and the random states
    of PyTorch, NumPy and Python are afterwards as they were, also if a term raises. See
    ``docs/audit.md`` for what is decided how, and for what an audit cannot see.

    Source: none, ours.

    Args:
        terms: name to a callable without arguments that returns a scalar: a tensor of one element
            or a number of Python's. It is called many times.
        modules: name to module. Its parameters with ``requires_grad`` are what is asked about.
        seed: of the random directions; no global random state plays a part.
        num_directions: random directions for each size of displacement, at least 1.

    Returns:
        A row for each pair, and a table as ``str``. ``ok`` is False exactly if a pair is cut.

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
    subjects = [
        Subject(name, module, bit, seed) for bit, (name, module) in enumerate(modules.items())
    ]
    probe = Probe(terms, modules, {subject.name: subject.parameters for subject in subjects})
    rows = [row for name in terms for row in _rows(probe, name, subjects, num_directions)]
    return GradientAudit(tuple(rows), probe.num_evaluations)


def assert_gradients_reach(
    terms: Mapping[str, Term],
    modules: Mapping[str, nn.Module],
    *,
    pairs: Iterable[tuple[str, str]] | None = None,
    seed: int = 0,
    num_directions: int = 3,
) -> None:
    """Fail a test if a loss term's gradient is cut off from a module that it depends on.

    Source: none, ours.

    Args:
        terms: as for `audit_gradients`.
        modules: as for `audit_gradients`.
        pairs: names of a term and a module whose verdict must be ``reaches``; other pairs may be
            anything, a cut that is meant included. None asks that no pair is cut.
        seed: as for `audit_gradients`.
        num_directions: as for `audit_gradients`.

    Raises:
        AssertionError: with the table, if a pair is not what is asked for.
        AuditError: as for `audit_gradients`, and if ``pairs`` names what is not there.

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
    probe: Probe, name: str, subjects: Sequence[Subject], num_directions: int
) -> Iterator[AuditRow]:
    wanted = list({id(p): p for subject in subjects for p in subject.parameters}.values())
    evaluation = probe.evaluate(name, wanted=wanted)
    repeats = [probe.value(name) for _ in range(NUM_REPEATS)]
    noise = max(abs(value - evaluation.number) for value in repeats)
    judge = Judge(probe, Base(name, evaluation, noise), num_directions)
    found: dict[int, Tensor | None] = {
        id(parameter): gradient
        for parameter, gradient in zip(wanted, evaluation.gradients, strict=True)
    }
    for subject in subjects:
        yield judge.judge(subject, [found[id(parameter)] for parameter in subject.parameters])


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
