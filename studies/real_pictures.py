"""Does ``bitfold train PICTURE`` give pictures that one would show? Trains on ten, and shows them.

``python -m studies.real_pictures FOLDER [--minutes 0.7] [--only screenshot,logo]`` writes ten
pictures into the folder: photographs, a screenshot, a page, a line drawing, a logo with
transparency, a scan of 16 bits and a GIF. It trains on each with the settings that bitfold chooses,
and writes ``FOLDER/sheet.png``: each picture above what its network draws at the same size.
A picture whose run is there is not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bitfold.cli.main import main as bitfold
from bitfold.experiments.network_picture import draw_network
from bitfold.experiments.pictures.similarity import psnr_db
from bitfold.networks import Picture
from bitfold.training import load_run

_TILE, _CAPTION, _COLUMNS = 400, 18, 5
_LARGE = 4
_INK, _PAPER, _BLUE, _GREY = "#1f2328", "#ffffff", "#0969da", "#57606a"


def _sample(name: str) -> Image.Image:
    import skimage  # noqa: PLC0415 - an extra

    return Image.open(next((Path(skimage.__file__).parent / "data").glob(f"{name}.*")))


def _screenshot() -> Image.Image:
    """A window with a menu, a list, a button and paragraphs of small letters."""
    picture = Image.new("RGB", (640, 400), _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 640, 36), fill="#24292f")
    pen.text((14, 9), "Project   Issues   Pull requests   Settings", _PAPER, _font(16))
    pen.rectangle((0, 36, 170, 400), fill="#f6f8fa")
    for number, word in enumerate(("Overview", "Source", "Tests", "Benchmarks", "Releases")):
        pen.text((18, 54 + 30 * number), word, _BLUE if number == 1 else _INK, _font(15))
    pen.text((190, 50), "How a network learns a picture", _INK, _font(24))
    lines = (
        "A network of plain coordinates learns the coarse",
        "shapes of a picture first. An encoding gives its",
        "first layer more than the coordinates, and the",
        "details come within minutes.",
    )
    for number, line in enumerate(lines):
        pen.text((190, 96 + 24 * number), line, _GREY, _font(16))
    pen.rounded_rectangle((190, 210, 330, 246), 8, fill="#2da44e")
    pen.text((260, 228), "Start training", _PAPER, _font(16), anchor="mm")
    for number, height in enumerate((30, 55, 42, 80, 95, 70)):
        pen.rectangle((200 + 60 * number, 370 - height, 240 + 60 * number, 370), fill=_BLUE)
    return picture


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _line_drawing() -> Image.Image:
    """A bicycle in thin black lines on paper."""
    picture = Image.new("L", (_LARGE * 480, _LARGE * 320), 255)
    pen = ImageDraw.Draw(picture)
    wide = 3 * _LARGE
    rear, front, pedals, seat, head = (110, 220), (370, 220), (215, 225), (180, 110), (335, 105)
    for centre in (rear, front):
        pen.circle(_at(centre), 75 * _LARGE, outline=0, width=wide)
        for angle in np.arange(12) * np.pi / 6:
            rim = centre[0] + 74 * np.cos(angle), centre[1] + 74 * np.sin(angle)
            pen.line([_at(centre), _at(rim)], fill=90, width=_LARGE)
    for first, second in ((rear, pedals), (pedals, head), (seat, pedals), (rear, seat),
                          (seat, head), (head, front)):  # fmt: skip
        pen.line([_at(first), _at(second)], fill=0, width=wide)
    pen.line([_at((150, 100)), _at((205, 100))], fill=0, width=2 * wide)
    pen.line([_at(head), _at((322, 70)), _at((360, 62))], fill=0, width=wide, joint="curve")
    pen.circle(_at(pedals), 18 * _LARGE, outline=0, width=wide)
    return picture.resize((480, 320), Image.Resampling.BOX)


def _at(point: tuple[float, float]) -> tuple[float, float]:
    return _LARGE * point[0], _LARGE * point[1]


def _scan() -> Image.Image:
    """Coins as a scanner of 16 bits gives them: fine levels within each of the 256."""
    grey = np.asarray(_sample("coins").convert("L"), np.float64)
    noise = np.random.default_rng(0).uniform(0, 1, grey.shape)
    return Image.fromarray((256 * grey + 255 * noise).astype(np.uint16))


def _turning() -> list[Image.Image]:
    """A pie that turns on a coloured ground, in 12 frames."""
    frames = []
    for number in range(12):
        picture = Image.new("RGB", (4 * 160, 4 * 120), "#2a6fb5")
        pen = ImageDraw.Draw(picture)
        for start, colour in ((0, "#f2b134"), (130, "#d43d2a"), (250, "#f4f2ec")):
            angle = start + 10 * number
            pen.pieslice((140, 60, 500, 420), angle, angle + 120, fill=colour)
        frames.append(picture.resize((160, 120), Image.Resampling.BOX))
    return frames


#: The files' names, and how they are made.
PICTURES: Final[dict[str, Callable[[], Image.Image | list[Image.Image]]]] = {
    "astronaut.png": lambda: _sample("astronaut"),
    "coffee.png": lambda: _sample("coffee"),
    "chelsea.jpg": lambda: _sample("chelsea").convert("RGB"),
    "rocket.jpg": lambda: _sample("rocket"),
    "screenshot.png": _screenshot,
    "page.png": lambda: _sample("page"),
    "lines.png": _line_drawing,
    "logo.png": lambda: _sample("logo"),
    "scan.png": _scan,
    "clip.gif": _turning,
}


def learned(folder: Path, name: str, minutes: float) -> tuple[Image.Image, Image.Image, str]:
    """Train on a picture as the command line does.

    Args:
        folder: gets the picture and the run.
        name: one of `PICTURES`.
        minutes: of training.

    Returns:
        The picture as it is learned, what the network draws at the same size, and a caption.
    """
    path, place = folder / name, folder / f"{name}.run"
    if not path.exists():
        made = PICTURES[name]()
        if isinstance(made, list):
            made[0].save(path, save_all=True, append_images=made[1:], duration=80, loop=0)
        else:
            made.save(path)
    if not place.exists():
        bitfold(["train", str(path), "--minutes", str(minutes), "--output-dir", str(place)])
    run = load_run(place)
    network, colours = run.network().eval(), run.target.class_colours
    if colours is not None:
        palette = tuple((int(red), int(green), int(blue)) for red, green, blue in colours)
        network.picture = replace(network.picture or Picture(), palette=palette)
    truth = run.target.picture()
    time = run.target.grid.frame_time(0) if run.target.is_clip else 0.0
    shown: NDArray[np.uint8] = draw_network(network, truth.shape[1], truth.shape[0], time)
    caption = f"{name}: {psnr_db(truth, shown):.1f} dB, {run.config.encoding}, {run.config.task}"
    return Image.fromarray(truth), Image.fromarray(shown), caption


def sheet(rows: list[tuple[Image.Image, Image.Image, str]]) -> Image.Image:
    """Return each picture above what its network draws, five beside each other."""
    high = 2 * _TILE + 2 * _CAPTION
    size = _COLUMNS * (_TILE + 6), -(-len(rows) // _COLUMNS) * high
    whole = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(whole)
    for number, (truth, shown, caption) in enumerate(rows):
        left, top = number % _COLUMNS * (_TILE + 6), number // _COLUMNS * high
        for below, picture in ((0, truth), (_TILE + 4, shown)):
            tile = picture.copy()
            tile.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
            whole.paste(tile, (left, top + below))
        pen.text((left, top + 2 * _TILE + 6), caption, fill="black", font=_font(13))
    return whole


def main() -> None:
    """Train on the pictures, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=0.7)
    parser.add_argument("--only", help="names without suffix, separated by commas")
    parser.add_argument("--figure", type=Path, help="also write the sheet here, half as large")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    wanted = given.only.split(",") if given.only else [Path(name).stem for name in PICTURES]
    rows = []
    for name in PICTURES:
        if Path(name).stem in wanted:
            rows.append(learned(given.folder, name, given.minutes))
            print(rows[-1][2], flush=True)
            sheet(rows).save(given.folder / "sheet.png")
    if given.figure is not None:
        whole = sheet(rows)
        half = whole.resize((whole.width // 2, whole.height // 2), Image.Resampling.LANCZOS)
        half.save(given.figure, quality=88)


if __name__ == "__main__":
    main()
