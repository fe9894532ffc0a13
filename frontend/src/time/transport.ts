/** Play, pause, step, speed, and the time line. */

import { element, setText } from "../dom.ts";
import { nearest } from "../numbers.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

export class Transport {
  private readonly play = element("button", "play");
  private readonly line = element("input", "timeline");

  constructor(
    private readonly state: State,
    private readonly connection: Link,
    private readonly looked: () => void,
  ) {
    this.play.addEventListener("click", () => this.toggle());
    element("button", "step").addEventListener("click", () => this.step(1));
    element("button", "step-many").addEventListener("click", () => this.step(100));
    element("button", "branch").addEventListener("click", () => this.branch());
    element("select", "speed").addEventListener("change", (event) => this.setSpeed(event));
    this.line.addEventListener("input", () => this.rewind(Number(this.line.value)));
    element("button", "newest").addEventListener("click", () => this.rewind(Infinity));
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

  private setSpeed(event: Event): void {
    const value = (event.target as HTMLSelectElement).value;
    const rate = value === "full" ? null : Number(value);
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
    const { shownEpoch, pointedEpoch } = this.state;
    const seen = pointedEpoch ?? shownEpoch;
    this.line.max = String(Math.max(1, run.epoch));
    this.line.value = String(seen ?? run.epoch);
    element("button", "newest").disabled = shownEpoch === null;
    const words = pointedEpoch !== null ? "pointing at epoch" : shownEpoch === null ? "epoch" : "looking back at epoch";
    setText(element("output", "epoch"), `${words} ${(seen ?? run.epoch).toLocaleString("en")}`);
    setText(element("p", "run-note"), run.note);
    element("p", "run-note").classList.toggle("problem", run.isProblem);
  }
}
