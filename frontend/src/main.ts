/** The page of the studio: connects, and hands messages to the views. */

import { BitsPane } from "./bits/bits_pane.ts";
import { Connection } from "./connection.ts";
import { Controls } from "./settings/controls.ts";
import { Curves } from "./curves/curves.ts";
import { element, setText } from "./dom.ts";
import { FoldsPane } from "./folds/pane.ts";
import { showPlace } from "./folds/place_pane.ts";
import { receive } from "./receive.ts";
import { RunList } from "./runs/run_list.ts";
import { SaveMenu } from "./save/save_menu.ts";
import { State } from "./state.ts";
import { Brush } from "./target/brush.ts";
import { TargetPane } from "./target/target_pane.ts";
import { Transport } from "./time/transport.ts";
import { fragmentOf, placeOf, type Place } from "./link.ts";
import { short } from "./numbers.ts";
import { followDrops } from "./target/drop.ts";
import { followGradients } from "./gradients/gradients_pane.ts";
import { followMarks } from "./time/marks.ts";
import { followSummary } from "./summary.ts";
import type { Message } from "./wire.ts";

const TOKEN = "bitfold-token";
const HOVER_MS = 40;

/** Take token and run from the fragment of the URL, which no request ever holds. */
function fromFragment(): { readonly token: string; readonly place: Place } {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token") ?? sessionStorage.getItem(TOKEN) ?? "";
  sessionStorage.setItem(TOKEN, token);
  const place = placeOf(location.hash);
  history.replaceState(null, "", place.run === "" ? location.pathname : fragmentOf(place));
  return { token, place };
}

function start(): void {
  const given = fromFragment();
  const state = new State();
  state.run = given.place.run;
  state.shownEpoch = given.place.epoch;
  const connection = new Connection(given.token, (message) => hear(message), (isConnected) => {
    state.isConnected = isConnected;
    setText(element("span", "connection"), isConnected ? "" : "not connected");
    state.changed("connection");
    if (isConnected && state.run !== "") connection.send({ kind: "open", run: state.run });
  });
  const bits = new BitsPane(state, connection);
  const brush = new Brush(state, connection, (points, tool) => target.preview(points, tool));
  const target = new TargetPane(state, brush, connection);
  const folds = new FoldsPane(state, connection, brush, hover(), (neuron) => {
    if (neuron === null) setText(element("p", "neuron"), "");
    else {
      const [layer, index] = neuron;
      const price = bits.neuronBits(layer, index);
      const cost = Number.isFinite(price) ? `: its weights and bias cost ${short(price)} bits` : "";
      setText(element("p", "neuron"), `neuron ${index + 1} of layer ${layer + 1}${cost}`);
    }
  });
  const transport = new Transport(state, connection, () => folds.look());
  const save = new SaveMenu(connection);
  new Curves(state);
  new Controls(state, connection);
  new RunList(state, connection, choose);
  followSummary(state);
  followMarks(state);
  followGradients(state);
  followDrops(state, connection, given.token);
  element("button", "link").addEventListener("click", () => copyLink());
  state.on(["line"], () => {
    const line = element("p", "line");
    setText(line, state.line);
    line.classList.toggle("problem", state.isProblem);
  });

  function hear(message: Message): void {
    if (message.kind === "partition") folds.take(message);
    else if (message.kind === "place") showPlace(message);
    else if (message.kind === "bits") bits.take(message);
    else if (message.kind === "file") save.take(message);
    else if (message.kind === "began") choose(String(message.facts["run"]));
    else receive(state, message);
  }

  function choose(run: string): void {
    if (run === "") return;
    state.run = run;
    state.shownEpoch = null;
    history.replaceState(null, "", `#run=${encodeURIComponent(run)}`);
    connection.send({ kind: "open", run });
    state.changed("run");
    state.changed("target");
    state.changed("settings");
    state.changed("moment");
  }

  function hover(): (u: number, v: number) => void {
    let lastMs = 0;
    return (u, v) => {
      const now = performance.now();
      if (now - lastMs < HOVER_MS) return;
      lastMs = now;
      folds.locate(u, v);
    };
  }

  function copyLink(): void {
    const { x, y, zoom } = folds.camera;
    const fragment = fragmentOf({ run: state.run, epoch: state.shownEpoch, x, y, zoom });
    history.replaceState(null, "", fragment);
    void navigator.clipboard.writeText(location.href);
    state.say("The link to this view is in the clipboard and in the address bar.");
  }

  exposeTo(window, folds, state);
  document.addEventListener("keydown", (event) => {
    const isTyping = (event.target as HTMLElement).matches("input[type=text], select, button");
    if (event.key === " " && !isTyping) {
      event.preventDefault();
      transport.toggle();
    }
  });
  if (given.place.zoom > 1) folds.zoomTo(given.place.x, given.place.y, given.place.zoom);
  connection.open();
}

/** What the console of the browser, and tests, may ask and do. */
function exposeTo(target: object, folds: FoldsPane, state: State): void {
  const bitfold = {
    camera: () => ({ ...folds.camera }),
    zoomTo: (x: number, y: number, zoom: number) => folds.zoomTo(x, y, zoom),
    isCurrent: () => folds.isCurrent(),
    runs: () => state.runs.map((run) => run.run),
  };
  Object.assign(target, { bitfold });
}

start();
