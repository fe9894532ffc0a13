"""Compiled loops that lay chords through a face, one after the other, each from end to end.

A face is convex and its chords are straight. So a chord enters and leaves each piece of the face
once, and two chords meet within the face only if their ends alternate around the boundary. Signs,
never coordinates, decide which pieces a chord crosses: the result is a subdivision whatever
rounding does. Importing this module imports Numba.
"""

from bitfold.polytopes.cutting.loops.arrays import (
    CHORD,
    END,
    GIVEN_UP,
    HALF_SIDE,
    INSIDE,
    IS_COPY,
    MET,
    NEURON,
    NEXT,
    NEXT_COPY,
    ORIGIN,
    PREVIOUS,
    SIDE,
    START,
    TWIN,
    VERTEX,
    Ints,
    Longs,
    Values,
    Work,
)
from bitfold.runtime.inlining import embedded, inlined


@inlined
def lay_chords(
    num_places: int, num_chords: int, most: int, work: Work, values: Values, counts: Longs
) -> tuple[int, int]:
    """Lay the chords of a face until it has more than ``most`` pieces.

    Returns:
        The numbers of half-edges and of vertices within the face.
    """
    _lay_boundary(num_places, num_chords, work)
    num_halves, num_inner = num_places, 0
    for chord in range(num_chords):
        if _is_copy(chord, work.chords):
            continue
        if num_pieces(num_places, num_halves, num_inner) > most:
            break
        num_halves, num_inner, is_laid = _lay_chord(
            chord, num_places, num_halves, num_inner, work, values
        )
        counts[GIVEN_UP] += not is_laid
    return num_halves, num_inner


@inlined
def num_pieces(num_places: int, num_halves: int, num_inner: int) -> int:
    """Count the pieces of a face by Euler's formula, V - E + F = 1."""
    return 1 + (num_halves - num_places) // 2 - num_inner


@inlined
def _lay_boundary(num_places: int, num_chords: int, work: Work) -> None:
    """Make one piece of the whole face."""
    halves = work.halves
    for place in range(num_places):
        halves[place, NEXT], halves[place, PREVIOUS] = place + 1, place - 1
        halves[place, ORIGIN], halves[place, TWIN] = place, -1
        halves[place, HALF_SIDE], halves[place, CHORD] = work.boundary[place, SIDE], -1
        work.leaving[place] = place
    halves[num_places - 1, NEXT], halves[0, PREVIOUS] = 0, num_places - 1
    for chord in range(num_chords):
        work.chords[chord, MET] = -1


@inlined
def _is_copy(chord: int, chords: Ints) -> bool:
    """Note whether an earlier chord has the same ends: then it is the same segment."""
    chords[chord, NEXT_COPY] = -1
    chords[chord, IS_COPY] = 0
    found = False
    for other in range(chord):
        is_same = chords[other, START] == chords[chord, START]
        if is_same and chords[other, END] == chords[chord, END] and chords[other, IS_COPY] == 0:
            chords[chord, IS_COPY] = 1
            chords[chord, NEXT_COPY] = chords[other, NEXT_COPY]
            chords[other, NEXT_COPY] = chord
            found = True
            break
    return found


@inlined
def _lay_chord(
    chord: int, num_places: int, num_halves: int, num_inner: int, work: Work, values: Values
) -> tuple[int, int, bool]:
    """Lay a chord through the pieces of its face; all chords before it are laid.

    Returns:
        The numbers of half-edges and of vertices within the face, and whether the chord reached its
        end. If not, the face is too thin to tell how the chord goes on.
    """
    halves, chords, most_steps = work.halves, work.chords, 4 * (chord + 4)
    vertex, end = chords[chord, START], chords[chord, END]
    came, entry, steps = -1, -1, 0
    while vertex != end:
        steps += 1
        if entry < 0:
            entry, is_corner = _find_corner(vertex, came, chord, num_places, work, values)
            if entry >= 0 and not is_corner:
                # The chord's neuron is 0 along an edge: go along that edge.
                came, vertex, entry = vertex, halves[halves[entry, NEXT], ORIGIN], -1
                if steps <= most_steps:
                    continue
        leave, is_crossed = -1, False
        if entry >= 0 and steps <= most_steps:
            leave, is_crossed = _find_exit(entry, chord, num_places, work, values)
        if leave < 0:
            return num_halves, num_inner, False
        far = -1
        if is_crossed:
            _note_crossing(halves[leave, CHORD], chord, num_inner, work, values)
            leave, far = _split_half(leave, num_places + num_inner, num_halves, halves)
            work.leaving[num_places + num_inner] = leave
            num_halves, num_inner = num_halves + 2, num_inner + 1
        came, vertex = vertex, halves[leave, ORIGIN]
        _join(entry, leave, chord, num_halves, halves)
        num_halves += 2
        entry = far
    return num_halves, num_inner, True


@inlined
def _note_crossing(met: int, chord: int, num_inner: int, work: Work, values: Values) -> None:
    """Write the chord that is crossed and the position on it for a new vertex within the face."""
    if work.chords[met, MET] != chord:
        _meet(met, chord, work, values)
    work.inner[num_inner] = met
    work.inner_at[num_inner, 0] = work.meetings[met, 0]
    work.inner_at[num_inner, 1] = work.meetings[met, 1]


