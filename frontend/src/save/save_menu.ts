/** Files of what is seen. */

import type { Root } from "../dom.ts";
import type { Link } from "../connection.ts";
import type { Message } from "../wire.ts";

/** Files that take long. */
const LONG: readonly string[] = ["mp4", "html"];

export class SaveMenu {
  private readonly bar: HTMLProgressElement;
  private readonly cancel: HTMLButtonElement;

  constructor(
    root: Root,
    link: Link,
  ) {
    this.bar = root.element("progress", "progress");
    this.cancel = root.element("button", "cancel");
    const format = root.element("select", "format");
    root.element("button", "save").addEventListener("click", () => {
      link.send({ kind: "save", view: 0, format: format.value });
      if (LONG.includes(format.value)) this.show(0, null);
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
    if (LONG.some((ending) => link.download.endsWith(`.${ending}`))) this.end();
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
