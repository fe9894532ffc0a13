"""The orders of the server, as a trainer hears them."""

from __future__ import annotations

import io

import pytest

from bitfold.studio.trainer.orders import END, OrdersOfServer


def test_orders_come_one_by_one_and_then_the_end() -> None:
    """The end of the input is the order to stop."""
    orders = OrdersOfServer(io.StringIO('{"kind": "play"}\n{"kind": "pause"}\n'))
    assert [orders.next(20) for _ in range(3)] == [{"kind": "play"}, {"kind": "pause"}, END]
    assert orders.next(0) is None


def test_a_trainer_whose_orders_cannot_be_read_is_told() -> None:
    """The reader's exception reaches the trainer, which would otherwise never hear the end."""
    orders = OrdersOfServer(io.StringIO('{"kind": "play"}\nnonsense\n'))
    assert orders.next(20) == {"kind": "play"}
    with pytest.raises(ValueError, match="Expecting value"):
        orders.next(20)
