/** A recorded run answers as a server does: facts before moments, and the moment wanted last. */

import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";

import { receive } from "../src/receive.ts";
import { Recording } from "../src/replay/recording.ts";
import { State } from "../src/state.ts";
import type { Message } from "../src/wire.ts";

const MOMENT = { is_playing: false, is_over: true, is_trained: true, first_row: 0, frames: [] };

/** A message without arrays, as a page of a recorded run holds it. */
function packed(facts: object): string {
  const text = JSON.stringify({ version: 1, arrays: [], ...facts });
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeUInt32LE(text.length);
  bytes.write(text, 4);
  return deflateSync(bytes).toString("base64");
}

/** A partition of one triangle. */
function moment(epoch: number): { epoch: number; data: string } {
  const arrays = [
    { name: "sizes", type: "uint8", shape: [1], at: 0 },
    ...["codes", "x", "y", "outputs0"].map((name) => ({ name: `${name}_0`, type: "uint8", shape: [3], at: 8 })),
    { name: "neurons_0", type: "uint8", shape: [3], at: 8 },
  ];
  const header = { kind: "packed", version: 1, run: "a", epoch, aspect: 1, lows: [0], highs: [1], arrays };
  const text = JSON.stringify(header);
  const data = Buffer.alloc(4 + text.length + 16);
  data.writeUInt32LE(text.length);
  data.write(text, 4);
  data[4 + text.length] = 3;
  return { epoch, data: deflateSync(data).toString("base64") };
}

function recordingOf(heard: (message: Message, state: State) => void): { recording: Recording; state: State } {
  const state = new State();
  state.run = "a";
  const said = [
    { kind: "hello", columns: [], settings: [], targets: [] },
    { kind: "moment", run: "a", epoch: 3, ...MOMENT },
    { kind: "marks", run: "a", marks: [] },
  ].map(packed);
  const hear = (message: Message): void => {
    receive(state, message);
    heard(message, state);
  };
  const recorded = { run: "a", said, moments: [1, 2, 3].map(moment) };
  const recording = new Recording(recorded, state, hear, () => undefined);
  return { recording, state };
}

const settled = (): Promise<void> => new Promise((done) => setTimeout(done, 200));

test("whoever looks as soon as the page is connected finds all moments with the first", async () => {
  const found: (readonly number[])[] = [];
  const { recording, state } = recordingOf((message, now) => {
    if (message.kind === "hello") recording.send({ kind: "look", epoch: null });
    if (message.kind === "partition") found.push(now.current.frames);
  });
  await recording.open();
  await settled();
  assert.equal(state.current.epoch, 3);
  assert.deepEqual(found, [[1, 2, 3]]);
});

test("a moment that is wanted no more is not shown", async () => {
  const shown: unknown[] = [];
  const { recording } = recordingOf((message) => {
    if (message.kind === "partition") shown.push(message.facts["epoch"]);
  });
  await recording.open();
  recording.send({ kind: "look", epoch: 3 });
  await settled();
  recording.send({ kind: "look", epoch: 1 });
  recording.send({ kind: "look", epoch: 3 });
  await settled();
  assert.deepEqual(shown, [3]);
});
