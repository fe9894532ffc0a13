"""The last frame of each run, small: the folds over what the network computes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from PIL import Image

from bitfold.errors import BitfoldError
from bitfold.experiments.comparison.entries import Entry
from bitfold.recording import FrameMaker, FrameStyle
from bitfold.training import Moment, Run

# With many runs pictures are smaller, so that a thousand take some ten megabytes.
_LARGE_PX, _SMALL_PX, _MANY = 192, 128, 300
_QUALITY: Final = 72


def thumbnails(entries: Sequence[Entry]) -> list[str | None]:
    """Return a picture as a ``data:`` URL for each run; None where nothing can be drawn."""
    side = _LARGE_PX if len(entries) <= _MANY else _SMALL_PX
    return [_thumbnail(entry, side) for entry in entries]


def _thumbnail(entry: Entry, side: int) -> str | None:
    if entry.run is None:
        return None
    try:
        return _drawn(entry.run, side)
    except BitfoldError:  # it has kept no weights, or they are damaged
        return None


def _drawn(run: Run, side: int) -> str | None:
    epochs = run.epochs()
    if not epochs:
        return None
    style = FrameStyle.of(run.config)
    maker = FrameMaker(run, replace(style, longer_side_px=side, layout="folds"))
    frame = maker.draw(Moment(epochs[-1], {}, run.network().state_dict()))
    data = io.BytesIO()
    Image.fromarray(frame).save(data, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
