"""The gradient audit of a learner, and the message if a gradient is cut."""

from __future__ import annotations

from bitfold.audit import GradientAudit, Verdict, audit_gradients
from bitfold.training.step.learner import Learner

#: Exit code of a program whose run an audit ended.
AUDIT_EXIT_CODE = 6


def audit_learner(learner: Learner) -> GradientAudit:
    """Audit the gradients of task loss and K over the first batch, at network and predictor.

    The state of training stays as it is, random states included.

    Raises:
        AuditError: a term is not finite.
    """
    return audit_gradients(learner.objective.terms(), learner.modules())


def cut_message(audit: GradientAudit) -> str:
    """Return a line that names the cut gradients.

    Args:
        audit: an audit that is not ``ok``.
    """
    pairs = [(row.term, row.module) for row in audit.rows if row.verdict == Verdict.CUT]
    named = " and ".join(f"that of {term} does not reach the {module}" for term, module in pairs)
    return (
        f"Not trained: a gradient is cut, {named}, though the value depends on it. audit.txt in "
        "the run's folder names the line of code; `audit=False` trains all the same."
    )
