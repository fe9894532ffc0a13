"""The replay page: its content is the run's, and it loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitfold.cli.main import main
from bitfold.errors import StudioError
from bitfold.polytopes import partition
from bitfold.recording.network_view import NetworkView
from bitfold.studio.export import packing, replay_page
from bitfold.studio.export.packing import packed
from bitfold.studio.export.replay_page import write_replay_page
from bitfold.studio.viewer.cutting import cut
from bitfold.studio.viewer.run_view import RunView
from bitfold.studio.viewer.window import Window
from bitfold.studio.wire.message import Message, decode
from bitfold.training import Config, Run, train

INDEX = """<!doctype html><html><head>
  <meta charset="utf-8"><title>bitfold studio</title>
  <link rel="stylesheet" href="studio.css">
  <script type="module" src="studio.js"></script>
</head><body></body></html>"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train six epochs, in a folder whose name is almost markup."""
    folder = tmp_path_factory.mktemp("runs") / "ring <b> & co"
    config = Config(
        target="ring", size=32, shape="[6]*2", epochs=6, points=200, save_interval="1",
        audit=False, output_dir=str(folder),
    )  # fmt: skip
    return train(config)


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a built page of a few characters."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text(INDEX)
    (folder / "studio.css").write_text("body { margin: 0 }")
    (folder / "replay.js").write_text('console.log("</script>")')
    monkeypatch.setattr(replay_page, "PAGE", folder)
    monkeypatch.chdir(tmp_path)


def recorded_in(page: str) -> dict[str, Any]:
    """Return the data in the page."""
    found = re.search(r'<script type="application/json" id="recorded">(.*?)</script>', page, re.S)
    assert found is not None
    return dict(json.loads(found.group(1)))


def message_of(text: str) -> Message:
    """Return a message of the page."""
    return decode(zlib.decompress(base64.b64decode(text)))


def test_a_page_has_all_moments_and_metrics(run: Run, tmp_path: Path) -> None:
    """The page has all metrics, and each moment's partition is that of the network at its epoch."""
    path = tmp_path / "run.html"
    assert write_replay_page(path, run.path) == 7
    recorded = recorded_in(path.read_text())
    assert [moment["epoch"] for moment in recorded["moments"]] == list(range(7))
    for moment in recorded["moments"]:
        found = message_of(moment["data"])
        expected = partition(run.network(moment["epoch"])).num_polytopes
        assert found.facts["num_polytopes"] == expected == (found.arrays["sizes"] > 0).sum()
    said = {one.kind: one for one in map(message_of, recorded["said"])}
    columns = said["hello"].facts["columns"]
    losses = said["moment"].arrays["rows"][:, columns.index("task_loss")]
    assert losses.tolist() == run.metrics["task_loss"]
    assert (said["target"].arrays["pixels"] == run.target.pixels).all()


