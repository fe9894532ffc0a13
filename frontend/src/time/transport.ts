/** Play, pause, step, speed, and the time line. */

import { setText, type Root } from "../dom.ts";
import { nearest } from "../numbers.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

const FULL_SPEED = "full";

export class Transport {
  private readonly play: HTMLButtonElement;
  private readonly line: HTMLInputElement;
  private readonly count: HTMLInputElement;
  private readonly speed: HTMLSelectElement;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly connection: Link,
    private readonly looked: () => void,
  ) {
    this.play = root.element("button", "play");
    this.line = root.element("input", "timeline");
    this.count = root.element("input", "step-count");
    this.speed = root.element("select", "speed");
    this.play.addEventListener("click", () => this.toggle());
    this.root.element("button", "step").addEventListener("click", () => this.step(1));
    this.root.element("button", "step-many").addEventListener("click", () => this.stepMany());
    this.count.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.stepMany();
    });
    this.root.element("button", "branch").addEventListener("click", () => this.branch());
    this.speed.addEventListener("change", () => this.setSpeed());
    this.line.addEventListener("input", () => this.rewind(Number(this.line.value)));
    this.root.element("button", "newest").addEventListener("click", () => this.rewind(Infinity));
    state.on(["moment", "run", "connection", "pointed"], () => this.draw());
  }

  toggle(): void {
    const isPlaying = this.state.current.isPlaying;
    this.connection.send({ kind: isPlaying ? "pause" : "play", run: this.state.run });
    if (!isPlaying && !this.state.isReplay) this.rewind(Infinity);
  }

  private step(epochs: number): void {
    this.rewind(Infinity);
    this.connection.send({ kind: "play", run: this.state.run, epochs });
  }

  /** Train as many epochs as the field says; a text that is no such number is explained. */
  private stepMany(): void {
    if (this.count.checkValidity() && this.count.value !== "") this.step(this.count.valueAsNumber);
    else this.state.say(`Cannot train: expected 1 to ${this.count.max} epochs, got ${this.count.value || "no number"}.`, true);
  }

  private setSpeed(): void {
    const rate = this.speed.value === FULL_SPEED ? null : Number(this.speed.value);
    this.connection.send({ kind: "speed", run: this.state.run, epochs_per_second: rate });
  }

  private branch(): void {
    const epoch = this.state.shownEpoch ?? this.state.current.epoch;
    this.connection.send({ kind: "branch", run: this.state.run, epoch });
  }

  /** Show the recorded moment that is nearest to an epoch. */
  private rewind(epoch: number): void {
    const run = this.state.current;
    const found = epoch >= run.epoch ? null : nearest(run.frames, epoch);
    if (found === this.state.shownEpoch) return;
    this.state.shownEpoch = found;
    this.looked();
    this.state.changed("moment");
  }

  private draw(): void {
    const run = this.state.run === "" ? null : this.state.current;
    const isReady = run !== null && this.state.isConnected;
    this.play.disabled = !isReady;
    this.play.setAttribute("aria-pressed", String(run?.isPlaying ?? false));
    setText(this.play, run?.isPlaying ? "Pause" : "Play");
    if (run === null) return;
    const speed = String(run.epochsPerSecond ?? FULL_SPEED);
    // A moment on its way may have the speed before; whoever chooses one sees their own choice.
    if (this.speed !== this.root.node.activeElement) this.speed.value = speed;
    const { shownEpoch, pointedEpoch } = this.state;
    const seen = pointedEpoch ?? shownEpoch;
    this.line.max = String(Math.max(1, run.epoch));
    this.line.value = String(seen ?? run.epoch);
    this.root.element("button", "newest").disabled = shownEpoch === null;
    const words = pointedEpoch !== null ? "pointing at epoch" : shownEpoch === null ? "epoch" : "looking back at epoch";
    setText(this.root.element("output", "epoch"), `${words} ${(seen ?? run.epoch).toLocaleString("en")}`);
    setText(this.root.element("p", "run-note"), run.note);
    this.root.element("p", "run-note").classList.toggle("problem", run.isProblem);
  }
}
