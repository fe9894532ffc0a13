/** A link that takes the last line away as soon as a person does something else. */

import type { Command, Link } from "./connection.ts";
import type { State } from "./state.ts";

/** Commands that views send by themselves. */
const QUIET = new Set(["hello", "open", "close", "look", "forget", "ack", "locate", "bits"]);

export function clearing(link: Link, state: State): Link {
  return {
    send(command: Command): void {
      if (!QUIET.has(command.kind) && state.line !== "") state.say("");
      link.send(command);
    },
  };
}
