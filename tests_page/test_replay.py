"""The replay page on a web host, with nothing but its one file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from bitfold.polytopes import partition
from bitfold.recording.network_view import without_sigmoid
from bitfold.studio.export.replay_page import write_replay_page
from bitfold.training import Config, Run, train
from tests_page.conftest import new_page


class Host(SimpleHTTPRequestHandler):
    """A web host that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Train a run of three epochs."""
    config = Config(
        target="ring", size=32, shape="[8]*2", points=300, batch_size=300, epochs=3,
        kolmogorov_weight=0.003, audit=False, output_dir=str(tmp_path / "ring"),
        snapshot_format="none", save_interval="1",
    )  # fmt: skip
    return train(config)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return the address of a web host, and its folder."""
    folder = tmp_path / "host"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


def test_a_replay_page_works_on_any_web_host(
    browser: Browser, run: Run, host: tuple[str, Path]
) -> None:
    """One file is asked for; time line, curves and values under the pointer are the run's."""
    write_replay_page(host[1] / "run.html", run.path)
    page = new_page(browser)
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{host[0]}/run.html")
    page.wait_for_function("() => document.querySelector('#folds-caption').textContent !== ''")
    page.locator("#timeline").fill("1")
    page.wait_for_function(
        "() => document.querySelector('#folds-caption').textContent.includes('epoch 1')"
    )
    page.wait_for_function("() => window.bitfold.isCurrent()")
    box = page.locator("#folds").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#place dd")
    output = float(page.locator("#place dd").first.inner_text().replace(",", ""))
    network, _ = without_sigmoid(run.network(1))
    expected = partition(network).evaluate(np.zeros((1, 2)))[0, 0]
    assert output == pytest.approx(expected, rel=1e-2, abs=5e-3)
    assert page.locator("#chart-losses canvas").is_visible()
    assert not page.locator("#step").is_visible()
    assert [url for url in asked if url.startswith("http")] == [f"{host[0]}/run.html"]
    assert problems == []
    page.close()
