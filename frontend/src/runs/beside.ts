/** Up to four runs side by side, in one window; what differs in their settings is shown. */

import { differences } from "./differences.ts";
import { BesidePane } from "../folds/beside_pane.ts";
import { nameOf } from "../settings/names.ts";
import { make, setText, type Root } from "../dom.ts";
import type { FoldsPane } from "../folds/pane.ts";
import type { Link } from "../connection.ts";
import { MOST_BESIDE, type State } from "../state.ts";
import type { Message } from "../wire.ts";

export class Beside {
  private panes: BesidePane[] = [];
  private readonly box: HTMLDivElement;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly link: Link,
    private readonly main: FoldsPane,
  ) {
    this.box = root.element("div", "panes");
    const same = this.root.element("input", "same-epoch");
    same.addEventListener("change", () => {
      state.isSameEpoch = same.checked;
      this.each((pane) => pane.look());
    });
    main.moved = () => this.each((pane) => {
      pane.draw();
      pane.look();
    });
    state.on(["moment", "pointed"], () => this.each((pane) => pane.look()));
    state.on(["settings", "run", "beside"], () => this.compare());
    state.on(["beside"], () => this.arrange());
    state.on(["connection"], () => this.openAgain());
  }

  take(message: Message): void {
    this.panes.find((pane) => pane.view === message.facts["view"])?.take(message);
  }

  private each(does: (pane: BesidePane) => void): void {
    for (const pane of this.panes) does(pane);
  }

  /** Make and remove panes until they are those of the state. */
  private arrange(): void {
    const wanted = this.state.beside;
    for (const pane of this.panes.filter((one) => !wanted.includes(one.run))) {
      pane.figure.remove();
      this.link.send({ kind: "forget", view: pane.view });
      if (pane.run !== this.state.run) this.link.send({ kind: "close", run: pane.run });
    }
    this.panes = this.panes.filter((one) => wanted.includes(one.run));
    for (const run of wanted.filter((one) => !this.panes.some((pane) => pane.run === one))) {
      const used = this.panes.map((pane) => pane.view);
      const view = [1, 2, 3].find((number) => !used.includes(number)) ?? MOST_BESIDE;
      this.link.send({ kind: "open", run });
      const pane = new BesidePane(this.state, this.link, this.main, run, view);
      this.panes.push(pane);
      this.box.append(pane.figure);
    }
    this.box.dataset["count"] = String(this.panes.length + 1);
    this.root.element("p", "main-run").hidden = this.panes.length === 0;
    this.root.element("div", "comparison").hidden = this.panes.length === 0;
  }

  private openAgain(): void {
    if (!this.state.isConnected) return;
    this.each((pane) => {
      this.link.send({ kind: "open", run: pane.run });
      pane.look(true);
    });
  }

  private compare(): void {
    const names = [this.state.run, ...this.state.beside];
    if (names.length < 2) return;
    setText(this.root.element("p", "main-run"), this.state.run);
    const found = differences(names.map((name) => this.state.of(name).settings));
    const head = make("tr");
    for (const name of ["setting", ...names]) head.append(make("th", name, { scope: "col" }));
    const rows = found.map(({ name, values }) => {
      const row = make("tr");
      row.append(make("th", nameOf(name), { scope: "row" }));
      for (const value of values) row.append(make("td", value === null ? "default" : String(value)));
      return row;
    });
    const none = make("caption", "The settings are the same.");
    this.root.element("table", "differences").replaceChildren(...(rows.length > 0 ? [head, ...rows] : [none]));
  }
}
