"""Output of a training command's listeners for events of two processes."""

from __future__ import annotations

import logging

import pytest

from bitfold.cli.console.training_listeners import CommandListeners
from bitfold.recording import Recorder
from bitfold.training import Config


@pytest.mark.parametrize("is_drawing_first", [False, True])
def test_a_notice_of_both_processes_is_printed_once(
    is_drawing_first: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trainer and drawing process find the same folder unwritable; the user reads one line."""
    config = Config(target="ring")
    lines = ["Cannot keep compiled loops in A.", "Cannot keep compiled loops in B."]
    with CommandListeners(config, [], quiet=False) as listeners:
        (recorder,) = (one for one in listeners.all if isinstance(one, Recorder))
        for _ in range(2):
            for line in lines:
                if is_drawing_first:
                    recorder._on_notice(line)
                logging.getLogger("bitfold").warning(line)
                recorder._on_notice(line)
    out, error = capsys.readouterr()
    assert (out + error).splitlines() == lines
    assert (out if is_drawing_first else error).splitlines() == lines


def test_after_a_training_nothing_listens_to_the_log() -> None:
    """A command that trains twice in one process does not print lines twice."""
    before = list(logging.getLogger("bitfold").handlers)
    with CommandListeners(Config(target="ring"), [], quiet=True):
        assert len(logging.getLogger("bitfold").handlers) == len(before) + 1
    assert logging.getLogger("bitfold").handlers == before
