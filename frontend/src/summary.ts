/** The line below the folds: how well, and in how many bits. */

import { make, setText, type Root } from "./dom.ts";
import { short } from "./numbers.ts";
import type { State } from "./state.ts";

/** Between two facts, of which each stays on one line. */
const GAP = "   ";

/** The description's bits for each polytope of the picture, at the epoch that is shown; NaN if unknown. */
export function bitsPerPolytope(state: State): number {
  const { table } = state.current;
  const epoch = state.pointedEpoch ?? state.shownEpoch;
  return table.last(state.column("description_bits"), epoch) / table.last(state.column("num_polytopes"), epoch);
}

export function followSummary(root: Root, state: State): void {
  state.on(["moment", "run", "pointed"], () => {
    if (state.run === "") return;
    const table = state.current.table;
    const last = (name: string): number => table.last(state.column(name), state.pointedEpoch ?? state.shownEpoch);
    const bits = last("description_bits");
    const parts = [
      ["PSNR", last("psnr_db"), "dB"],
      ["accuracy", 100 * last("accuracy"), "%"],
      ["K", last("kolmogorov_loss"), "nats a weight"],
    ] as const;
    const words = parts
      .filter(([, value]) => Number.isFinite(value))
      .map(([name, value, unit]) => `${name} ${short(value, 4)} ${unit}`);
    if (Number.isFinite(bits)) words.push(`${short(Math.round(bits))} bits`);
    const each = bitsPerPolytope(state);
    if (Number.isFinite(each)) words.push(`${short(each)} bits a polytope`);
    const line = root.element("p", "summary");
    if (words.length === 0) setText(line, "Press Play to train. Paint on the target at any time.");
    else if (line.textContent !== words.join(GAP)) {
      line.replaceChildren(...words.flatMap((word, i) => (i === 0 ? [make("span", word)] : [GAP, make("span", word)])));
    }
  });
}
