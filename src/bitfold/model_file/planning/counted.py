"""Numbers that are written as they are, counted where few values come up again and again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitfold.entropy_coding.value_counts import values_of
from bitfold.model_file.syntax.plan import COUNTED_WHOLES, FLOATS, LISTED, WHOLES, TensorPlan

# Fewer numbers are not worth a file of version 2, which earlier releases cannot read.
_LEAST_SAVED_BITS = 256


def shorter_plain(plan: TensorPlan) -> tuple[TensorPlan, float]:
    """The plan by counts where that is shorter: masks, codebooks and int8 weights are examples.

    Args:
        plan: of numbers that are written as they are.

    Returns:
        The same plan or one that codes the same numbers, and its bits.
    """
    if plan.raw is None:
        return plan, 0.0
    plainly = 8.0 * plan.raw.nbytes
    numbers, listed = plan.raw, 0.0
    if plan.method == FLOATS:
        # The bits tell zeros of either sign and all NaN apart.
        distinct, numbers = np.unique(plan.raw.view("<u4"), return_inverse=True)
        listed = 32.0 * len(distinct)
    if plan.method not in (FLOATS, WHOLES) or listed >= plainly:
        return plan, plainly
    found = values_of(numbers.astype(np.int64)) if len(numbers) else None
    if found is None or found[1] + listed > plainly - _LEAST_SAVED_BITS:
        return plan, plainly
    method = LISTED if plan.method == FLOATS else COUNTED_WHOLES
    return replace(plan, method=method), found[1] + listed
