/** The parts of the pane with the bits that need no browser. */

import assert from "node:assert/strict";
import test from "node:test";

import { isNow, isOf, lookedMoment, versionOf } from "../src/bits/moment.ts";
import { bitsOf, neuronWeights } from "../src/bits/neuron.ts";
import { State } from "../src/state.ts";
import { bitsPerPolytope } from "../src/summary.ts";

test("bits a polytope are those of the epoch that is shown", () => {
  const state = new State();
  state.columns = ["epoch", "description_bits", "num_polytopes"];
  state.run = "ring";
  state.current.table.take(0, Float64Array.of(1, 900, 30, 2, 800, 40));
  assert.equal(bitsPerPolytope(state), 20);
  state.shownEpoch = 1;
  assert.equal(bitsPerPolytope(state), 30);
});

test("bits are asked of the recorded moment that is looked at, or of the present while it is trained", () => {
  const state = new State();
  assert.equal(lookedMoment(state), null);
  state.run = "ring";
  Object.assign(state.current, { epoch: 8, frames: [0, 4, 8], isTrained: true });
  assert.deepEqual(lookedMoment(state), { run: "ring", epoch: null });
  state.shownEpoch = 5;
  assert.deepEqual(lookedMoment(state), { run: "ring", epoch: 4 });
  Object.assign(state.current, { isTrained: false });
  state.shownEpoch = null;
  assert.deepEqual(lookedMoment(state), { run: "ring", epoch: 8 });
  state.current.frames = [0, 4];
  assert.equal(lookedMoment(state), null);
});

test("only an answer of the present, at the epoch that a run has reached, is saved now", () => {
  const answer = (facts: Record<string, unknown>) => ({ kind: "bits", facts: { run: "ring", ...facts }, arrays: {}, shapes: {} });
  const present = { run: "ring", epoch: null };
  const [now, recorded] = [answer({ epoch: 7, is_present: true }), answer({ epoch: 7, is_present: false })];
  assert.equal(isNow(now, present, { epoch: 7 }), true);
  assert.equal(isNow(now, present, { epoch: 9 }), false);
  assert.equal(isNow(recorded, present, { epoch: 7 }), false);
  assert.equal(isNow(recorded, { run: "ring", epoch: 7 }, { epoch: 7 }), false);
  assert.equal(isOf(recorded, { run: "ring", epoch: 7 }), true);
  assert.equal(isOf(now, { run: "ring", epoch: 4 }), false);
  assert.equal(isOf(now, { run: "disk", epoch: null }), false);
});

test("the present is asked for again after an epoch or a change, and a recorded moment never", () => {
  const [present, recorded] = [{ run: "ring", epoch: null }, { run: "ring", epoch: 4 }];
  const changes = [{ epoch: 5, settings: {}, before: {}, isPainted: true }];
  const [first, later] = [{ epoch: 4, changes: [] }, { epoch: 5, changes: [] }];
  assert.notEqual(versionOf(present, first), versionOf(present, later));
  assert.notEqual(versionOf(present, first), versionOf(present, { ...first, changes }));
  assert.equal(versionOf(recorded, first), versionOf(recorded, later));
  assert.notEqual(versionOf(recorded, first), versionOf(present, first));
});

test("tables of an encoding's grids are no layer of neurons", () => {
  const message = {
    kind: "bits",
    facts: {
      tensors: [
        { name: "layers.0.tables.0", shape: [1, 2] }, { name: "layers.1.weight", shape: [1, 2] }, { name: "layers.1.bias", shape: [1] },
      ],
    },
    arrays: { weights: Float32Array.of(1, 2, 3, 4, 5) },
    shapes: {},
  };
  assert.deepEqual(neuronWeights(message, 0, 0).map(({ value }) => value), [3, 4, 5]);
});

test("a neuron has the weights of its row, and its bias", () => {
  const message = {
    kind: "bits",
    facts: {
      tensors: [
        { name: "layers.0.weight", shape: [2, 2] }, { name: "layers.0.bias", shape: [2] }, { name: "layers.1.weight", shape: [1, 2] },
      ],
    },
    arrays: { weights: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), costs: Float32Array.of(8, 7, 6, 5, 4, 3, 2, 1) },
    shapes: {},
  };
  const found = neuronWeights(message, 0, 1);
  assert.deepEqual(found, [
    { input: 0, value: 3, bits: 6 }, { input: 1, value: 4, bits: 5 }, { input: null, value: 6, bits: 3 },
  ]);
  assert.equal(bitsOf(found), 14);
  assert.deepEqual([-1, 2].map((index) => neuronWeights(message, 0, index)), [[], []]);
  assert.deepEqual(neuronWeights(message, 1, 0).map(({ value }) => value), [7, 8]);
  const unpriced = { ...message, arrays: { weights: message.arrays.weights } };
  assert.ok(Number.isNaN(bitsOf(neuronWeights(unpriced, 0, 0))));
  assert.ok(Number.isNaN(bitsOf([])));
});