def test_a_small_picture_of_classes_keeps_the_class_of_each_pixel(tmp_path: Path) -> None:
    """A large target of classes is thinned out together with its classes."""
    config = Config(
        target="rgb-ring", size=300, shape="[4]", points=64, epochs=1, audit=False,
        output_dir=str(tmp_path / "run"), snapshot_format="none",
    )  # fmt: skip
    run = train(config)
    write_replay_page(tmp_path / "run.html", run.path)
    said = recorded_in((tmp_path / "run.html").read_text())["said"]
    target = next(one for one in map(message_of, said) if one.kind == "target")
    shown = target.arrays["pixels"][0]
    assert len(shown) < 300
    assert run.target.classes is not None
    step = -(-300 // len(shown))
    classes = run.target.classes.reshape(300, 300)[::step, ::step]
    assert (shown == np.array(target.facts["shown_colours"])[classes]).all()


def numbers(message: Message, name: str) -> list[int]:
    """Unpack numbers of a moment, whose first bytes are stored together."""
    found = [0] * len(message.arrays[f"{name}_0"])
    for index in range(4):
        for place, byte in enumerate(message.arrays.get(f"{name}_{index}", ())):
            found[place] |= int(byte) << (8 * index)
    return found


def signed(code: int) -> int:
    """Decode 0, -1, 1, -2, ..."""
    return -((code + 1) >> 1) if code & 1 else code >> 1


def corners_of(message: Message) -> list[list[int]]:
    """Return each face's vertices in order of appearance, by a plain search for the open sides."""
    codes, count, faces = iter(numbers(message, "codes")), 0, []
    sides: list[tuple[int, int]] = []  # the open ones
    for size in message.arrays["sizes"].tolist():
        gate = sides[-1] if sides else None
        if size == 0:
            sides.pop()
            continue
        face = [] if gate is None else [gate[1], gate[0]]
        while len(face) < size:
            starts = [a for a, b in reversed(sides) if face and b == face[-1]]
            code = next(codes)
            if code == 0:
                face.append(count)
                count += 1
            else:
                known = count - (code - len(starts))
                face.append(starts[code - 1] if code <= len(starts) else known)
        for one, other in zip(face, [*face[1:], face[0]], strict=True):
            if (other, one) in sides:
                sides.remove((other, one))
            else:
                sides.append((one, other))
        faces.append(face)
    assert sides == []
    return faces


@pytest.mark.parametrize("epoch", [0, 6])
def test_a_packed_partition_is_within_its_rounding(run: Run, epoch: int) -> None:
    """Packed vertices err by a 65,535th of the window; fold owners and outputs are exact."""
    view = NetworkView.of_network(run.network(epoch), run.target)
    window = Window(0.05, 0.0, 0.25, 1.5)
    found = cut(view, window)
    message = packed(found, view, window, epoch)
    faces = corners_of(message)
    corners = np.concatenate(faces)
    x, y = (np.cumsum([signed(c) for c in numbers(message, axis)]) % 65536 for axis in "xy")
    places = np.stack([(x[corners] / 65535 * 2 - 1) * 1.5, y[corners] / 65535 * 2 - 1], 1)
    order = packing._Walk(found).vertices
    np.testing.assert_allclose(places, found.vertices[order][corners], atol=1.5 / 65535)
    rims = pairwise(found.face_offsets.tolist())
    whole = {frozenset(found.face_vertices[a:b].tolist()) for a, b in rims}
    old = dict(enumerate(order))
    assert {frozenset(old[vertex] for vertex in face) for face in faces} == whole
    sides = {
        frozenset((old[one], old[other])): None
        for face in faces
        for one, other in zip(face, [*face[1:], face[0]], strict=True)
    }
    owned = np.diff(found.owner_offsets) > 0
    first = np.append(found.owners, 0)[found.owner_offsets[:-1]]
    ends = map(frozenset, found.edges[owned].tolist())
    wanted = dict(zip(ends, (first[owned] + 1).tolist(), strict=True))
    given = dict(zip(sides, numbers(message, "neurons"), strict=True))
    assert {side: neuron for side, neuron in given.items() if neuron} == wanted
    values = values_of(message, faces, x.tolist(), y.tolist())
    low, high = message.facts["lows"][0], message.facts["highs"][0]
    outputs = low + np.array(values)[corners] / 65535 * (high - low)
    expected = found.vertex_outputs[order][corners, 0]
    np.testing.assert_allclose(outputs, expected, atol=(high - low) / 65535)


def values_of(message: Message, faces: list[list[int]], x: list[int], y: list[int]) -> list[int]:
    """Return the outputs as whole numbers, vertex by vertex."""
    codes = numbers(message, "outputs0")
    values: list[int] = []
    for face in faces:
        known = [vertex for vertex in face if vertex < len(values)]
        for vertex in face:
            if vertex == len(values):
                triple = packing._triangle(known, x, y)
                before = values[-1] if values else 0
                expected = packing._affine(triple, vertex, x, y, values) if triple else before
                values.append((expected + signed(codes[vertex])) % 65536)
                known.append(vertex)
    return values


def test_moments_are_thinned_to_the_size(run: Run, tmp_path: Path) -> None:
    """Moments are thinned to the given size, and the first and the last stay."""
    path = tmp_path / "run.html"
    write_replay_page(path, run.path)
    recorded = recorded_in(path.read_text())
    each = max(len(moment["data"]) for moment in recorded["moments"])
    room = 3 * each
    shown = RunView(str(run.path))
    found = replay_page._moments(shown, room)
    assert sum(len(moment["data"]) for moment in found) <= room
    assert 2 <= len(found) < 7
    assert (found[0]["epoch"], found[-1]["epoch"]) == (0, 6)


def test_a_page_runs_its_own_script_alone(run: Run, tmp_path: Path) -> None:
    """The policy allows only the page's own script by its hash, and names are escaped."""
    path = tmp_path / "run.html"
    write_replay_page(path, run.path)
    page = path.read_text()
    script = page[page.index("<script>") + 8 : page.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert page.count("</script>") == 2
    assert "<title>ring &lt;b> &amp; co, bitfold</title>" in page
    assert "<b>" not in page
    assert not re.search(r"(src|href)=", page)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["nowhere", "-o", "run.html"], "Cannot open run nowhere"),
        (["RUN", "-o", "run.png"], "expected a name ending in .html"),
        (["RUN", "-o", "run.html", "--megabytes", "0.1"], "at least 300,000 bytes"),
        (["RUN", "-o", "run.html", "--megabytes", "-1"], "more than 0"),
    ],
)
def test_what_cannot_be_written_is_refused(
    run: Run, words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An impossible request is refused in one line, and no file is left."""
    assert main(["export", *(str(run.path) if word == "RUN" else word for word in words)]) == 2
    assert problem in capsys.readouterr().err
    assert not list(tmp_path.glob("run.*"))


def test_without_a_built_page_a_line_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the built page, a line says so."""
    monkeypatch.setattr(replay_page, "PAGE", tmp_path / "none")
    with pytest.raises(StudioError, match="expected a built page"):
        write_replay_page(tmp_path / "run.html", run.path)
