"""Names from a stranger move no cursor, and count neither as markup nor as HTML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import bitfold
from tests.run_folders.stranger_runs import Call, Place

HOSTILE = "\x1b[2J\x1b]0;owned\x07"
SHOWN = r"\x1b[2J\x1b]0;owned\x07"
MARKUP = "[/red][link=file:///etc]{{7*7}}<script>alert(1)</script>&amp;"


def is_shown(text: str) -> bool:
    """Return whether a terminal shows each line unchanged."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", ["\u202e" + HOSTILE, MARKUP.replace("/", ":") + "a\nb"])
def test_a_runs_name_is_shown_escaped(name: str, place: Place, call: Call) -> None:
    """Commands that train, draw, measure or fail print a run's name escaped."""
    run = place.run.rename(place.run.with_name(name))
    shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
    for words in (
        ["resume", "--epochs", "5"],
        ["render"],
        ["plot"],
        ["report"],
    ):
        said = call(words[0], run, *words[1:])
        assert said.code == 0, (words, said)
        assert is_shown(said.out + said.err), (words, said)
        assert shown in said.out, (words, said)
    (run / "config.toml").write_text("size = ", encoding="utf-8")
    said = call("render", run)
    assert said.is_refused(), said
    assert shown in said.err
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search("[\x00-\x08\x1b\u202e]", page)


@pytest.mark.parametrize("name", [HOSTILE, MARKUP])
def test_a_pictures_name_is_shown_escaped(name: str, place: Place, call: Call) -> None:
    """A picture's name is escaped from the configuration, the target's file and an error."""
    toml = name.encode("unicode_escape").decode().replace("\\x", "\\u00")
    place.set(f'target = "{toml}"')
    for words in (["resume", "--epochs", "5"], ["report"], ["plot", "-o", place.run / "a.svg"]):
        said = call(words[0], place.run, *words[1:])
        assert said.code == 0, (words, said)
        assert is_shown(said.out + said.err)
    page = (place.run / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search("[\x00-\x08\x1b\u202e]", page)
    assert is_shown((place.run / "a.svg").read_text(encoding="utf-8"))
    run = bitfold.load_run(place.run)
    assert "<script" not in run._repr_html_()
    said = call("train", name)
    assert said.is_refused(), said
    assert (SHOWN if name == HOSTILE else "{{7*7}}<script>") in said.err


@pytest.mark.parametrize("name", [HOSTILE, MARKUP])
def test_a_run_in_a_legend_is_text(name: str, place: Place, call: Call) -> None:
    """In the SVG of several runs, names are text, and neither markup nor formulas."""
    other = place.run.rename(place.run.with_name(name.replace("/", ":") + "$x^{2$-->\u7167\u7247"))
    output = place.outside.parent / "a.svg"
    said = call("plot", other, other, "-o", output)
    assert (said.code, said.err) == (0, "")
    text = output.read_text(encoding="utf-8")
    assert "<script" not in text
    assert is_shown(text)


class Odd(nn.Module):
    """A module whose tensor has a hostile name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.ones(3, 3)))


@pytest.mark.parametrize("name", [MARKUP.replace(".", "")])
def test_a_tensors_name_is_shown_escaped(name: str, tmp_path: Path, call: Call) -> None:
    """A tensor's name is escaped in a file's table, on a notebook's page and in errors."""
    path = tmp_path / "a.bitfold"
    with pytest.raises(bitfold.BitfoldError, match=re.escape(f"got {HOSTILE!r}")):
        bitfold.write_model(path, Odd(HOSTILE), names=True)
    bitfold.write_model(path, Odd(name), names=True)
    said = call("info", path)
    assert said.code == 0, said
    assert is_shown(said.out)
    assert name in said.out
    assert "<script" not in bitfold.model_file.model_info(path)._repr_html_()
    with pytest.raises(bitfold.BitfoldError) as caught:
        bitfold.read_model(path, into=nn.Linear(3, 3))
    assert is_shown(str(caught.value))
    assert "\n" not in str(caught.value)


def test_words_of_the_command_line_are_shown_escaped(call: Call) -> None:
    """Words of the command line, which may hold a stranger's file name, are printed escaped."""
    for words in (
        ["train", HOSTILE],
        [HOSTILE],
        ["train", "ring", f"--{HOSTILE}"],
        ["train", "ring", "--shape", HOSTILE],
        ["train", "ring", "--config", HOSTILE],
        ["info", HOSTILE],
        ["decompress", HOSTILE, "-o", "a.png"],
        ["plot", HOSTILE],
        ["frontier", "ring", "--lambdas", HOSTILE],
    ):
        said = call(*words)
        assert said.is_refused(), (words, said)
        assert re.search(r"\\x1b\[2J", said.err), (words, said)
