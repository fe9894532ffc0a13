"""The slow reference: polytopes of small integer networks in exact rational arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

Point = tuple[Fraction, Fraction]
Map = tuple[Fraction, Fraction, Fraction]
Layer = tuple[Sequence[Sequence[int]], Sequence[int]]
Windows = Sequence[Sequence[int]]
Bend = Callable[[list[Point], Sequence[Map]], list[tuple[list[Point], Map]]]
"""A layer of maxima: by output the neurons before it that it is the largest of."""


def value(form: Map, point: Point) -> Fraction:
    """Evaluate an affine form at a point."""
    return form[0] * point[0] + form[1] * point[1] + form[2]


def split(polygon: list[Point], form: Map) -> list[tuple[list[Point], bool]]:
    """Split a convex polygon into the parts where a form is positive and where it is not."""
    values = [value(form, point) for point in polygon]
    if all(v <= 0 for v in values):
        return [(polygon, False)]
    if all(v >= 0 for v in values):
        return [(polygon, True)]
    parts = []
    for sign in (1, -1):
        part: list[Point] = []
        for k, point in enumerate(polygon):
            after = polygon[(k + 1) % len(polygon)]
            v, w = sign * values[k], sign * values[(k + 1) % len(polygon)]
            if v >= 0:
                part.append(point)
            if v * w < 0:
                t = v / (v - w)
                part.append(
                    (point[0] + t * (after[0] - point[0]), point[1] + t * (after[1] - point[1]))
                )
        parts.append((part, sign > 0))
    return parts


def winning(polygon: list[Point], forms: Sequence[Map]) -> list[tuple[list[Point], Map]]:
    """Divide a convex polygon by the largest of several forms; equal forms count once."""
    parts = []
    for number, form in enumerate(forms):
        if form in forms[:number]:
            continue
        part = polygon
        for other in forms:
            if part and other != form:
                over = (form[0] - other[0], form[1] - other[1], form[2] - other[2])
                part = next((piece for piece, is_over in split(part, over) if is_over), [])
        if part:
            parts.append((part, form))
    return parts


def bent(polygon: list[Point], form: Map) -> list[tuple[list[Point], Map]]:
    """Split a convex polygon at a form's sign, and return the form after ReLU on each part."""
    dead = (Fraction(0), Fraction(0), Fraction(0))
    return [(part, form if is_above else dead) for part, is_above in split(polygon, form)]


def affine(layer: Layer, inputs: Sequence[Map]) -> list[Map]:
    """Return a layer's pre-activations as affine forms, from the affine forms of its inputs."""
    found = []
    for row, bias in zip(*layer, strict=True):
        one, two, three = (
            sum((w * form[k] for w, form in zip(row, inputs, strict=True)), Fraction(0))
            for k in range(3)
        )
        found.append((one, two, three + bias))
    return found


def polytopes(
    layers: Sequence[Layer | Windows], domain: Sequence[tuple[int, int]]
) -> list[list[Point]]:
    """Return all polytopes of a network of ReLU layers and maxima, the last layer included."""
    start = [(Fraction(x), Fraction(y)) for x, y in domain]
    one, zero = Fraction(1), Fraction(0)
    faces = [(start, [(one, zero, zero), (zero, one, zero)])]
    for layer in layers:
        cut = []
        for polygon, inputs in faces:
            pieces: list[tuple[list[Point], list[Map]]] = [(polygon, [])]
            bend: Bend
            if isinstance(layer, tuple):
                groups, bend = [[form] for form in affine(layer, inputs)], lambda p, f: bent(p, *f)
            else:
                groups, bend = [[inputs[k] for k in window] for window in layer], winning
            for forms in groups:
                pieces = [
                    (part, [*outputs, form])
                    for whole, outputs in pieces
                    for part, form in bend(whole, forms)
                ]
            cut += pieces
        faces = cut
    return [polygon for polygon, _ in faces]


def incidences(faces: Sequence[list[Point]]) -> tuple[set[Point], set[frozenset[Point]]]:
    """Return all vertices, and the edges between neighbouring vertices on a side of a polytope."""
    vertices = {point for polygon in faces for point in polygon}
    edges = set()
    for polygon in faces:
        for k, a in enumerate(polygon):
            b = polygon[(k + 1) % len(polygon)]
            side = (b[0] - a[0], b[1] - a[1])
            length = side[0] ** 2 + side[1] ** 2
            on_side = []
            for point in vertices:
                off = (point[0] - a[0], point[1] - a[1])
                along = off[0] * side[0] + off[1] * side[1]
                if off[0] * side[1] == off[1] * side[0] and 0 <= along <= length:
                    on_side.append((along, point))
            ordered = [point for _, point in sorted(on_side)]
            edges |= {frozenset(pair) for pair in pairwise(ordered)}
    return vertices, edges
