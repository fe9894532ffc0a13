/** A packed partition as the live page has it; `bitfold.studio.export.packing` writes it. */

import type { Message, Numbers } from "../wire.ts";

const LARGEST = 65535;

export function unpacked(packed: Message): Message {
  const { aspect } = packed.facts as { aspect: number };
  const [xs, ys] = [column(packed, "x"), column(packed, "y")];
  const x = (vertex: number): number => ((2 * (xs[vertex] as number)) / LARGEST - 1) * aspect;
  const y = (vertex: number): number => (2 * (ys[vertex] as number)) / LARGEST - 1;
  const places = column(packed, "corners");
  const corners = new Float32Array(2 * places.length);
  places.forEach((vertex, i) => {
    corners[2 * i] = x(vertex);
    corners[2 * i + 1] = y(vertex);
  });
  const folds = foldsOf(packed, x, y);
  const numOutputs = (packed.facts["lows"] as number[]).length;
  const outputs = outputsOf(packed, places, numOutputs);
  const arrays = {
    corners,
    face_offsets: offsetsOf(column(packed, "sizes")),
    outputs,
    folds,
    fold_neurons: Uint32Array.from(column(packed, "fold_neurons")),
    boundary: packed.arrays["boundary"] ?? new Float32Array(0),
  };
  const shapes = { outputs: [places.length, numOutputs] };
  return { kind: "partition", facts: { ...packed.facts, faces: "value" }, arrays, shapes };
}

function column(packed: Message, name: string): Numbers {
  const found = packed.arrays[name];
  if (found === undefined) throw new Error(`The recording has no ${name}.`);
  return found;
}

function offsetsOf(sizes: Numbers): Uint32Array {
  const offsets = new Uint32Array(sizes.length + 1);
  sizes.forEach((size, face) => {
    offsets[face + 1] = (offsets[face] as number) + size;
  });
  return offsets;
}

function foldsOf(
  packed: Message,
  x: (vertex: number) => number,
  y: (vertex: number) => number,
): Float32Array {
  const [first, second] = [column(packed, "fold_first"), column(packed, "fold_second")];
  const folds = new Float32Array(4 * first.length);
  first.forEach((vertex, i) => {
    const other = second[i] as number;
    folds.set([x(vertex), y(vertex), x(other), y(other)], 4 * i);
  });
  return folds;
}

function outputsOf(packed: Message, places: Numbers, count: number): Float32Array {
  const given = column(packed, "outputs");
  const lows = packed.facts["lows"] as number[];
  const highs = packed.facts["highs"] as number[];
  const numVertices = column(packed, "x").length;
  const outputs = new Float32Array(count * places.length);
  for (let output = 0; output < count; output++) {
    const low = lows[output] as number;
    const unit = ((highs[output] as number) - low) / LARGEST;
    places.forEach((vertex, i) => {
      outputs[count * i + output] = low + unit * (given[output * numVertices + vertex] as number);
    });
  }
  return outputs;
}
