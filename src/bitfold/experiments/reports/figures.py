"""The figures of a report, each of which holds its own data."""

from __future__ import annotations

import base64
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from bitfold.experiments.network_picture import draw_picture
from bitfold.experiments.reports.facts import Facts
from bitfold.recording import FrameMaker, FrameStyle, NetworkView
from bitfold.render import encode_png, plot_losses
from bitfold.render.colours import BLUE, INK, MUTED, RULE, Colour
from bitfold.targets import Target
from bitfold.targets.classes import display_class_colours
from bitfold.training import Moment, Run

#: The longer side of each of the three pictures, and the largest side of a panel of the frame.
PICTURE_PX, PANEL_PX = 360, 512
# The colour of pixels without a class.
_GREY = 128
_SVG = "{http://www.w3.org/2000/svg}"
_LEFT_OUT = {f"{_SVG}metadata", f"{_SVG}style"}
_LINK = "{http://www.w3.org/1999/xlink}href"
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", BLUE: "accent"}


@dataclass(frozen=True)
class Image:
    """A picture as an ``img`` element takes it.

    Args:
        source: the picture as a ``data:`` URL.
        width: in pixels.
        height: in pixels.
    """

    source: str
    width: int
    height: int


def image(rgb: NDArray[np.uint8]) -> Image:
    """Return a picture as PNG within a URL.

    Args:
        rgb: uint8 (height, width, 3).
    """
    data = base64.b64encode(encode_png(rgb, 9)).decode()
    height, width, _ = rgb.shape
    return Image(f"data:image/png;base64,{data}", width, height)


def curve(run: Run) -> Markup | None:
    """Return the losses over epochs as SVG in the colours of the page; None before any epoch."""
    metrics = run.metrics
    if all(loss is None for loss in metrics["task_loss"]):
        return None
    with TemporaryDirectory(prefix="bitfold-") as folder:
        path = Path(folder) / "curve.svg"
        plot_losses({run.path.name: metrics}, path, what="summary")
        return _inlined(path.read_text(encoding="utf-8"))


def _inlined(text: str) -> Markup:
    """An SVG file as an element of the page, its colours replaced by variables of the page."""
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        # A style element would apply to the whole page.
        for child in [one for one in parent if one.tag in _LEFT_OUT]:
            parent.remove(child)
    # White fills the background of the figure and of each panel.
    colours = {"#ffffff": "none"}
    colours |= {_hex(colour): f"var(--{name})" for colour, name in _VARIABLES.items()}
    # Matplotlib draws new random names each time; numbered names keep the page the same.
    names = {one.attrib["id"]: f"c{n}" for n, one in enumerate(root.iter()) if "id" in one.attrib}
    pattern = re.compile("|".join(colours))
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if _LINK in element.attrib:
            element.set("href", "#" + names[element.attrib.pop(_LINK)[1:]])
        if "id" in element.attrib:
            element.set("id", names[element.attrib["id"]])
        if "clip-path" in element.attrib:
            name = element.attrib["clip-path"].removeprefix("url(#").removesuffix(")")
            element.set("clip-path", f"url(#{names[name]})")
        if "style" in element.attrib:
            style = pattern.sub(lambda found: colours[found[0]], element.attrib["style"])
            element.set("style", style)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", "losses, K, description length and quality over the epochs")
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def last_frame(facts: Facts) -> NDArray[np.uint8]:
    """Return the frame of the newest weights, in the style of the run: uint8 (height, width, 3)."""
    run, style = facts.run, FrameStyle.of(facts.run.config)
    side = min(PANEL_PX, max(style.panel_px(run.target)))
    maker = FrameMaker(run, dataclasses.replace(style, longer_side_px=side))
    columns = run.metrics
    rows = [number for number, epoch in enumerate(columns["epoch"]) if epoch == facts.epoch]
    metrics = {name: column[rows[0]] for name, column in columns.items()} if rows else {}
    return maker.draw(Moment(facts.epoch, metrics, facts.network.state_dict())).copy()


def pictures(facts: Facts) -> list[NDArray[np.uint8]]:
    """Return target, network and decoded network as pictures: uint8 (height, width, 3) each."""
    target = facts.run.target
    scale = PICTURE_PX / max(target.grid.width, target.grid.height)
    width = max(1, round(scale * target.grid.width))
    height = max(1, round(scale * target.grid.height))
    colours = None
    if target.class_colours is not None:
        colours = display_class_colours(target.class_colours) / 255
    networks = (facts.network, facts.coded.network)
    drawn = [draw_picture(NetworkView(one, colours), width, height, 0.0) for one in networks]
    return [_shown(target, width, height), *drawn]


def _shown(target: Target, width: int, height: int) -> NDArray[np.uint8]:
    """The picture, or the middle frame of the clip, resized by the nearest pixels."""
    frame = target.grid.frame_at(0.0) if target.is_clip else 0
    rows = np.arange(height) * target.grid.height // height
    columns = np.arange(width) * target.grid.width // width
    if target.classes is None or target.class_colours is None:
        return target.picture(frame)[rows][:, columns]
    size = target.grid.width * target.grid.height
    classes = target.classes[frame * size : (frame + 1) * size]
    colours = np.vstack([display_class_colours(target.class_colours), 3 * [_GREY]])
    shown = colours.astype(np.uint8)[classes].reshape(target.grid.height, target.grid.width, 3)
    return np.asarray(shown[rows][:, columns])
