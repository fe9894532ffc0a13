/** The WebSocket to the server: says the token first, and connects again when it is lost. */

import { decode, VERSION, type Message } from "./wire.ts";

export type Command = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** Takes commands: a server, or a recording. */
export interface Link {
  send(command: Command): void;
}

/** Why the server closes for good: another try would be answered alike. */
const FINAL: Readonly<Record<number, string>> = {
  1008: "The token is missing or wrong. Open the address that `bitfold studio` has printed.",
  4000: "The server is of another version. Load this page again.",
};
const UNREADABLE = "A message of the server cannot be read. Load this page again.";
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/** The socket's address: beside the page, which a proxy may serve below a path of its own. */
export function socketAddress(page: string): string {
  return new URL("socket", page).href.replace(/^http/, "ws");
}

export class Connection implements Link {
  private socket: WebSocket | null = null;
  private waitMs = FIRST_WAIT_MS;
  private readonly token: string;
  private readonly hear: (message: Message) => void;
  private readonly changed: (isConnected: boolean) => void;
  private readonly refused: (reason: string) => void;

  constructor(
    token: string,
    hear: (message: Message) => void,
    changed: (isConnected: boolean) => void,
    refused: (reason: string) => void,
  ) {
    this.token = token;
    this.hear = hear;
    this.changed = changed;
    this.refused = refused;
  }

  open(): void {
    const socket = new WebSocket(socketAddress(location.href));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.socket = socket;
      this.send({ kind: "hello", token: this.token, version: VERSION });
    };
    socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      const message = decodeOrNull(event.data);
      if (message === null) {
        this.refused(UNREADABLE);
        return;
      }
      this.hear(message);
      if (message.kind === "hello") {
        this.waitMs = FIRST_WAIT_MS;
        this.changed(true);
      }
    };
    socket.onclose = (event) => {
      this.socket = null;
      this.changed(false);
      const reason = FINAL[event.code];
      if (reason !== undefined) {
        this.refused(reason);
        return;
      }
      setTimeout(() => this.open(), this.waitMs);
      this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
    };
  }

  /** Send a command; while there is no connection, it is dropped. */
  send(command: Command): void {
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify(command));
    }
  }
}

function decodeOrNull(data: ArrayBuffer): Message | null {
  try {
    return decode(data);
  } catch {
    return null;
  }
}
