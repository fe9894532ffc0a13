"""Exceptions that nobody expected."""

from __future__ import annotations

import pytest

from bitfold.studio.fault import fault_line, log_fault


def test_a_fault_is_one_line_and_its_traceback_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A person reads what failed and what to do, and the log has what a developer needs."""
    try:
        raise LookupError("client\n" * 1000)
    except LookupError as error:
        line = fault_line("show ring", error)
    assert line.startswith("Cannot show ring: a fault of bitfold (LookupError: client\\nclient")
    assert line.endswith("); please report it with the traceback in the log.")
    assert "\n" not in line
    assert len(line) < 400
    assert caplog.records[0].message == "Cannot show ring."
    assert "Traceback" in caplog.text


def test_want_of_memory_is_no_fault() -> None:
    """A line about memory asks nobody for a report."""
    assert log_fault("show ring", MemoryError()) == "the memory does not suffice"
