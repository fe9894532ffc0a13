/** Faces become triangles: convex, so a fan from the first corner of each. */

export function triangulate(offsets: Uint32Array): Uint32Array {
  const numFaces = Math.max(0, offsets.length - 1);
  const numCorners = offsets[numFaces] ?? 0;
  const found = new Uint32Array(3 * Math.max(0, numCorners - 2 * numFaces));
  let at = 0;
  for (let face = 0; face < numFaces; face++) {
    const first = offsets[face] as number;
    const stop = offsets[face + 1] as number;
    for (let corner = first + 1; corner + 1 < stop; corner++) {
      found[at++] = first;
      found[at++] = corner;
      found[at++] = corner + 1;
    }
  }
  return found;
}

/** Repeat the colour of each face for all its corners: RGBA. */
export function cornerColours(offsets: Uint32Array, colours: Uint8Array): Uint8Array {
  const numFaces = Math.max(0, offsets.length - 1);
  const found = new Uint8Array(4 * (offsets[numFaces] ?? 0));
  for (let face = 0; face < numFaces; face++) {
    const stop = 4 * (offsets[face + 1] as number);
    for (let at = 4 * (offsets[face] as number); at < stop; at += 4) {
      found[at] = colours[3 * face] as number;
      found[at + 1] = colours[3 * face + 1] as number;
      found[at + 2] = colours[3 * face + 2] as number;
      found[at + 3] = 255;
    }
  }
  return found;
}
