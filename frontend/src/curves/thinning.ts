/** Curves with no more points than can be seen. */

import type { Table } from "../state.ts";

/** Curves of fewer numbers have a dot at each. */
const MOST_DOTS = 20;

/** Rows to draw: at most about `most`, the first and the last among them. */
export function thinned(count: number, most: number): Uint32Array {
  const step = Math.max(1, Math.ceil(count / most));
  const rows: number[] = [];
  for (let row = 0; row < count; row += step) rows.push(row);
  if (count > 0 && rows[rows.length - 1] !== count - 1) rows.push(count - 1);
  return Uint32Array.from(rows);
}

/**
 * The products of some columns at thinned rows; null where none was measured, or none can be drawn.
 *
 * Some numbers are measured once in many epochs: each row has the newest one since the row before it.
 */
export function series(
  table: Table,
  rows: Uint32Array,
  columns: readonly number[],
  isLog: boolean,
): (number | null)[] {
  return Array.from(rows, (last, place) => {
    for (let row = last; row > (rows[place - 1] ?? -1); row--) {
      const value = columns.reduce((product, column) => product * table.at(row, column), 1);
      if (Number.isFinite(value) && (!isLog || value > 0)) return value;
    }
    return null;
  });
}

/** The last number of a curve up to a place; null if there is none. */
export function lastKnown(curve: ArrayLike<number | null | undefined>, place: number): number | null {
  for (let i = Math.min(place, curve.length - 1); i >= 0; i--) {
    const value = curve[i];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

/** Whether a curve has so few numbers that each is drawn as a dot: of one alone there is no line. */
export function isSparse(curve: ArrayLike<number | null | undefined>): boolean {
  let count = 0;
  for (let i = 0; i < curve.length && count < MOST_DOTS; i++) {
    if (curve[i] !== null && curve[i] !== undefined) count++;
  }
  return count < MOST_DOTS;
}
