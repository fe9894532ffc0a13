"""The first compilation of the loops on a machine: said beforehand, for it takes a while."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

_LOGGER = logging.getLogger("bitfold")
MESSAGE = "Compiling the loops that cut polytopes, once on this machine: about half a minute."


@cache
def announce_first_compile() -> None:
    """Log a warning if the loops are not compiled yet; once in a process.

    Numba keeps what it compiles beside the package, or in ``NUMBA_CACHE_DIR``.
    """
    from bitfold.polytopes.cutting.cut_dense import cut_dense_layers  # noqa: PLC0415 - imports Numba

    loop: Any = cut_dense_layers
    place = loop.stats.cache_path
    if place is not None and not any(Path(place).glob("cut_dense.cut_dense_layers-*.nbi")):
        _LOGGER.warning(MESSAGE)