@inlined
def _find_corner(
    vertex: int, came: int, chord: int, num_places: int, work: Work, values: Values
) -> tuple[int, bool]:
    """Find the corner of a piece at a vertex through which a chord goes on.

    Returns:
        The half-edge that begins at the corner, -1 for none; whether the chord enters the piece.
        If not, the chord's neuron is 0 along the half-edge.
    """
    halves = work.halves
    first = half = work.leaving[vertex]
    beside = -1
    while True:
        ahead = halves[halves[half, NEXT], ORIGIN]
        sign = _sign_at(ahead, chord, num_places, work, values)
        before = halves[halves[half, PREVIOUS], ORIGIN]
        sign_before = _sign_at(before, chord, num_places, work, values)
        if sign * sign_before < 0:
            return half, True
        if sign == 0 and halves[half, TWIN] >= 0 and ahead != came:
            beside = half
        half = halves[halves[half, PREVIOUS], TWIN]
        if half < 0 or half == first:
            return beside, False


@inlined
def _find_exit(
    entry: int, chord: int, num_places: int, work: Work, values: Values
) -> tuple[int, bool]:
    """Find where a chord leaves the piece that it enters at the beginning of a half-edge.

    Returns:
        The half-edge at whose beginning the chord leaves, or, with True, that it crosses; -1: none.
    """
    halves = work.halves
    half = halves[entry, NEXT]
    side = _sign_at(halves[half, ORIGIN], chord, num_places, work, values)
    while half != entry:
        after = halves[half, NEXT]
        sign = _sign_at(halves[after, ORIGIN], chord, num_places, work, values)
        if sign == 0:
            return (after if after != entry else -1), False
        if sign != side:
            return (half if halves[half, TWIN] >= 0 else -1), True
        half = after
    return -1, False


@inlined
def _split_half(half: int, vertex: int, num_halves: int, halves: Ints) -> tuple[int, int]:
    """Put a vertex on a half-edge and its twin.

    Returns:
        The half-edges that begin at the vertex, on the half-edge's side and on the twin's.
    """
    twin, near, far = halves[half, TWIN], num_halves, num_halves + 1
    _insert(near, half, vertex, halves)
    _insert(far, twin, vertex, halves)
    halves[half, TWIN], halves[far, TWIN] = far, half
    halves[near, TWIN], halves[twin, TWIN] = twin, near
    return near, far


@inlined
def _insert(new: int, old: int, vertex: int, halves: Ints) -> None:
    """Put a half-edge that begins at a vertex behind another half-edge of the same chord."""
    after = halves[old, NEXT]
    halves[new, NEXT], halves[new, PREVIOUS], halves[new, ORIGIN] = after, old, vertex
    halves[new, HALF_SIDE], halves[new, CHORD] = -1, halves[old, CHORD]
    halves[after, PREVIOUS], halves[old, NEXT] = new, new


@inlined
def _join(entry: int, leave: int, chord: int, num_halves: int, halves: Ints) -> None:
    """Cut a piece in two, from the beginning of one half-edge to the beginning of another."""
    there, back = num_halves, num_halves + 1
    before_entry, before_leave = halves[entry, PREVIOUS], halves[leave, PREVIOUS]
    halves[there, ORIGIN], halves[back, ORIGIN] = halves[entry, ORIGIN], halves[leave, ORIGIN]
    halves[there, PREVIOUS], halves[there, NEXT] = before_entry, leave
    halves[back, PREVIOUS], halves[back, NEXT] = before_leave, entry
    halves[before_entry, NEXT], halves[leave, PREVIOUS] = there, there
    halves[before_leave, NEXT], halves[entry, PREVIOUS] = back, back
    halves[there, TWIN], halves[back, TWIN] = back, there
    halves[there, HALF_SIDE], halves[back, HALF_SIDE] = -1, -1
    halves[there, CHORD], halves[back, CHORD] = chord, chord


@inlined
def _sign_on_boundary(place: int, chord: int, chords: Ints) -> int:
    start, end = chords[chord, START], chords[chord, END]
    if place in (start, end):
        return 0
    sign = chords[chord, INSIDE]
    return int(sign) if start < place < end else -int(sign)


@inlined
def _sign_at(vertex: int, chord: int, num_places: int, work: Work, values: Values) -> int:
    """Return the sign of a chord's neuron at a place, or at a vertex within the face."""
    chords = work.chords
    if vertex < num_places:
        return _sign_on_boundary(vertex, chord, chords)
    met = work.inner[vertex - num_places]
    first = _sign_on_boundary(chords[met, START], chord, chords)
    second = _sign_on_boundary(chords[met, END], chord, chords)
    if first * second >= 0:  # the chords do not cross: both ends are on one side, or one is on it
        return first + second if first * second == 0 else first
    if chords[met, MET] != chord:
        _meet(met, chord, work, values)
    gap = work.inner_at[vertex - num_places, 0] - work.meetings[met, 0]
    if abs(gap) <= work.inner_at[vertex - num_places, 1] + work.meetings[met, 1]:
        return 0
    return first if gap < 0 else second


@embedded
def _meet(met: int, chord: int, work: Work, values: Values) -> None:
    """Work out where along the chord ``met`` another chord meets it, and the error of that."""
    work.chords[met, MET] = chord
    neuron = work.chords[chord, NEURON]
    start = work.boundary[work.chords[met, START], VERTEX]
    end = work.boundary[work.chords[met, END], VERTEX]
    first = _value_at(start, neuron, values)
    fall = first - _value_at(end, neuron, values)
    work.meetings[met, 0], work.meetings[met, 1] = 0.5, 1.0
    if fall != 0:
        work.meetings[met, 0] = min(max(first / fall, 0.0), 1.0)
        work.meetings[met, 1] = 2 * values.bounds[neuron] / abs(fall)


@inlined
def _value_at(vertex: int, neuron: int, layer: Values) -> float:
    """Return the value of a neuron at an old vertex, or at a new vertex on an edge."""
    new = vertex - len(layer.values)
    if new < 0:
        return float(layer.values[vertex, neuron])
    value = layer.values[layer.ends[new, 0], neuron]
    other = layer.values[layer.ends[new, 1], neuron]
    return float(value + layer.along[new] * (other - value))
