"""Compiled loops within a face: chords are laid one after the other, from end to end.

A face is convex and its chords straight, so each chord enters and leaves a piece of it once, and
two chords meet within it just if their ends alternate around the boundary. Which pieces a chord
goes through is decided by signs, never by coordinates: what comes of it is a subdivision whatever
rounding does. Importing this module imports Numba.
"""

from bitfold.polytopes.cutting.cut_edges import Doubles, Ints
from bitfold.polytopes.cutting.cut_faces import END, INSIDE, NEURON, START, VERTEX
from bitfold.runtime.compiling import compiled
from bitfold.runtime.inlining import inlined

# Columns of half-edges: the next and the previous one around their piece; where they begin; the one
# on the other side, -1 on the boundary; their edge, -1 until it has a number; their chord.
NEXT, PREVIOUS, ORIGIN, TWIN, SIDE, CHORD = 0, 1, 2, 3, 4, 5
# More columns of chords: the chord whose meeting with it is worked out; whether it is a copy of an
# earlier one; the first or the next one of the copies, -1 for none.
MET, IS_COPY, NEXT_COPY = 4, 5, 6


@inlined
def lay_boundary(
    num_places: int, num_chords: int, boundary: Ints, chords: Ints, halves: Ints, leaving: Ints
) -> None:
    """Make one piece of a face.

    Source: none, ours.
    """
    for place in range(num_places):
        halves[place, NEXT], halves[place, PREVIOUS] = place + 1, place - 1
        halves[place, ORIGIN], halves[place, TWIN] = place, -1
        halves[place, SIDE], halves[place, CHORD] = boundary[place, 1], -1
        leaving[place] = place
    halves[num_places - 1, NEXT], halves[0, PREVIOUS] = 0, num_places - 1
    for chord in range(num_chords):
        chords[chord, MET] = -1


@inlined
def lay_chord(
    chord: int,
    num_places: int,
    num_halves: int,
    num_inner: int,
    halves: Ints,
    leaving: Ints,
    chords: Ints,
    meetings: Doubles,
    inner: Ints,
    inner_at: Doubles,
    boundary: Ints,
    values: Doubles,
    bounds: Doubles,
    ends: Ints,
    along: Doubles,
) -> tuple[int, int, bool]:
    """Lay a chord through the pieces of its face.

    Source: none, ours.

    Args:
        chord: its number; all before it are laid.
        num_places: of the boundary.
        num_halves: half-edges so far.
        num_inner: inner vertices so far.
        halves: half-edges, see `Room` for this and what follows.
        values: (vertices, neurons).
        bounds: (neurons,), what a value may be off by.
        ends: of the edges that new vertices lie on (new, 2).
        along: how far along them they are (new,).

    Returns:
        How many half-edges and inner vertices there are now, and whether the chord reached its end.
        Where it did not, the face is too thin to say how it goes on.
    """
    vertex, end = chords[chord, START], chords[chord, END]
    came, entry, steps = -1, -1, 0
    while vertex != end:
        steps += 1
        if entry < 0:
            entry, is_corner = _find_corner(
                vertex, came, chord, num_places, halves, leaving, chords, meetings, inner,
                inner_at, boundary, values, bounds, ends, along,
            )  # fmt: skip
            if entry >= 0 and not is_corner:
                # Along an edge on which it is 0.
                came, vertex, entry = vertex, halves[halves[entry, NEXT], ORIGIN], -1
                if steps <= 4 * (chord + 4):
                    continue
        leave, is_crossed = -1, False
        if entry >= 0 and steps <= 4 * (chord + 4):
            leave, is_crossed = _find_exit(
                entry, chord, num_places, halves, chords, meetings, inner, inner_at, boundary,
                values, bounds, ends, along,
            )  # fmt: skip
        if leave < 0:
            return num_halves, num_inner, False
        far = -1
        if is_crossed:
            met = halves[leave, CHORD]
            if chords[met, MET] != chord:
                _meet(met, chord, chords, meetings, boundary, values, bounds, ends, along)
            inner[num_inner] = met
            inner_at[num_inner, 0], inner_at[num_inner, 1] = meetings[met, 0], meetings[met, 1]
            leave, far = _split_half(leave, num_places + num_inner, num_halves, halves)
            leaving[num_places + num_inner] = leave
            num_halves, num_inner = num_halves + 2, num_inner + 1
        came, vertex = vertex, halves[leave, ORIGIN]
        _join(entry, leave, chord, num_halves, halves)
        num_halves += 2
        entry = far
    return num_halves, num_inner, True


