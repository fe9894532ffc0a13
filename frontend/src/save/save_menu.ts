/** Files of what is seen. */

import { element } from "../dom.ts";
import type { Link } from "../connection.ts";
import type { Message } from "../wire.ts";

export class SaveMenu {
  constructor(connection: Link) {
    element("button", "save").addEventListener("click", () => {
      connection.send({ kind: "save", view: 0, format: element("select", "format").value });
    });
  }

  /** Hand a file to the browser, which asks where it goes. */
  take(message: Message): void {
    const data = message.arrays["data"];
    if (!(data instanceof Uint8Array)) return;
    const url = URL.createObjectURL(new Blob([new Uint8Array(data)]));
    const link = document.createElement("a");
    link.href = url;
    link.download = String(message.facts["name"]);
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}
