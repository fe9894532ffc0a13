"""A checkpoint with bad facts is named with the field, and the previous one is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from safetensors.torch import load, save

import bitfold
from bitfold.training.store.checkpoints import _digest
from tests.run_folders.stranger_runs import Call, Place

#: A change of facts and tensors that returns the facts as text.
Change = Callable[[dict[str, Any], dict[str, Any]], str]


def rewrite(place: Place, epoch: int, change: Change) -> None:
    """Change the facts and tensors of a checkpoint, with a correct checksum."""
    path = place.run / "checkpoints" / f"epoch-{epoch:09d}.safetensors"
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    facts = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["bitfold"])
    tensors = load(data)
    text = change(facts, tensors)
    path.write_bytes(save(tensors, {"bitfold": text, "sha256": _digest(tensors, text)}))


def fact(name: str, value: object) -> Change:
    """Return a change of one fact."""
    return lambda facts, _: json.dumps({**facts, name: value})


def setting(line: str) -> Change:
    """Return a change of one setting of the configuration among the facts."""

    def changed(facts: dict[str, Any], _: object) -> str:
        name = line.split(" ", maxsplit=1)[0]
        lines = [one for one in facts["config"].splitlines() if not one.startswith(name + " ")]
        return json.dumps({**facts, "config": "\n".join([line, *lines])})

    return changed


WRONG: dict[str, tuple[Change, str]] = {
    "infinity": (fact("epoch", float("inf")), "epoch: expected an epoch of 0 to 1,000,000,000, g"),
    "far": (fact("epoch", 2**80), "epoch: expected an epoch of 0 to 1,000,000,000, got 1208925"),
    "text": (fact("epoch", "4"), "epoch: expected an epoch of 0 to 1,000,000,000, got '4'"),
    "another's": (fact("epoch", 3), "epoch: expected that of its name, got 3"),
    "deep": (lambda *_: "[" * 10**5, "it is nested too deeply"),
    "list": (lambda *_: "[1]", "its facts are no object"),
    "config": (fact("config", 7), "config: got 7"),
    "loss": (fact("validation_loss", "low"), "validation_loss: got 'low'"),
    "number for a text": (setting("optimizer = 7"), "--optimizer: expected a text, got 7"),
    "deep setting": (setting(f"optimizer = {'[' * 30_000}"), "it is nested too deeply"),
    "escapes": (setting(r'optimizer = "\u001b[2J"'), r"got '\x1b[2J'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_checkpoint_before_is_used(name: str, place: Place, call: Call) -> None:
    """The line names file and field, and training continues from two epochs earlier."""
    change, expected = WRONG[name]
    rewrite(place, 4, change)
    said = call("resume", place.run, "--epochs", "6")
    assert said.code == 0, said
    shown = " ".join(said.out.split())
    assert "epoch-000000004.safetensors" in shown
    assert "The checkpoint before it is used." in shown
    assert expected in shown
    assert bitfold.load_run(place.run).metrics["epoch"] == [1, 2, 3, 4, 5, 6]
    assert place.is_untouched()


def test_without_one_before_it_nothing_is_changed(place: Place, call: Call) -> None:
    """If all checkpoints are damaged, the newest is named and no file changes."""
    for epoch in (0, 2, 4):
        rewrite(place, epoch, fact("epoch", float("inf")))
    before = place.files()
    for words in (["resume", "--epochs", "6"], ["audit"]):
        said = call(words[0], place.run, *words[1:])
        assert said.is_refused(), said
        assert "epoch-000000004.safetensors: it is damaged (epoch: expected an epoch" in said.err
    assert place.files() == before


def test_a_checkpoint_of_any_size_is_not_read(place: Place, call: Call) -> None:
    """A checkpoint larger than this network's can be is refused by its size, unread."""
    path = place.run / "checkpoints" / "epoch-000000004.safetensors"
    with path.open("r+b") as file:
        file.truncate(2**40)
    said = call("compress", place.run, "-o", "a.bitfold")
    assert said.is_refused(), said
    assert "expected at most 67," in said.err
    assert "got 1,099,511,627,776" in said.err
    assert place.is_untouched()
