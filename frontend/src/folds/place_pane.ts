/** What is under the pointer: the polytope, its map, its active neurons. */

import { make, type Root } from "../dom.ts";
import { short } from "../numbers.ts";
import type { Message } from "../wire.ts";

/** Layers with more neurons are counted alone. */
const MOST_NEURONS = 24;

/** Show what is at a point.
 *
 * `bits` is the share of the description that falls to one polytope; NaN if it is not known.
 */
export function showPlace(root: Root, message: Message, bits: number): void {
  const facts = message.facts;
  const box = root.element("div", "place");
  if (Number(facts["face"]) < 0) {
    box.replaceChildren(make("p", "Point at a polytope.", { class: "muted" }));
    return;
  }
  const rows = facts["map"] as number[][];
  const outputs = facts["outputs"] as number[];
  const active = facts["active"] as number[][] | undefined;
  const list = make("dl");
  const add = (name: string, value: string): void => {
    list.append(make("dt", name), make("dd", value));
  };
  add("output", outputs.map((value) => short(value, 5)).join(", "));
  rows.forEach(([a = 0, b = 0, c = 0], i) => {
    add(rows.length > 1 ? `map ${i + 1}` : "map", `${short(a, 4)} dx + ${short(b, 4)} dy + ${short(c, 4)}`);
  });
  if (active !== undefined) {
    add("area", `${short(100 * Number(facts["area"]), 3)} % of the picture`);
    add("active", active.map((layer) => layer.length).join(" · "));
    const sizes = facts["layer_sizes"] as number[] | undefined;
    if (sizes?.every((size) => size <= MOST_NEURONS) === true) add("pattern", patternOf(active, sizes));
    if (Number.isFinite(bits)) add("bits", `${short(bits)} a polytope`);
  }
  box.replaceChildren(list);
}

/** A 1 for each active neuron, a 0 for every other, layer by layer. */
export function patternOf(active: readonly (readonly number[])[], sizes: readonly number[]): string {
  return sizes
    .map((size, layer) => Array.from({ length: size }, (_, i) => (active[layer]?.includes(i) === true ? 1 : 0)).join(""))
    .join(" ");
}
