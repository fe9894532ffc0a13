/** The fold under the pointer. */

/** The piece of a fold that is nearest to a point, and its distance; null if there is none.
 *
 * `folds` holds two ends a piece; the distance is measured after x and y were scaled. Pieces of neurons below
 * `leastNeuron` are passed over.
 */
export function nearestFold(
  folds: Float32Array,
  x: number,
  y: number,
  scaleX: number,
  scaleY: number,
  neurons: Uint32Array,
  leastNeuron: number,
): { readonly piece: number; readonly distance: number } | null {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i + 3 < folds.length; i += 4) {
    if ((neurons[i / 4] as number) < leastNeuron) continue;
    const ax = ((folds[i] as number) - x) * scaleX;
    const ay = ((folds[i + 1] as number) - y) * scaleY;
    const bx = ((folds[i + 2] as number) - x) * scaleX - ax;
    const by = ((folds[i + 3] as number) - y) * scaleY - ay;
    const length = bx * bx + by * by;
    const share = length > 0 ? Math.min(1, Math.max(0, -(ax * bx + ay * by) / length)) : 0;
    const dx = ax + share * bx;
    const dy = ay + share * by;
    const distance = dx * dx + dy * dy;
    if (distance < least) {
      least = distance;
      best = i / 4;
    }
  }
  return best < 0 ? null : { piece: best, distance: Math.sqrt(least) };
}

/** The number of the first neuron of a layer. */
export function firstNeuron(layer: number, sizes: readonly number[]): number {
  return sizes.slice(0, layer).reduce((sum, size) => sum + size, 0);
}

/** The layer and the number within it of a neuron, both from 0. */
export function layerOf(neuron: number, sizes: readonly number[]): readonly [number, number] {
  let first = 0;
  for (let layer = 0; layer < sizes.length; layer++) {
    const size = sizes[layer] ?? 0;
    if (neuron < first + size) return [layer, neuron - first];
    first += size;
  }
  return [sizes.length, neuron - first];
}
