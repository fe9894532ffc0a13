/** Files of what is seen. */

import { element } from "../dom.ts";
import type { Link } from "../connection.ts";
import type { Message } from "../wire.ts";

const LONG = "mp4";

export class SaveMenu {
  private readonly bar = element("progress", "progress");
  private readonly cancel = element("button", "cancel");

  constructor(link: Link) {
    const format = element("select", "format");
    element("button", "save").addEventListener("click", () => {
      link.send({ kind: "save", view: 0, format: format.value });
      if (format.value === LONG) this.show(0, null);
    });
    this.cancel.addEventListener("click", () => {
      link.send({ kind: "cancel" });
      this.end();
    });
  }

  /** Say how far a file is. */
  tell(message: Message): void {
    if (!this.bar.hidden) this.show(Number(message.facts["done"]), Number(message.facts["total"]));
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
    if (link.download.endsWith(`.${LONG}`)) this.end();
  }

  /** Nothing more is to come. */
  end(): void {
    this.bar.hidden = this.cancel.hidden = true;
  }

  private show(done: number, total: number | null): void {
    this.bar.hidden = this.cancel.hidden = false;
    if (total === null) this.bar.removeAttribute("value");
    else {
      this.bar.max = total;
      this.bar.value = done;
    }
  }
}
