/** Pictures dropped on the page become runs of their own. */

import type { Root } from "../dom.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

const MOST_BYTES = 2 ** 26;

export function followDrops(root: Root, state: State, connection: Link, token: string): void {
  const take = async (file: File): Promise<void> => {
    if (file.size > MOST_BYTES) {
      state.say(`Cannot take ${file.name}: expected at most ${MOST_BYTES} bytes, got ${file.size}.`, true);
      return;
    }
    state.say(`Reading ${file.name}.`);
    const headers = { "x-bitfold-token": token, "x-name": encodeURIComponent(file.name) };
    const found = await answerTo(() => fetch("picture", { method: "POST", headers, body: file }));
    if (found.name === undefined) state.say(found.problem ?? "The picture was refused.", true);
    else connection.send({ kind: "new", settings: { target: found.name } });
  };
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) void take(file);
  });
  const input = root.element("input", "picture");
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file !== undefined) void take(file);
    input.value = "";
  });
}

interface Answer {
  readonly name?: string;
  readonly problem?: string;
}

/** What the server says of a picture; where it cannot be understood, that is the problem. */
async function answerTo(ask: () => Promise<Response>): Promise<Answer> {
  try {
    return (await (await ask()).json()) as Answer;
  } catch {
    return { problem: "Cannot send the picture: the server does not answer. Look whether `bitfold studio` still runs." };
  }
}
