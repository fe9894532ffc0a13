/** The parts of views that need no browser. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { isSparse, lastKnown, series, thinned } from "../src/curves/thinning.ts";
import { ChosenNeuron } from "../src/folds/chosen_neuron.ts";
import { Camera, LEAST_HALF } from "../src/folds/camera.ts";
import { foldPalette, hue, type EncodingFolds } from "../src/folds/palette.ts";
import { cornerColours, triangulate } from "../src/folds/triangles.ts";
import { firstNeuron, layerOf, nearestFold } from "../src/folds/nearest_fold.ts";
import { patternOf } from "../src/folds/place_pane.ts";
import { placedPoints } from "../src/folds/points.ts";
import { fragmentOf, placeOf } from "../src/link.ts";
import { targetsBeforeCut } from "../src/gradients/gradients_pane.ts";
import { isForDark } from "../src/notebook/theme.ts";
import { nearest, short } from "../src/numbers.ts";
import { differences } from "../src/runs/differences.ts";
import { locate } from "../src/replay/locate.ts";
import { hintOf } from "../src/settings/controls.ts";
import { unpacked } from "../src/replay/unpack.ts";
import { RunState, State, Table } from "../src/state.ts";
import { paintedClasses } from "../src/target/class_choice.ts";
import { contained } from "../src/target/contained.ts";
import { neuronName } from "../src/bits/neuron_pane.ts";
import { marksOf, near } from "../src/time/marks.ts";
import { columnsOf } from "../src/time/moments.ts";
import { floats, wholes } from "../src/wire.ts";

test("a face of n corners becomes n - 2 triangles", () => {
  const offsets = Uint32Array.of(0, 3, 7);
  assert.deepEqual([...triangulate(offsets)], [0, 1, 2, 3, 4, 5, 3, 5, 6]);
  assert.equal(triangulate(Uint32Array.of(0)).length, 0);
});

test("each corner of a face has its colour", () => {
  const found = cornerColours(Uint32Array.of(0, 1, 3), Uint8Array.of(1, 2, 3, 4, 5, 6));
  assert.deepEqual([...found], [1, 2, 3, 255, 4, 5, 6, 255, 4, 5, 6, 255]);
});

test("what is under the pointer stays there while zooming", () => {
  const camera = new Camera();
  camera.aspect = 1.5;
  const before = camera.point(0.3, -0.2);
  camera.zoomAt(0.3, -0.2, 1000);
  const after = camera.point(0.3, -0.2);
  assert.ok(Math.abs(before[0] - after[0]) < 1e-12);
  assert.ok(Math.abs(before[1] - after[1]) < 1e-12);
  assert.equal(camera.half, 0.5 / 1000);
});

test("zoom ends where float64 does", () => {
  const camera = new Camera();
  for (let i = 0; i < 100; i++) camera.zoomAt(0, 0, 10);
  assert.equal(camera.half, LEAST_HALF);
});

test("only what is seen of the picture is cut", () => {
  const camera = new Camera();
  camera.aspect = 2;
  camera.reset();
  assert.deepEqual(camera.window(), { x: 0, y: 0, half: 0.5, aspect: 1 });
  camera.zoomAt(0, 0, 4);
  const window = camera.window();
  assert.ok(window !== null && window.half < 0.13 && window.aspect === 2);
});

test("rows of earlier epochs replace those that were there", () => {
  const table = new Table(2);
  table.take(0, Float64Array.of(1, 0.5, 2, 0.4, 3, 0.3));
  table.take(1, Float64Array.of(2, 0.25));
  assert.equal(table.count, 2);
  assert.equal(table.at(1, 1), 0.25);
  assert.equal(table.last(1), 0.25);
});

test("a table grows, and its last number is the last that was measured", () => {
  const table = new Table(2);
  for (let epoch = 1; epoch <= 5000; epoch++) {
    table.take(epoch - 1, Float64Array.of(epoch, epoch === 4990 ? 7 : Number.NaN));
  }
  assert.equal(table.count, 5000);
  assert.equal(table.last(1), 7);
});

test("thinned curves keep their ends", () => {
  assert.deepEqual([...thinned(3, 10)], [0, 1, 2]);
  const rows = thinned(10_001, 100);
  assert.ok(rows.length <= 102);
  assert.equal(rows[0], 0);
  assert.equal(rows[rows.length - 1], 10_000);
});

test("a thinned curve has what was measured between its rows", () => {
  const table = new Table(2);
  table.take(0, Float64Array.of(1, NaN, 2, 7, 3, NaN, 4, NaN, 5, 8, 6, 9, 7, NaN));
  assert.deepEqual([...thinned(7, 3)], [0, 3, 6]);
  assert.deepEqual(series(table, thinned(7, 3), [1], false), [null, 7, 9]);
});

test("a curve of few numbers has dots", () => {
  assert.equal(isSparse([null, 5, null]), true);
  assert.equal(isSparse(Array.from({ length: 20 }, () => 1)), false);
});

test("a legend has the last number that was measured", () => {
  assert.equal(lastKnown([1, null, 3, null], 3), 3);
  assert.equal(lastKnown([1, null, 3, null], 1), 1);
  assert.equal(lastKnown([null], 5), null);
});

test("a logarithmic curve leaves out what has no logarithm", () => {
  const table = new Table(2);
  table.take(0, Float64Array.of(1, 0, 2, 0.5, 3, Number.NaN));
  assert.deepEqual(series(table, thinned(3, 9), [1], true), [null, 0.5, null]);
  assert.deepEqual(series(table, thinned(3, 9), [1], false), [0, 0.5, null]);
});

test("a curve may be the product of columns", () => {
  const table = new Table(3);
  table.take(0, Float64Array.of(1, 0.5, 4, 2, Number.NaN, 4));
  assert.deepEqual(series(table, thinned(2, 9), [1, 2], false), [2, null]);
});

test("the switch of the seed's bug goes back to what was there before", () => {
  const change = (settings: Record<string, unknown>, before: Record<string, unknown>) =>
    ({ epoch: 1, settings, before, isPainted: false });
  const planted = change({ kolmogorov_targets: "cut" }, { kolmogorov_targets: "linear" });
  assert.equal(targetsBeforeCut([planted, change({ learning_rate: 1 }, { learning_rate: 2 })]), "linear");
  assert.equal(targetsBeforeCut([]), null);
});

test("each neuron has the colour of its layer", () => {
  const legend = { layerSizes: [2, 1], layerColours: [[1, 2, 3], [4, 5, 6]], numEncodingLayers: 0 };
  const { pixels, rows } = foldPalette(legend, "layer", null, "faint");
  assert.equal(rows, 1);
  assert.deepEqual([...pixels.subarray(0, 12)], [1, 2, 3, 255, 1, 2, 3, 255, 4, 5, 6, 255]);
  const chosen = foldPalette(legend, "layer", 1, "faint").pixels;
  assert.deepEqual([chosen[3], chosen[7], chosen[11]], [36, 255, 36]);
});

test("folds of the encoding are faint, left out, or as all others", () => {
  const legend = { layerSizes: [2, 1], layerColours: [], numEncodingLayers: 1 };
  const opacity = (how: EncodingFolds, chosen: number | null): (number | undefined)[] => {
    const { pixels } = foldPalette(legend, "plain", chosen, how);
    return [pixels[3], pixels[7], pixels[11]];
  };
  assert.deepEqual(opacity("faint", null), [77, 77, 255]);
  assert.deepEqual(opacity("none", null), [0, 0, 255]);
  assert.deepEqual(opacity("plain", null), [255, 255, 255]);
  assert.deepEqual(opacity("faint", 2), [36, 36, 255]);
  assert.deepEqual(opacity("none", 2), [0, 0, 255]);
});

test("hues go round the colour circle", () => {
  assert.deepEqual(hue(0), [255, 0, 0]);
  assert.deepEqual(hue(1 / 3), [0, 255, 0]);
  assert.deepEqual(hue(2 / 3), [0, 0, 255]);
});

test("numbers are short", () => {
  assert.equal(short(1234567), "1,234,567");
  assert.equal(short(0.0012345), "0.00123");
  assert.equal(short(1e-9), "1.00e-9");
  assert.equal(short(Number.NaN), "–");
});

test("the nearest recorded moment is found", () => {
  assert.equal(nearest([0, 10, 100], 40), 10);
  assert.equal(nearest([], 40), null);
});

test("the nearest fold is found, in pixels", () => {
  const folds = Float32Array.of(0, 0, 1, 0, 0, 1, 1, 1);
  const neurons = Uint32Array.of(0, 3);
  const found = nearestFold(folds, 0.5, 0.9, 100, 100, neurons, 0);
  assert.equal(found?.piece, 1);
  assert.ok(Math.abs((found?.distance ?? 0) - 10) < 1e-4);
  assert.equal(nearestFold(folds, 3, 0, 100, 100, neurons, 0)?.distance, 200);
  assert.equal(nearestFold(folds, 0.5, 0.1, 100, 100, neurons, 0)?.piece, 0);
  assert.equal(nearestFold(folds, 0.5, 0.1, 100, 100, neurons, firstNeuron(1, [2, 2]))?.piece, 1);
  assert.equal(nearestFold(new Float32Array(0), 0, 0, 1, 1, new Uint32Array(0), 0), null);
});

test("a chosen neuron is dropped with its run, and where other layers are drawn", () => {
  const ring = { run: "ring", layerSizes: [4, 4], numEncodingLayers: 0 };
  const others = [{ ...ring, run: "disk" }, { ...ring, layerSizes: [4, 4, 1] }, { ...ring, numEncodingLayers: 1 }];
  for (const other of others) {
    const chosen = new ChosenNeuron();
    assert.equal(chosen.take(ring), false);
    chosen.number = 3;
    assert.equal(chosen.take({ ...ring }), false);
    assert.equal(chosen.number, 3);
    assert.equal(chosen.take(other), true);
    assert.equal(chosen.number, null);
    assert.equal(chosen.drop(), false);
  }
});

test("a neuron has a layer and a number within it", () => {
  assert.deepEqual(layerOf(0, [2, 3]), [0, 0]);
  assert.deepEqual(layerOf(4, [2, 3]), [1, 2]);
});

test("layers count from the encoding's on, and a neuron's own count is told too", () => {
  assert.equal(neuronName([0, 2], 0), "neuron 3 of layer 1");
  assert.equal(neuronName([0, 2], 3), "neuron 3 of layer 4 (1 after the encoding)");
});

test("a picture lies in the middle of a box of another shape", () => {
  const box = { left: 10, top: 20, width: 294, height: 260 };
  assert.deepEqual(contained(box, 64, 64), { left: 27, top: 20, width: 260, height: 260 });
  assert.deepEqual(contained({ ...box, width: 260 }, 2, 1), { left: 10, top: 85, width: 260, height: 130 });
});

test("a link restores what it was made of", () => {
  const place = { run: "ring & co", epoch: 7, x: 0.125, y: -0.25, zoom: 1e9 };
  assert.deepEqual(placeOf(fragmentOf(place)), place);
  const whole = { run: "ring", epoch: null, x: 0, y: 0, zoom: 1 };
  assert.deepEqual(placeOf(fragmentOf(whole)), whole);
  assert.deepEqual(placeOf("#zoom=much"), { ...whole, run: "" });
});

test("numbers of an earlier epoch are found", () => {
  const table = new Table(2);
  table.take(0, Float64Array.of(1, 0.5, 3, 0.4, 5, 0.3));
  assert.equal(table.last(1, 3), 0.4);
  assert.equal(table.last(1, 4), 0.4);
  assert.ok(Number.isNaN(table.last(1, 0)));
  assert.equal(table.last(1, 99), 0.3);
});

test("a place is found in a partition that is drawn", () => {
  const partition = {
    kind: "partition",
    facts: { half: 0.5 },
    arrays: {
      corners: Float32Array.of(-1, -1, 1, -1, 1, 1, -1, 1),
      face_offsets: Uint32Array.of(0, 4),
      outputs: Float32Array.of(-2, 0, 4, 2),
    },
    shapes: { outputs: [4, 1] },
  };
  // The outputs are x + 2 y + 1 of the window's own coordinates.
  const place = locate(partition, 0.25, -0.5).facts;
  assert.deepEqual(place["outputs"], [0.25]);
  assert.deepEqual(place["map"], [[2, 4, 1]]);
  assert.equal(locate(partition, 2, 0).facts["face"], -1);
});

test("a packed partition is unpacked", () => {
  // Two triangles of a square: the side that the second one lies beyond tells two of its corners.
  const packed = {
    kind: "packed",
    facts: { aspect: 2, lows: [-1], highs: [1] },
    arrays: {
      sizes: Uint8Array.of(3, 3, 0, 0, 0, 0),
      codes_0: Uint8Array.of(0, 0, 0, 0),
      x_0: Uint8Array.of(0, 1, 0, 2), // 0, then -1, 0 and 1 more, in 16 bits
      y_0: Uint8Array.of(0, 0, 1, 0),
      outputs0_0: Uint8Array.of(0, 1, 0, 2),
      neurons_0: Uint8Array.of(0, 0, 6, 0, 0),
      boundary: Uint16Array.of(0, 65535, 65535, 0),
    },
    shapes: {},
  };
  const found = unpacked(packed);
  assert.deepEqual([...wholes(found, "face_offsets")], [0, 3, 6]);
  assert.deepEqual([...floats(found, "corners")], [-2, -1, 2, -1, 2, 1, -2, -1, 2, 1, -2, 1]);
  assert.deepEqual([...floats(found, "folds")], [2, 1, -2, -1]);
  assert.deepEqual([...wholes(found, "fold_neurons")], [5]);
  assert.deepEqual([...floats(found, "boundary")], [-2, 1, 2, -1]);
  assert.deepEqual([...floats(found, "outputs")], [-1, 1, 1, -1, 1, -1]);
});

test("what three corners tell of a fourth is not written", () => {
  const packed = {
    kind: "packed",
    facts: { aspect: 1, lows: [0], highs: [65535] },
    arrays: {
      sizes: Uint8Array.of(4, 0, 0, 0, 0),
      codes_0: Uint8Array.of(0, 0, 0, 0),
      x_0: Uint8Array.of(0, 200, 0, 199), // 0, 100, 100, 0
      y_0: Uint8Array.of(0, 0, 200, 0), // 0, 0, 100, 100
      outputs0_0: Uint8Array.of(20, 20, 40, 0), // 10, 20, 40, and 10 + (40 - 20)
      neurons_0: Uint8Array.of(0, 0, 0, 0),
    },
    shapes: {},
  };
  assert.deepEqual([...floats(unpacked(packed), "outputs")], [10, 20, 40, 30]);
});

test("changes, branches and alarms are marked, and named near the pointer", () => {
  const current = new RunState(1);
  current.epoch = 100;
  current.changes = [{ epoch: 51, settings: { learning_rate: 0.1 }, before: {}, isPainted: true }];
  current.marks = [{ epoch: 80, kind: "monitor", text: "K rose." }];
  const runs = [
    { run: "ring-from-20", parent: "/runs/ring", parent_epoch: 20 },
    { run: "ring", parent: "/runs/disk", parent_epoch: 10 },
    { run: "other" },
  ];
  const marks = marksOf({ run: "ring", runs, current });
  assert.deepEqual(marks.map((mark) => [mark.epoch, mark.kind]), [
    [10, "branch"], [20, "branch"], [50, "change"], [80, "monitor"],
  ]);
  assert.equal(near(marks, 0.805, 100), "after epoch 80: K rose.");
  assert.equal(near(marks, 0.5, 100), "after epoch 50: learning rate 0.1, target painted");
  assert.match(near(marks, 0.1, 100), /branched from disk/);
  assert.equal(near(marks, 0.3, 100), "");
});

test("each recorded moment has its place on the time line", () => {
  assert.deepEqual([...columnsOf([0, 50, 100], 100, 101)], [0, 50, 100]);
  assert.deepEqual([...columnsOf([0, 1, 2, 99, 100], 100, 11)], [0, 10]);
  assert.deepEqual([...columnsOf([0], 0, 11)], [0]);
});

test("what was noticed in one epoch stands together", () => {
  const state = new State();
  state.notice("K rose.", 50);
  state.notice("No gradient is cut.", 50);
  state.notice("K rose.", 50);
  assert.equal(state.line, "K rose. No gradient is cut.");
  state.notice("The disk is full.", 60);
  assert.equal(state.line, "The disk is full.");
  state.say("Cannot paint.", true);
  state.notice("The rate falls.", 60);
  assert.equal(state.line, "The rate falls.");
});

test("points outside the canvas are left out, and places are exact when far enlarged", () => {
  const points = Float32Array.of(0.25, -0.25, 0.5, 0.5);
  const found = placedPoints(points, { x: 0.25, y: -0.25 - 1e-9, half: 2e-9, aspect: 1 });
  assert.deepEqual([...found], [0, -0.5, 0.75, 0.25].map(Math.fround));
});

test("only settings that differ are shown of runs side by side", () => {
  const one = { kolmogorov_weight: 0.1, seed: 1, output_dir: "a", no_watchdog: [] };
  const two = { kolmogorov_weight: 0.2, seed: 1, output_dir: "b", no_watchdog: [], extra: 3 };
  assert.deepEqual(differences([one, two]), [
    { name: "extra", values: [null, 3] },
    { name: "kolmogorov_weight", values: [0.1, 0.2] },
  ]);
  assert.deepEqual(differences([one, one]), []);
});

test("runs beside show the same epoch, and there are three at most", () => {
  const state = new State();
  state.run = "main";
  state.current.epoch = 10;
  Object.assign(state.of("other"), { epoch: 40, frames: [0, 8, 20, 40] });
  assert.equal(state.besideEpoch("other"), 8);
  state.shownEpoch = 39;
  assert.equal(state.besideEpoch("other"), 40);
  state.isSameEpoch = false;
  assert.equal(state.besideEpoch("other"), null);
  for (const run of ["a", "b", "c", "d"]) state.toggleBeside(run);
  assert.deepEqual(state.beside, ["a", "b", "c"]);
  state.toggleBeside("a");
  assert.deepEqual(state.beside, ["b", "c"]);
});

test("dark is the same in a notebook as on the page", () => {
  const style = readFileSync("src/studio.css", "utf8");
  const blocks = [...style.matchAll(/--paper: #17171a;[^}]*?--warning: [^;]*;/g)];
  const [page, notebook] = blocks.map(([block]) => block.replace(/\s+/g, " "));
  assert.equal(blocks.length, 2);
  assert.equal(page, notebook);
});

test("a notebook is dark if its text is light", () => {
  assert.equal(isForDark("rgb(230, 230, 230)"), true);
  assert.equal(isForDark("rgba(0, 0, 0, 0.87)"), false);
  assert.equal(isForDark("rgb(30, 30, 34)"), false);
});

test("a polytope's pattern has a digit for each neuron", () => {
  assert.equal(patternOf([[0, 2], []], [3, 2]), "101 00");
});

test("a class is painted in its own colour and shown in the colour of its prediction", () => {
  const found = paintedClasses({ classColours: [[255, 0, 0], [9, 9, 9]], shownColours: [[213, 94, 0], [9, 9, 9]] });
  assert.deepEqual(found, [{ paint: "#ff0000", shown: "#d55e00" }, { paint: "#090909", shown: "#090909" }]);
  assert.deepEqual(paintedClasses({ classColours: null, shownColours: null }), []);
});

test("a setting shows its unit, and its default where it has another value", () => {
  assert.equal(hintOf({ unit: "MB", default: 0 }, 200), "MB, default 0");
  assert.equal(hintOf({ unit: "MB", default: 0 }, 0), "MB");
  assert.equal(hintOf({ unit: "", default: 0.01 }, 0.02), "default 0.01");
  assert.equal(hintOf({ unit: "", default: null }, 0.02), "");
});
