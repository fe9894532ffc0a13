"""The picture of a network on one plane, by the exact engine or sampled at the pixels."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bitfold.errors import PolytopeError
from bitfold.networks import PolytopeNet
from bitfold.polytopes import Partition, estimate_polytopes, partition, sample_partition
from bitfold.polytopes.drawing.palette import layer_colours
from bitfold.polytopes.drawing.raster import Raster, fold_segments
from bitfold.polytopes.encoding_layers import FAINT_SHARE
from bitfold.polytopes.subdivision.level_sets import boundary_segments, level_segments
from bitfold.recording.face_colours import as_bytes, face_colours, face_mark, mapped
from bitfold.recording.frame_style import FrameStyle
from bitfold.recording.network_view import slice_plane, without_sigmoid
from bitfold.render import LineOverlay, Mark, Slice, View
from bitfold.targets import Target, window_axes

# The largest panel has fewer pixels, so more polytopes could not be seen.
_MOST_POLYTOPES = 2**22
# An encoding's cells along a side from which polytopes are estimated: fewer are searched quickly.
_LEAST_CELLS_SIDE = 32
# A panel whose shorter side has this many pixels gets lines one pixel wide.
_THIN_LINE_PX = 640
# Widths of the decision boundary and of its light casing, in widths of a fold.
_BOUNDARY, _CASING = 1.8, 3.4
_BLACK, _WHITE = np.zeros((1, 3), np.uint8), np.full((1, 3), 255, np.uint8)
# Most colours that tell neurons or layers apart: overlays number them in a byte.
_MOST_NUMBERS = 255
# Steps by the golden ratio around the colour circle keep all colours apart.
_GOLDEN = 0.618034


_LOGGER = logging.getLogger("bitfold")


class PartitionSlice(NamedTuple):
    """A network on a plane.

    Attributes:
        piece: the slice to paint.
        num_polytopes: number of polytopes; if sampled, of those with a pixel's centre.
        is_exact: whether the exact engine found them.
    """

    piece: Slice
    num_polytopes: int
    is_exact: bool


class PartitionSlicer:
    """Turns a network into slices for the painter, in one style.

    Args:
        network: in evaluation mode; its weights may change between slices.
        target: the target of training.
        style: how frames look.

    Raises:
        PolytopeError: the layout is ``layers``, and the exact engine does not support the network.
    """

    def __init__(self, network: PolytopeNet, target: Target, style: FrameStyle) -> None:
        self._network, self._target, self._style = network, target, style
        self._piecewise, self._is_squashed = without_sigmoid(network)
        self._width, self._height = style.panel_px(target)
        window = style.window
        self._corners = (window.x0, window.y0), (window.x1, window.y1)
        self._raster = Raster(*self._corners, self._width, self._height)
        self._xs, self._ys = window_axes(window, self._width, self._height)
        self._line_width = max(1.0, min(self._width, self._height) / _THIN_LINE_PX)
        self._layers = self._layer_names()
        if style.layout == "layers" and not self._layers:
            raise PolytopeError(
                "Cannot draw a panel for each of the layers: expected a piecewise linear network "
                "and the exact engine, got a smooth network or the sampled engine. Choose the "
                "layout full or folds."
            )
        self._palette = self._fold_colours()
        self._has_told = False

    def view(self) -> View:
        """Return the headings and marks of the panel with folds, where they are not the usual."""
        style = self._style
        if not self._layers:
            return View()
        heading, marks = face_mark(style.faces)
        if self._palette is not None:
            words = f"fold, by {style.fold_colour}", "fold"
            marks = (*marks, Mark(words, "colours", colours=self._palette))
        elif marks:
            marks = (*marks, Mark(("fold",), "fold"))
        if style.layout == "layers":
            return View(heading, (), tuple(self._layers), self._boundary_marks())
        return View(heading, marks, more_marks=self._boundary_marks())

    def _boundary_marks(self) -> tuple[Mark, ...]:
        if self._target.task == "classification":
            return (Mark(("decision boundary", "boundary"), "boundary"),)
        is_drawn = self._target.is_two_valued and self._target.out_features == 1
        return (Mark(("output 1/2", "boundary"), "boundary"),) if is_drawn else ()

    def slice(self, time: float | None) -> PartitionSlice:
        """Compute the slice of a picture, or of a clip at a time.

        Raises:
            PolytopeError: sampling is impossible too.
        """
        if self._layers:
            try:
                return self._exact(time)
            except PolytopeError:
                # Too many polytopes, or a weight that is not finite, which sampling reports better.
                if self._style.layout == "layers":
                    raise
        return self._sampled(time)

    def _exact(self, time: float | None) -> PartitionSlice:
        self._refuse_too_many(time)
        found = partition(
            self._piecewise,
            self._corners,
            slice_plane(time),
            max_polytopes=_MOST_POLYTOPES,
            with_outputs=True,
        )
        values = self._raster.values(found.subdivision, found.vertex_outputs)
        piece = Slice(
            values=expit(values) if self._is_squashed else values,
            folds=self._folds(found),
            ground=face_colours(found, self._raster, self._style.faces),
            boundary=self._boundary(found),
            layers=self._layer_overlays(found) if self._style.layout == "layers" else (),
        )
        return PartitionSlice(piece, found.num_polytopes, is_exact=True)

    def _refuse_too_many(self, time: float | None) -> None:
        """Refuse a network whose encoding makes so many polytopes that the search takes minutes."""
        encoding = self._network.encoding
        if not encoding.has_exact_folds(self._network.in_features):
            return  # the search refuses it at once
        side = encoding.num_cells**-0.5  # of a cell of the encoding
        (x0, y0), (x1, y1) = self._corners
        if side * _LEAST_CELLS_SIDE > min(x1 - x0, y1 - y0, 1):
            return
        number = estimate_polytopes(self._piecewise, *self._corners, slice_plane(time), side=side)
        if number <= _MOST_POLYTOPES:
            return
        if not self._has_told:
            self._has_told = True
            _LOGGER.warning(
                "Frames compare pixels: with the encoding %s the network has about %s polytopes, "
                "and at most %s are drawn exactly.",
                encoding,
                f"{float(f'{number:.1g}'):,.0f}",
                f"{_MOST_POLYTOPES:,}",
            )
        raise PolytopeError(
            f"Cannot draw polytopes: expected at most {_MOST_POLYTOPES:,}, got about {number:,} by "
            "an estimate. Use fewer octaves, or zoom in."
        )

    def _sampled(self, time: float | None) -> PartitionSlice:
        extra = () if time is None else (time,)
        found = sample_partition(self._network, self._xs, self._ys, extra=extra)
        return PartitionSlice(Slice(found.values, found.folds), found.num_polytopes, is_exact=False)

    def _folds(self, found: Partition) -> LineOverlay:
        segments, neurons = fold_segments(found.subdivision)
        numbers = np.zeros(len(neurons), np.uint8)
        if self._style.fold_colour == "layer":
            numbers = _layers_of(found, neurons)
        elif self._style.fold_colour == "neuron":
            numbers = (neurons % _MOST_NUMBERS).astype(np.uint8)
        if self._style.encoding_folds == "plain":
            lines = self._raster.lines(segments, self._line_width, numbers)
            return LineOverlay(lines.cover, lines.numbers, self._palette)
        is_own = _layers_of(found, neurons) >= found.num_encoding_layers
        lines = self._raster.lines(segments[is_own], self._line_width, numbers[is_own])
        if self._style.encoding_folds == "none" or is_own.all():
            return LineOverlay(lines.cover, lines.numbers, self._palette)
        others = self._raster.lines(segments[~is_own], self._line_width, numbers[~is_own])
        faint = (FAINT_SHARE * others.cover).astype(others.cover.dtype)
        is_behind = faint > lines.cover
        return LineOverlay(
            np.where(is_behind, faint, lines.cover),
            np.where(is_behind, others.numbers, lines.numbers),
            self._palette,
        )

    def _layer_overlays(self, found: Partition) -> tuple[LineOverlay, ...]:
        segments, neurons = fold_segments(found.subdivision)
        layers, colours = _layers_of(found, neurons), _layer_palette(len(self._layers))
        overlays = []
        for layer in range(len(self._layers)):
            mine = layers == layer
            lines = self._raster.lines(segments[mine], self._line_width, layers[mine])
            overlays.append(LineOverlay(lines.cover, lines.numbers, colours))
        return tuple(overlays)

    def _boundary(self, found: Partition) -> tuple[LineOverlay, ...]:
        """Lines where the class changes; for a picture of two values, where the output is 1/2."""
        outputs = found.vertex_outputs
        if self._target.task == "classification":
            segments = boundary_segments(found.subdivision, outputs)
        elif self._boundary_marks():
            segments = level_segments(
                found.subdivision, outputs[:, 0] - (0.0 if self._is_squashed else 0.5)
            )
        else:
            return ()
        widths = _CASING * self._line_width, _BOUNDARY * self._line_width
        casing, core = (self._raster.lines(segments, width) for width in widths)
        return (
            LineOverlay(casing.cover, casing.numbers, _WHITE),
            LineOverlay(core.cover, core.numbers, _BLACK),
        )

    def _layer_names(self) -> list[str]:
        """Name each layer; return no names if the exact engine does not support the network."""
        if self._style.engine == "sampled":
            return []
        try:
            # So small a window meets all layers and almost no folds.
            time = 0.0 if self._target.is_clip else None
            least = partition(self._piecewise, ((0.0, 0.0), (1e-9, 1e-9)), slice_plane(time))
        except PolytopeError:
            return []
        return [
            f"layer {number}, {size} neurons" for number, size in enumerate(least.layer_sizes, 1)
        ]

    def _fold_colours(self) -> NDArray[np.uint8] | None:
        if self._style.fold_colour == "layer":
            return _layer_palette(len(self._layers))
        if self._style.fold_colour == "neuron":
            hues = np.arange(_MOST_NUMBERS) * _GOLDEN % 1
            return mapped("hsv", hues)
        return None


def _layers_of(found: Partition, neurons: NDArray[np.int32]) -> NDArray[np.uint8]:
    stops = np.cumsum(found.layer_sizes)
    layers = np.searchsorted(stops, neurons, side="right")
    return np.minimum(layers, _MOST_NUMBERS).astype(np.uint8)


def _layer_palette(count: int) -> NDArray[np.uint8]:
    return as_bytes(layer_colours(count, "picture"))
