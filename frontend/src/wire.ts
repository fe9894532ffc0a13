/** Binary messages of the server: a header in JSON, and arrays; docs/studio-wire.md has every byte. */

export type Numbers =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

export interface Message {
  readonly kind: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly arrays: Readonly<Record<string, Numbers>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

interface ArrayEntry {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly at: number;
}

export const VERSION = 1;
const LENGTH_BYTES = 4;

const TYPES = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** Read a message. Its arrays share the memory of `data`. Throws on any other bytes. */
export function decode(data: ArrayBuffer): Message {
  const size = new DataView(data).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(data, LENGTH_BYTES, size));
  const { kind, version, arrays: entries, ...facts } = JSON.parse(text) as Record<string, unknown>;
  if (typeof kind !== "string" || version !== VERSION || !Array.isArray(entries)) {
    throw new Error(`Expected a message of version ${VERSION}, got version ${String(version)}.`);
  }
  const arrays: Record<string, Numbers> = {};
  const shapes: Record<string, readonly number[]> = {};
  for (const entry of entries as ArrayEntry[]) {
    const type = TYPES[entry.type as keyof typeof TYPES];
    const count = entry.shape.reduce((product, side) => product * side, 1);
    arrays[entry.name] = new type(data, LENGTH_BYTES + size + entry.at, count);
    shapes[entry.name] = entry.shape;
  }
  return { kind, facts, arrays, shapes };
}

/** An array of a message as float32; an empty one if the message has none of this name. */
export function floats(message: Message, name: string): Float32Array {
  const found = message.arrays[name];
  return found instanceof Float32Array ? found : new Float32Array(0);
}

/** An array of a message as uint32; an empty one if the message has none of this name. */
export function wholes(message: Message, name: string): Uint32Array {
  const found = message.arrays[name];
  return found instanceof Uint32Array ? found : new Uint32Array(0);
}
