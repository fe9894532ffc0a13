/** Plays the recorded moments of a run, one after the other. */

import type { State } from "../state.ts";

const USUAL_PER_SECOND = 12;

export class Playback {
  private timer = 0;
  private perSecond = USUAL_PER_SECOND;

  constructor(
    private readonly state: State,
    private readonly looked: () => void,
    closed?: AbortSignal,
  ) {
    closed?.addEventListener("abort", () => clearTimeout(this.timer));
  }

  /** Do what a command of the transport asks for; false for any other command. */
  obey(kind: string, perSecond: unknown): boolean {
    if (kind === "play") this.play();
    else if (kind === "pause") this.pause();
    else if (kind === "speed") this.setSpeed(typeof perSecond === "number" ? perSecond : null);
    else return false;
    return true;
  }

  private setSpeed(perSecond: number | null): void {
    this.perSecond = perSecond ?? USUAL_PER_SECOND;
    this.state.current.epochsPerSecond = perSecond;
  }

  private play(): void {
    const { frames } = this.state.current;
    const at = this.state.shownEpoch === null ? -1 : frames.indexOf(this.state.shownEpoch);
    this.state.current.isPlaying = true;
    this.step(at >= frames.length - 1 ? 0 : at + 1);
  }

  private step(index: number): void {
    const epoch = this.state.current.frames[index];
    if (epoch === undefined || !this.state.current.isPlaying) {
      this.pause();
      return;
    }
    this.state.shownEpoch = epoch;
    this.state.changed("moment");
    this.looked();
    this.timer = window.setTimeout(() => this.step(index + 1), 1000 / this.perSecond);
  }

  private pause(): void {
    clearTimeout(this.timer);
    this.state.current.isPlaying = false;
    this.state.changed("moment");
  }
}
