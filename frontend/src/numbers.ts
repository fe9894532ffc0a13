/** Numbers as people read them. */

/** Digits that matter: 0.00123, 12.3, 1,234. */
export function short(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(digits - 1);
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
}

/** The nearest number of an ascending list; null if it is empty. */
export function nearest(sorted: readonly number[], wanted: number): number | null {
  let best: number | null = null;
  for (const one of sorted) {
    if (best === null || Math.abs(one - wanted) < Math.abs(best - wanted)) best = one;
  }
  return best;
}
