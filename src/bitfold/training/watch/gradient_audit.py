"""Whether every loss term of a training reaches what learns, and what to say of it."""

from __future__ import annotations

from bitfold.audit import GradientAudit, Verdict, audit_gradients
from bitfold.training.step.learner import Learner

#: Of a program whose run an audit ended.
AUDIT_EXIT_CODE = 6


def audit_learner(learner: Learner) -> GradientAudit:
    """Audit task loss and K, over the first batch, against network and predictor.

    Nothing that training goes on with is changed, random states included.

    Raises:
        AuditError: a term is not finite.
    """
    return audit_gradients(learner.objective.terms(), learner.modules())


def cut_message(audit: GradientAudit) -> str:
    """Say in one line which gradients are cut.

    Args:
        audit: one that is not ``ok``.
    """
    pairs = [(row.term, row.module) for row in audit.rows if row.verdict == Verdict.CUT]
    named = " and ".join(f"that of {term} does not reach the {module}" for term, module in pairs)
    return (
        f"Not trained: a gradient is cut, {named}, though the value depends on it. audit.txt in "
        "the run's folder names the place; `audit=False` trains all the same."
    )