@inlined
def _find_corner(
    vertex: int,
    came: int,
    chord: int,
    num_places: int,
    halves: Ints,
    leaving: Ints,
    chords: Ints,
    meetings: Doubles,
    inner: Ints,
    inner_at: Doubles,
    boundary: Ints,
    values: Doubles,
    bounds: Doubles,
    ends: Ints,
    along: Doubles,
) -> tuple[int, bool]:
    """The half-edge at a vertex behind which the chord goes on, and whether between it and the one
    before; if not, the chord is 0 along it. -1: there is none."""
    first = half = leaving[vertex]
    beside = -1
    while True:
        ahead = halves[halves[half, NEXT], ORIGIN]
        sign = _sign_at(
            ahead, chord, num_places, chords, meetings, inner, inner_at, boundary, values,
            bounds, ends, along,
        )  # fmt: skip
        before = halves[halves[half, PREVIOUS], ORIGIN]
        sign_before = _sign_at(
            before, chord, num_places, chords, meetings, inner, inner_at, boundary, values,
            bounds, ends, along,
        )  # fmt: skip
        if sign * sign_before < 0:
            return half, True
        if sign == 0 and halves[half, TWIN] >= 0 and ahead != came:
            beside = half
        half = halves[halves[half, PREVIOUS], TWIN]
        if half < 0 or half == first:
            return beside, False


@inlined
def _find_exit(
    entry: int,
    chord: int,
    num_places: int,
    halves: Ints,
    chords: Ints,
    meetings: Doubles,
    inner: Ints,
    inner_at: Doubles,
    boundary: Ints,
    values: Doubles,
    bounds: Doubles,
    ends: Ints,
    along: Doubles,
) -> tuple[int, bool]:
    """Where a chord that enters a piece at the beginning of a half-edge leaves it: at the beginning
    of another one, or (True) across it. -1: nowhere."""
    half = halves[entry, NEXT]
    side = _sign_at(
        halves[half, ORIGIN],
        chord,
        num_places,
        chords,
        meetings,
        inner,
        inner_at,
        boundary,
        values,
        bounds,
        ends,
        along,
    )
    while half != entry:
        after = halves[half, NEXT]
        sign = _sign_at(
            halves[after, ORIGIN],
            chord,
            num_places,
            chords,
            meetings,
            inner,
            inner_at,
            boundary,
            values,
            bounds,
            ends,
            along,
        )
        if sign == 0:
            return (after if after != entry else -1), False
        if sign != side:
            return (half if halves[half, TWIN] >= 0 else -1), True
        half = after
    return -1, False


@inlined
def _split_half(half: int, vertex: int, num_halves: int, halves: Ints) -> tuple[int, int]:
    """Put a vertex on a half-edge and its twin; return the half-edges that leave it, on the
    half-edge's side and on the other."""
    twin, near, far = halves[half, TWIN], num_halves, num_halves + 1
    _insert(near, half, vertex, halves)
    _insert(far, twin, vertex, halves)
    halves[half, TWIN], halves[far, TWIN] = far, half
    halves[near, TWIN], halves[twin, TWIN] = twin, near
    return near, far


