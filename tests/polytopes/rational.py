"""The slow reference: polytopes of small integer networks in exact rational arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

Point = tuple[Fraction, Fraction]
Map = tuple[Fraction, Fraction, Fraction]
Layer = tuple[Sequence[Sequence[int]], Sequence[int]]


def value(form: Map, point: Point) -> Fraction:
    """An affine form at a point."""
    return form[0] * point[0] + form[1] * point[1] + form[2]


def split(polygon: list[Point], form: Map) -> list[tuple[list[Point], bool]]:
    """A convex polygon's parts where a form is positive, and where it is not."""
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


def polytopes(layers: Sequence[Layer], domain: Sequence[tuple[int, int]]) -> list[list[Point]]:
    """All polytopes of a network of ReLU layers, the last of which counts too."""
    start = [(Fraction(x), Fraction(y)) for x, y in domain]
    one, zero = Fraction(1), Fraction(0)
    faces = [(start, [(one, zero, zero), (zero, one, zero)])]
    for weights, biases in layers:
        cut = []
        for polygon, inputs in faces:
            forms = [
                tuple(
                    sum((w * form[k] for w, form in zip(row, inputs, strict=True)), zero)
                    + (bias if k == 2 else 0)
                    for k in range(3)
                )
                for row, bias in zip(weights, biases, strict=True)
            ]
            pieces = [(polygon, [])]
            for form in forms:
                pieces = [
                    (part, [*signs, is_positive])
                    for whole, signs in pieces
                    for part, is_positive in split(whole, form)
                ]
            dead = (zero, zero, zero)
            cut += [
                (part, [f if s else dead for f, s in zip(forms, signs, strict=True)])
                for part, signs in pieces
            ]
        faces = cut
    return [polygon for polygon, _ in faces]


def incidences(faces: Sequence[list[Point]]) -> tuple[set[Point], set[frozenset[Point]]]:
    """All vertices, and the edges between those that follow each other on a side of a polytope."""
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
