/** The weights of one neuron, and what they cost. */

import { floats, type Message } from "../wire.ts";

/** A described tensor of the network. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** One number that a neuron has. */
export interface NeuronWeight {
  /** Number of the input from 0 on; null for the bias. */
  readonly input: number | null;
  readonly value: number;
  /** NaN where costs are not known. */
  readonly bits: number;
}

/** The weights of a neuron, then its bias; none where they are not described, or there is no such neuron. */
export function neuronWeights(message: Message, layer: number, index: number): NeuronWeight[] {
  const values = floats(message, "weights");
  const costs = floats(message, "costs");
  const tensors = message.facts["tensors"] as Tensor[];
  // Grids of an encoding have tables of two sides too, but no neurons.
  const modules = tensors
    .filter(({ name, shape }) => shape.length === 2 && name.endsWith(".weight"))
    .map(({ name }) => moduleOf(name));
  const found: NeuronWeight[] = [];
  let first = 0;
  for (const { name, shape } of tensors) {
    const count = shape.reduce((product, side) => product * side, 1);
    const rows = shape[0] ?? 1;
    const width = count / rows;
    if (moduleOf(name) === modules[layer] && index >= 0 && index < rows) {
      for (let input = 0; input < width; input++) {
        const at = first + index * width + input;
        found.push({ input: shape.length === 2 ? input : null, value: values[at] ?? NaN, bits: costs[at] ?? NaN });
      }
    }
    first += count;
  }
  return found;
}

/** What weights cost together, in bits; NaN where that is not known. */
export function bitsOf(weights: readonly NeuronWeight[]): number {
  return weights.length === 0 ? NaN : weights.reduce((sum, { bits }) => sum + bits, 0);
}

/** The module of a tensor: its name without the last part. */
function moduleOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}
