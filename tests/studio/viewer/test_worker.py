"""The process that cuts for pages."""

from __future__ import annotations

from typing import Any

from bitfold.polytopes.cutting.loops.dense import cut_dense_layers
from bitfold.studio.viewer.worker import Viewer
from bitfold.studio.wire.message import Message


def test_what_the_first_cut_needs_can_be_loaded_before() -> None:
    """Loading cuts a network, so that the loops are in memory when the first page looks."""
    loop: Any = cut_dense_layers
    loop._reset_overloads()
    assert Viewer().answer(Message("load")).kind == "loaded"
    assert loop.overloads
