"""A line before the loops that cut polytopes are compiled for the first time on a machine."""

from __future__ import annotations

import logging
from functools import cache

_LOGGER = logging.getLogger("bitfold")
MESSAGE = "Compiling the loops that cut polytopes, once on this machine."


@cache
def announce_first_compile() -> None:
    """Log a warning if the loops are not compiled yet; once in a process."""
    # Imported late: both import Numba.
    from bitfold.polytopes.cutting.loops.dense import cut_dense_layers  # noqa: PLC0415
    from bitfold.runtime.compiling import is_stored  # noqa: PLC0415

    if not is_stored(cut_dense_layers):
        _LOGGER.warning(MESSAGE)