@inlined
def _insert(new: int, old: int, vertex: int, halves: Ints) -> None:
    """Put a half-edge from a vertex behind another one of the same chord."""
    after = halves[old, NEXT]
    halves[new, NEXT], halves[new, PREVIOUS], halves[new, ORIGIN] = after, old, vertex
    halves[new, SIDE], halves[new, CHORD] = -1, halves[old, CHORD]
    halves[after, PREVIOUS], halves[old, NEXT] = new, new


@inlined
def _join(entry: int, leave: int, chord: int, num_halves: int, halves: Ints) -> None:
    """Cut a piece from where a half-edge begins to where another one does."""
    there, back = num_halves, num_halves + 1
    before_entry, before_leave = halves[entry, PREVIOUS], halves[leave, PREVIOUS]
    halves[there, ORIGIN], halves[back, ORIGIN] = halves[entry, ORIGIN], halves[leave, ORIGIN]
    halves[there, PREVIOUS], halves[there, NEXT] = before_entry, leave
    halves[back, PREVIOUS], halves[back, NEXT] = before_leave, entry
    halves[before_entry, NEXT], halves[leave, PREVIOUS] = there, there
    halves[before_leave, NEXT], halves[entry, PREVIOUS] = back, back
    halves[there, TWIN], halves[back, TWIN] = back, there
    halves[there, SIDE], halves[back, SIDE] = -1, -1
    halves[there, CHORD], halves[back, CHORD] = chord, chord


@inlined
def _sign_on_boundary(place: int, chord: int, chords: Ints) -> int:
    start, end = chords[chord, START], chords[chord, END]
    if place in (start, end):
        return 0
    sign = chords[chord, INSIDE]
    return int(sign) if start < place < end else -int(sign)


@inlined
def _sign_at(
    vertex: int,
    chord: int,
    num_places: int,
    chords: Ints,
    meetings: Doubles,
    inner: Ints,
    inner_at: Doubles,
    boundary: Ints,
    values: Doubles,
    bounds: Doubles,
    ends: Ints,
    along: Doubles,
) -> int:
    """Sign of a chord's neuron at a place of the boundary or at an inner vertex."""
    if vertex < num_places:
        return _sign_on_boundary(vertex, chord, chords)
    met = inner[vertex - num_places]
    first = _sign_on_boundary(chords[met, START], chord, chords)
    second = _sign_on_boundary(chords[met, END], chord, chords)
    if first * second >= 0:  # it does not cross: both are on one side, or an end is on it
        return first + second if first * second == 0 else first
    if chords[met, MET] != chord:
        _meet(met, chord, chords, meetings, boundary, values, bounds, ends, along)
    gap = inner_at[vertex - num_places, 0] - meetings[met, 0]
    if abs(gap) <= inner_at[vertex - num_places, 1] + meetings[met, 1]:
        return 0
    return first if gap < 0 else second


@compiled
def _meet(
    met: int,
    chord: int,
    chords: Ints,
    meetings: Doubles,
    boundary: Ints,
    values: Doubles,
    bounds: Doubles,
    ends: Ints,
    along: Doubles,
) -> None:
    """Work out where along one chord another one meets it, and what that may be off by."""
    chords[met, MET] = chord
    neuron = chords[chord, NEURON]
    start, end = boundary[chords[met, START], VERTEX], boundary[chords[met, END], VERTEX]
    first = _value_at(start, neuron, values, ends, along)
    fall = first - _value_at(end, neuron, values, ends, along)
    meetings[met, 0], meetings[met, 1] = 0.5, 1.0
    if fall != 0:
        meetings[met, 0] = min(max(first / fall, 0.0), 1.0)
        meetings[met, 1] = 2 * bounds[neuron] / abs(fall)


@inlined
def _value_at(vertex: int, neuron: int, values: Doubles, ends: Ints, along: Doubles) -> float:
    """Value of a neuron at an old vertex or at one on an old edge."""
    new = vertex - len(values)
    if new < 0:
        return float(values[vertex, neuron])
    value = values[ends[new, 0], neuron]
    return float(value + along[new] * (values[ends[new, 1], neuron] - value))
