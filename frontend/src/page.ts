/** The views of a page, for a server or for a recording. */

import { BitsPane } from "./bits/bits_pane.ts";
import { Curves } from "./curves/curves.ts";
import { showNeuron } from "./bits/neuron_pane.ts";
import { isOfBrowser, setText, type Root } from "./dom.ts";
import { FoldsPane } from "./folds/pane.ts";
import { showPlace } from "./folds/place_pane.ts";
import { GradientsPane } from "./gradients/gradients_pane.ts";
import { fragmentOf } from "./link.ts";
import { receive } from "./receive.ts";
import { SaveMenu } from "./save/save_menu.ts";
import { bitsPerPolytope, followSummary } from "./summary.ts";
import { Beside } from "./runs/beside.ts";
import { Brush } from "./target/brush.ts";
import { ClassChoice } from "./target/class_choice.ts";
import { TargetPane } from "./target/target_pane.ts";
import { followMarks } from "./time/marks.ts";
import { followMoments } from "./time/moments.ts";
import { Transport } from "./time/transport.ts";
import type { Link } from "./connection.ts";
import type { State } from "./state.ts";
import type { Message } from "./wire.ts";

const HOVER_MS = 40;

export class Page {
  readonly folds: FoldsPane;
  private readonly bits: BitsPane;
  private readonly save: SaveMenu;
  private readonly beside: Beside;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly link: Link,
  ) {
    this.bits = new BitsPane(root, state, link);
    this.save = new SaveMenu(root, link);
    const classes = new ClassChoice(root);
    const brush = new Brush(root, state, link, classes, (points, tool) => target.preview(points, tool));
    const target = new TargetPane(root, state, brush, classes, link);
    this.folds = new FoldsPane(root, state, link, brush, this.hover(), (...named) => this.name(...named));
    this.beside = new Beside(root, state, link, this.folds);
    const transport = new Transport(root, state, link, () => this.folds.look());
    new Curves(root, state);
    followSummary(root, state);
    followMarks(root, state);
    followMoments(root, state);
    new GradientsPane(root, state, link);
    this.followLines();
    this.followKeys(transport);
    this.root.element("button", "link").addEventListener("click", () => this.copyLink());
  }

  /** Take a message of the server or of the recording. */
  hear(message: Message): void {
    if (message.kind === "refused") this.save.end();
    if (message.kind === "partition" && Number(message.facts["view"] ?? 0) > 0) this.beside.take(message);
    else if (message.kind === "partition") this.folds.take(message);
    else if (message.kind === "place") showPlace(this.root, message, bitsPerPolytope(this.state));
    else if (message.kind === "bits") this.bits.take(message);
    else if (message.kind === "file") this.save.take(message);
    else if (message.kind === "progress") this.save.tell(message);
    else if (message.kind === "began") this.choose(String(message.facts["run"]));
    else receive(this.state, message);
  }

  /** Look at a run. */
  choose(run: string): void {
    if (run === "") return;
    const before = this.state.run;
    this.state.run = run;
    if (this.state.beside.includes(run)) this.state.toggleBeside(run);
    if (before !== "" && before !== run) this.link.send({ kind: "close", run: before });
    this.state.shownEpoch = null;
    history.replaceState(null, "", `#run=${encodeURIComponent(run)}`);
    this.link.send({ kind: "open", run });
    for (const part of ["run", "target", "settings", "changes", "moment"] as const) {
      this.state.changed(part);
    }
  }

  private name(neuron: readonly [number, number] | null, isChosen: boolean, encoding: number): void {
    showNeuron(this.root, neuron, neuron === null ? [] : this.bits.neuron(...neuron), isChosen, encoding);
  }

  private hover(): (u: number, v: number) => void {
    let lastMs = 0;
    return (u, v) => {
      const now = performance.now();
      if (now - lastMs < HOVER_MS) return;
      lastMs = now;
      this.folds.locate(u, v);
    };
  }

  private followLines(): void {
    this.state.on(["line"], () => {
      const line = this.root.element("p", "line");
      setText(line, this.state.line);
      line.classList.toggle("problem", this.state.isProblem);
    });
  }

  private followKeys(transport: Transport): void {
    this.root.body.addEventListener("keydown", (event) => {
      // Controls have a use of their own for the space bar.
      const own = "input:not([type=range], [type=number]), select, button, summary";
      const isControl = (event.target as HTMLElement).matches(own);
      if (event.key === " " && !isControl && !isOfBrowser(event)) {
        event.preventDefault();
        transport.toggle();
      }
    });
  }

  private copyLink(): void {
    const { x, y, zoom } = this.folds.camera;
    const fragment = fragmentOf({ run: this.state.run, epoch: this.state.shownEpoch, x, y, zoom });
    history.replaceState(null, "", fragment);
    void navigator.clipboard?.writeText(location.href);
    this.state.say("The link to this view is in the clipboard and in the address bar.");
  }

  /** Let the console of the browser, and tests, ask and do some things. */
  exposeTo(target: object): void {
    const bitfold = {
      camera: () => ({ ...this.folds.camera }),
      zoomTo: (x: number, y: number, zoom: number) => this.folds.zoomTo(x, y, zoom),
      isCurrent: () => this.folds.isCurrent(),
      runs: () => this.state.runs.map((run) => run.run),
    };
    Object.assign(target, { bitfold });
  }
}
