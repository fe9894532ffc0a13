/** A packed partition as the live page has it; `bitfold.studio.export.packing` writes it. */

import type { Message, Numbers } from "../wire.ts";

const LARGEST = 65535;
const NO_NEURON = 0;

/** Faces as numbers of vertices, and the places and outputs of the vertices. */
interface Mesh {
  readonly sizes: Numbers;
  readonly corners: Uint32Array;
  readonly x: Uint16Array;
  readonly y: Uint16Array;
}

export function unpacked(packed: Message): Message {
  const { aspect } = packed.facts as { aspect: number };
  const mesh = meshOf(packed);
  const x = (vertex: number): number => ((2 * (mesh.x[vertex] as number)) / LARGEST - 1) * aspect;
  const y = (vertex: number): number => (2 * (mesh.y[vertex] as number)) / LARGEST - 1;
  const corners = new Float32Array(2 * mesh.corners.length);
  mesh.corners.forEach((vertex, i) => {
    corners[2 * i] = x(vertex);
    corners[2 * i + 1] = y(vertex);
  });
  const numOutputs = (packed.facts["lows"] as number[]).length;
  const arrays = {
    corners,
    face_offsets: offsetsOf(mesh.sizes),
    outputs: outputsOf(packed, mesh, numOutputs),
    ...foldsOf(packed, mesh, x, y),
    boundary: boundaryOf(packed, aspect),
  };
  const shapes = { outputs: [mesh.corners.length, numOutputs] };
  return { kind: "partition", facts: { ...packed.facts, faces: "value" }, arrays, shapes };
}

/** Numbers whose first bytes stand together, then their second ones. */
function numbersOf(packed: Message, name: string): Uint32Array {
  const first = packed.arrays[`${name}_0`];
  if (first === undefined) throw new Error(`The recording has no ${name}.`);
  const found = Uint32Array.from(first);
  for (let index = 1; packed.arrays[`${name}_${index}`] !== undefined; index++) {
    packed.arrays[`${name}_${index}`]?.forEach((byte, i) => {
      found[i] = (found[i] as number) | (byte << (8 * index));
    });
  }
  return found;
}

/** 0, -1, 1, -2, ... */
function signed(code: number): number {
  return code & 1 ? -((code + 1) >> 1) : code >> 1;
}

function summed(codes: Uint32Array): Uint16Array {
  let sum = 0;
  return Uint16Array.from(codes, (code) => (sum = (sum + signed(code)) & LARGEST));
}

function meshOf(packed: Message): Mesh {
  const sizes = packed.arrays["sizes"];
  if (sizes === undefined) throw new Error("The recording has no sizes.");
  const faces = facesOf(sizes, numbersOf(packed, "codes"));
  return {
    sizes: Uint32Array.from(faces, (face) => face.length),
    corners: Uint32Array.from(faces.flat()),
    x: summed(numbersOf(packed, "x")),
    y: summed(numbersOf(packed, "y")),
  };
}

/** Each face lies beyond the side that was opened last, until another face closes it. */
function facesOf(sizes: Numbers, codes: Uint32Array): number[][] {
  const faces: number[][] = [];
  const open = new Map<number, number[]>(); // end to the starts of the open sides
  const gates: [number, number][] = [];
  let [at, count] = [0, 0];
  for (const size of sizes) {
    const [first, last] = nextGate(gates, open);
    if (size === 0) {
      close(open, first, last);
      continue;
    }
    const face = first < 0 ? [] : [last, first];
    while (face.length < size) {
      const starts = open.get(face[face.length - 1] ?? -1) ?? [];
      const code = codes[at++] as number;
      if (code === 0) face.push(count++);
      else if (code <= starts.length) face.push(starts[starts.length - code] as number);
      else face.push(count - (code - starts.length));
    }
    faces.push(face);
    face.forEach((one, side) => {
      const other = face[(side + 1) % size] as number;
      if (close(open, other, one)) return;
      open.set(other, [...(open.get(other) ?? []), one]);
      gates.push([one, other]);
    });
  }
  return faces;
}

/** The side that was opened last and is still open; negative numbers if there is none. */
function nextGate(gates: [number, number][], open: ReadonlyMap<number, number[]>): readonly [number, number] {
  for (let gate = gates.pop(); gate !== undefined; gate = gates.pop()) {
    if (open.get(gate[1])?.includes(gate[0]) === true) return gate;
  }
  return [-1, -1];
}

