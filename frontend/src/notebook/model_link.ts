/** The comm of a widget in the place of a server: the same messages and commands. */

import { decode, type Message } from "../wire.ts";
import type { Command, Link } from "../connection.ts";

/** What anywidget gives of its model. */
export interface Model {
  send(content: unknown): void;
  on(name: "msg:custom", hear: (content: unknown, buffers: readonly DataView[]) => void): void;
  off(name: "msg:custom", hear: (content: unknown, buffers: readonly DataView[]) => void): void;
}

export class ModelLink implements Link {
  constructor(
    private readonly model: Model,
    hear: (message: Message) => void,
    closed: AbortSignal,
    private readonly lost: () => void,
  ) {
    const take = (_: unknown, buffers: readonly DataView[]): void => {
      const data = buffers[0];
      if (data !== undefined) hear(decode(aligned(data)));
    };
    model.on("msg:custom", take);
    closed.addEventListener("abort", () => model.off("msg:custom", take));
  }

  send(command: Command): void {
    try {
      this.model.send({ command: JSON.stringify(command) });
    } catch {
      this.lost(); // the comm of a kernel that has ended takes nothing
    }
  }
}

/** The bytes in memory of their own: arrays of a message begin at multiples of 8 there. */
function aligned(view: DataView): ArrayBuffer {
  return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) as ArrayBuffer;
}
