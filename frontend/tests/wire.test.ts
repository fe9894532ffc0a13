/** Messages are read as Python writes them; the bytes below are those of `encode`. */

import assert from "node:assert/strict";
import test from "node:test";

import { decode, floats, wholes } from "../src/wire.ts";

/** Bytes of a message, by hand: length, header, arrays at multiples of 8 bytes. */
function message(header: object, arrays: readonly ArrayBufferView[]): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const size = Math.ceil((text.length + 4) / 8) * 8 - 4;
  const parts = arrays.map((one) => Math.ceil(one.byteLength / 8) * 8);
  const data = new Uint8Array(4 + size + parts.reduce((a, b) => a + b, 0)).fill(32, 4, 4 + size);
  new DataView(data.buffer).setUint32(0, size, true);
  data.set(text, 4);
  let at = 4 + size;
  arrays.forEach((one, i) => {
    data.set(new Uint8Array(one.buffer, one.byteOffset, one.byteLength), at);
    at += parts[i] ?? 0;
  });
  return data.buffer;
}

const ARRAYS = [
  { name: "folds", type: "float32", shape: [1, 3], at: 0 },
  { name: "owners", type: "uint32", shape: [2], at: 16 },
];

test("arrays come back with their shapes", () => {
  const header = { kind: "partition", version: 1, epoch: 3, arrays: ARRAYS };
  const data = message(header, [Float32Array.of(0.5, 1, 2), Uint32Array.of(7, 8)]);
  const found = decode(data);
  assert.equal(found.kind, "partition");
  assert.equal(found.facts["epoch"], 3);
  assert.deepEqual([...floats(found, "folds")], [0.5, 1, 2]);
  assert.deepEqual([...wholes(found, "owners")], [7, 8]);
  assert.deepEqual(found.shapes["folds"], [1, 3]);
});

test("another version is refused", () => {
  const data = message({ kind: "a", version: 2, arrays: [] }, []);
  assert.throws(() => decode(data), /version 2/);
});

test("an array that is not there is empty", () => {
  const found = decode(message({ kind: "a", version: 1, arrays: [] }, []));
  assert.equal(floats(found, "folds").length, 0);
});
