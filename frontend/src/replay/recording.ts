/** A recorded run in the place of a server: it answers what needs no training. */

import { locate } from "./locate.ts";
import { unpacked } from "./unpack.ts";
import { nearest } from "../numbers.ts";
import { Playback } from "../time/playback.ts";
import { decode, type Message } from "../wire.ts";
import type { Command, Link } from "../connection.ts";
import type { State } from "../state.ts";

/** What the page holds: messages as base64 of their deflated bytes. */
export interface Recorded {
  readonly run: string;
  readonly said: readonly string[];
  readonly moments: readonly { readonly epoch: number; readonly data: string }[];
}

export class Recording implements Link {
  private readonly epochs: readonly number[];
  private shown: Message | null = null;
  private shownEpoch = -1;
  private wantedEpoch = -1;
  private readonly playback: Playback;

  constructor(
    private readonly recorded: Recorded,
    private readonly state: State,
    private readonly hear: (message: Message) => void,
    looked: () => void,
  ) {
    this.playback = new Playback(state, looked);
    this.epochs = recorded.moments.map((moment) => moment.epoch);
  }

  /** Say what is true of all moments, at once: whoever sees the first moment finds the others too. */
  async open(): Promise<void> {
    const messages = await Promise.all(this.recorded.said.map(inflated));
    for (const message of messages) this.hear(message);
    this.state.current.frames = [...this.epochs];
    this.state.isConnected = true;
    for (const part of ["connection", "run", "moment"] as const) this.state.changed(part);
  }

  send(command: Command): void {
    if (command.kind === "look") void this.look(command["epoch"] as number | null);
    else if (command.kind === "locate" && this.shown !== null) {
      this.hear(locate(this.shown, command["x"] as number, command["y"] as number));
    } else this.playback.obey(command.kind, command["epochs_per_second"]);
  }

  private async look(epoch: number | null): Promise<void> {
    const last = this.epochs[this.epochs.length - 1] ?? 0;
    const wanted = nearest(this.epochs, epoch ?? last) ?? last;
    this.wantedEpoch = wanted;
    if (wanted === this.shownEpoch) return;
    const moment = this.recorded.moments.find((one) => one.epoch === wanted);
    if (moment === undefined) return;
    const message = unpacked(await inflated(moment.data));
    if (this.wantedEpoch !== wanted) return; // another moment is wanted by now
    this.shown = message;
    this.shownEpoch = wanted;
    this.hear(message);
  }
}

async function inflated(text: string): Promise<Message> {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return decode(await new Response(stream).arrayBuffer());
}
