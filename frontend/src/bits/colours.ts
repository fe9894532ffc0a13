/** Colours of weights and of costs; both end in colours of the frames' palette. */

type Colour = readonly [number, number, number];

const NEGATIVE: Colour = [0, 114, 178];
const ZERO: Colour = [247, 246, 243];
const POSITIVE: Colour = [213, 94, 0];

function between(first: Colour, second: Colour, share: number): Colour {
  const mix = (i: 0 | 1 | 2): number => Math.round(first[i] + (second[i] - first[i]) * share);
  return [mix(0), mix(1), mix(2)];
}

/** From blue for -1 over paper for 0 to vermillion for 1; the root lets small weights be seen. */
export function diverging(share: number): Colour {
  const size = Math.sqrt(Math.min(1, Math.abs(share)));
  return between(ZERO, share < 0 ? NEGATIVE : POSITIVE, size);
}

/** From paper for 0 to vermillion for 1. */
export function sequential(share: number): Colour {
  return between(ZERO, POSITIVE, Math.min(1, Math.max(0, share)));
}
