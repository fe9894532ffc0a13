"""A partition of any module in a notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bitfold.polytopes import Partition, Plane, load_partition, partition
from bitfold.studio.notebook.partition_page import PartitionPage
from bitfold.studio.wire.message import VERSION, Message, decode

DOMAIN = (-1.0, -2.0), (3.0, 2.0)


def network_of(num_inputs: int, num_outputs: int) -> nn.Module:
    """Return a small network."""
    generator = torch.Generator().manual_seed(3)
    layers = (nn.Linear(num_inputs, 12), nn.ReLU(), nn.Linear(12, num_outputs))
    network = nn.Sequential(*layers).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, generator=generator)
    return network


@pytest.fixture
def found() -> Partition:
    """Return a partition on a plane through three inputs of five numbers."""
    plane = Plane.through(*torch.eye(5)[:3])
    return partition(network_of(5, 3), DOMAIN, plane)


class Page:
    """The other end of a comm."""

    def __init__(self, found: Partition) -> None:
        self.heard: list[Message] = []
        self.page = PartitionPage(lambda data: self.heard.append(decode(data)), found)
        self.say("hello", token="", version=VERSION)

    def say(self, kind: str, **fields: Any) -> Message:
        """Send a command; return the answer."""
        self.page.hear(json.dumps({"kind": kind, **fields}))
        return self.heard[-1]

    def look(self, x: float = 0.0, y: float = 0.0, half: float = 0.5) -> Message:
        """Look at a window."""
        window = {"x": x, "y": y, "half": half, "aspect": 1.0}
        return self.say("look", run="partition", view=0, faces="value", **window)


def test_the_whole_partition_is_shown(found: Partition) -> None:
    """The page shows all polytopes with y upwards, in the domain's aspect."""
    answer = Page(found).look()
    assert answer.facts["num_polytopes"] == found.num_polytopes
    assert answer.facts["picture_aspect"] == 1.0
    assert len(answer.facts["class_colours"]) == 3
    # The page's top left corner is the domain's (-1, 2).
    corner = np.abs(answer.arrays["corners"] - (-1, -1)).max(1).argmin()
    expected = found.evaluate([[-1.0, 2.0]])[0]
    np.testing.assert_allclose(answer.arrays["outputs"][corner], expected, rtol=1e-5)


def test_a_window_is_cut_anew_and_picked_exactly(found: Partition) -> None:
    """A window at a millionfold zoom has the partition's values and maps."""
    page = Page(found)
    x, y = 0.123, -0.077
    answer = page.look(x, y, 0.5e-6)
    assert answer.facts["num_polytopes"] >= 1
    place = page.say("locate", view=0, x=0.5, y=0.5).facts
    point = [1 + 4 * (x + 0.25e-6), 0 - 4 * (y + 0.25e-6)]
    np.testing.assert_allclose(place["outputs"], found.evaluate([point])[0], rtol=1e-9)
    centre = np.array([1 + 4 * x, -4 * y])
    maps = np.array(place["map"])
    np.testing.assert_allclose(
        maps[:, :2] @ (point - centre) + maps[:, 2], place["outputs"], rtol=1e-9
    )


@pytest.mark.parametrize("num_outputs", [1, 40])
def test_any_number_of_outputs_is_shown(num_outputs: int) -> None:
    """One output is shown as a share of its range, and many as the colour of the largest."""
    found = partition(network_of(2, num_outputs), DOMAIN)
    arrays = Page(found).look().arrays
    if num_outputs == 1:
        assert arrays["outputs"].min() == pytest.approx(0, abs=1e-6)
        assert arrays["outputs"].max() == pytest.approx(1, abs=1e-6)
    else:
        assert arrays["outputs"].shape[1] == 0
        assert len(arrays["face_colours"]) == found.num_polytopes


def test_a_partition_from_a_file_is_shown_too(found: Partition, tmp_path: Path) -> None:
    """A partition from a file has the positions, outputs and maps of the one with its network."""
    path = tmp_path / "found.npz"
    found.save(path)
    page, other = Page(load_partition(path)), Page(found)
    answer, expected = page.look(), other.look()
    for name in ("corners", "outputs"):
        one, two = (np.sort(each.arrays[name], 0) for each in (answer, expected))
        np.testing.assert_allclose(one, two, atol=1e-5)
    place, wanted = (p.say("locate", view=0, x=0.3, y=0.1).facts for p in (page, other))
    for name in ("outputs", "map", "area"):
        np.testing.assert_allclose(place[name], wanted[name], rtol=1e-6)


def test_what_is_seen_is_saved(found: Partition, tmp_path: Path) -> None:
    """The visible window is saved in the plane's coordinates; training is refused in one line."""
    page = Page(found)
    page.look(0.1, 0.1, 0.05)
    path = tmp_path / "seen.npz"
    path.write_bytes(page.say("save", view=0, format="npz").arrays["data"].tobytes())
    kept = load_partition(path)
    np.testing.assert_allclose(kept.vertices.min(0), [1.2, -0.6])
    np.testing.assert_allclose(kept.vertices.max(0), [1.6, -0.2])
    assert "nothing trains it" in page.say("play", run="partition").facts["text"]
