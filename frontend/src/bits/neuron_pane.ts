/** The neuron whose fold is under the pointer, or was clicked: its name, its weights, what they cost. */

import { make, setText, type Root } from "../dom.ts";
import { short } from "../numbers.ts";
import { bitsOf, type NeuronWeight } from "./neuron.ts";

/** More weights are counted alone. */
const MOST_WEIGHTS = 24;

/**
 * What a neuron is called. Layers count from those of the encoding on, as in figures, files and metrics.
 *
 * `layer` and `index` count from 0 on, the layer without the `encoding` layers before it.
 */
export function neuronName([layer, index]: readonly [number, number], encoding: number): string {
  const own = encoding > 0 ? ` (${layer + 1} after the encoding)` : "";
  return `neuron ${index + 1} of layer ${encoding + layer + 1}${own}`;
}

/** Name a neuron: by its layer and its number in it, as `neuronName`; null for none. */
export function showNeuron(
  root: Root,
  neuron: readonly [number, number] | null,
  weights: readonly NeuronWeight[],
  isChosen: boolean,
  encoding: number,
): void {
  const line = root.element("p", "neuron");
  const list = root.element("dl", "neuron-weights");
  list.hidden = neuron === null || !isChosen || weights.length === 0;
  if (neuron === null) {
    setText(line, "");
    return;
  }
  const [layer] = neuron;
  const bits = bitsOf(weights);
  const cost = Number.isFinite(bits) ? `: its weights and bias cost ${short(bits)} bits` : "";
  setText(line, `${neuronName(neuron, encoding)}${cost}`);
  if (!isChosen) return;
  const rows = weights.slice(0, MOST_WEIGHTS).flatMap((weight) => [
    make("dt", sourceOf(weight, layer)),
    make("dd", `${short(weight.value, 4)}${Number.isFinite(weight.bits) ? `, ${short(weight.bits, 3)} bits` : ""}`),
  ]);
  if (weights.length > MOST_WEIGHTS) rows.push(make("dt", "others"), make("dd", String(weights.length - MOST_WEIGHTS)));
  list.replaceChildren(...rows);
}

function sourceOf({ input }: NeuronWeight, layer: number): string {
  if (input === null) return "bias";
  return layer === 0 ? `from input ${input + 1}` : `from neuron ${input + 1}`;
}