/** Close the side from one vertex to another; false if it is not open. */
function close(open: Map<number, number[]>, one: number, other: number): boolean {
  const starts = open.get(other);
  const place = starts?.indexOf(one) ?? -1;
  if (place < 0) return false;
  starts?.splice(place, 1);
  return true;
}

function offsetsOf(sizes: Numbers): Uint32Array {
  const offsets = new Uint32Array(sizes.length + 1);
  sizes.forEach((size, face) => {
    offsets[face + 1] = (offsets[face] as number) + size;
  });
  return offsets;
}

/** Each edge has its neuron where a face walks along it first. */
function foldsOf(
  packed: Message,
  mesh: Mesh,
  x: (vertex: number) => number,
  y: (vertex: number) => number,
): { readonly folds: Float32Array; readonly fold_neurons: Uint32Array } {
  const given = numbersOf(packed, "neurons");
  const seen = new Set<number>();
  const [folds, neurons]: [number[], number[]] = [[], []];
  let first = 0;
  mesh.sizes.forEach((size) => {
    for (let side = 0; side < size; side++) {
      const one = mesh.corners[first + side] as number;
      const other = mesh.corners[first + ((side + 1) % size)] as number;
      const key = Math.min(one, other) * mesh.x.length + Math.max(one, other);
      if (seen.has(key)) continue;
      const neuron = given[seen.size] ?? NO_NEURON;
      seen.add(key);
      if (neuron === NO_NEURON) continue;
      folds.push(x(one), y(one), x(other), y(other));
      neurons.push(neuron - 1);
    }
    first += size;
  });
  return { folds: Float32Array.from(folds), fold_neurons: Uint32Array.from(neurons) };
}

function outputsOf(packed: Message, mesh: Mesh, count: number): Float32Array {
  const lows = packed.facts["lows"] as number[];
  const highs = packed.facts["highs"] as number[];
  const outputs = new Float32Array(count * mesh.corners.length);
  for (let output = 0; output < count; output++) {
    const values = valuesOf(numbersOf(packed, `outputs${output}`), mesh);
    const low = lows[output] as number;
    const unit = ((highs[output] as number) - low) / LARGEST;
    mesh.corners.forEach((vertex, i) => {
      outputs[count * i + output] = low + unit * (values[vertex] as number);
    });
  }
  return outputs;
}

/** The values of an output at the vertices: what is expected there, and the difference from it. */
function valuesOf(codes: Uint32Array, mesh: Mesh): Uint16Array {
  const values = new Uint16Array(codes.length);
  let [count, first] = [0, 0];
  mesh.sizes.forEach((size) => {
    const face = mesh.corners.subarray(first, first + size);
    const known = [...face].filter((vertex) => vertex < count);
    for (const vertex of face) {
      if (vertex !== count) continue;
      const expected = expectedAt(vertex, known, mesh, values);
      values[vertex] = (expected + signed(codes[vertex] as number)) & LARGEST;
      known.push(vertex);
      count++;
    }
    first += size;
  });
  return values;
}

/** A polytope's outputs are affine, so three known vertices tell those of a fourth. */
function expectedAt(vertex: number, known: readonly number[], mesh: Mesh, values: Uint16Array): number {
  const [a, b] = known as [number, number];
  const at = (numbers: Uint16Array, i: number): number => numbers[i] as number;
  const cross = (p: number, q: number): number =>
    (at(mesh.x, p) - at(mesh.x, a)) * (at(mesh.y, q) - at(mesh.y, a)) -
    (at(mesh.x, q) - at(mesh.x, a)) * (at(mesh.y, p) - at(mesh.y, a));
  const c = known.slice(2).find((one) => cross(b, one) !== 0);
  if (c === undefined) return vertex === 0 ? 0 : at(values, vertex - 1);
  const [low, area] = [at(values, a), cross(b, c)];
  const found =
    low +
    (cross(vertex, c) / area) * (at(values, b) - low) +
    (cross(b, vertex) / area) * (at(values, c) - low);
  return Math.min(LARGEST, Math.max(0, Math.floor(found + 0.5)));
}

function boundaryOf(packed: Message, aspect: number): Float32Array {
  const given = packed.arrays["boundary"] ?? new Uint16Array(0);
  return Float32Array.from(given, (share, i) => ((2 * share) / LARGEST - 1) * (i % 2 === 0 ? aspect : 1));
}
