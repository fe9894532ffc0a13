/** The list of runs. */

import { make, type Root } from "../dom.ts";
import type { Link } from "../connection.ts";
import { MOST_BESIDE, type RunFacts, type State } from "../state.ts";

export class RunList {
  private readonly list: HTMLUListElement;

  constructor(
    root: Root,
    private readonly state: State,
    private readonly connection: Link,
    private readonly chosen: (run: string) => void,
  ) {
    this.list = root.element("ul", "run-list");
    state.on(["runs", "run", "beside"], () => this.draw());
  }

  private draw(): void {
    this.list.replaceChildren(...this.state.runs.map((run) => this.row(run)));
  }

  private row(run: RunFacts): HTMLElement {
    const row = make("li");
    const open = make("button", run.run, { type: "button" });
    open.setAttribute("aria-pressed", String(run.run === this.state.run));
    open.addEventListener("click", () => this.chosen(run.run));
    const facts = run.problem ?? [run.target, run.shape, run.is_trained ? "open" : run.status]
      .filter((fact) => fact !== undefined && fact !== null).join(", ");
    row.append(open, make("small", facts));
    if (run.run !== this.state.run && run.problem === undefined) row.append(this.besideButton(run.run));
    if (run.is_trained === true) {
      const stop = make("button", "Save and close", { type: "button", class: "quiet" });
      stop.addEventListener("click", () => this.connection.send({ kind: "stop", run: run.run }));
      row.append(stop);
    }
    const remove = make("button", "Delete", { type: "button", class: "quiet" });
    remove.addEventListener("click", () => this.remove(run.run));
    row.append(remove);
    return row;
  }

  private besideButton(run: string): HTMLElement {
    const isBeside = this.state.beside.includes(run);
    const button = make("button", "Beside", { type: "button", class: "quiet", "aria-pressed": String(isBeside) });
    button.title = "Show it beside the run that is looked at";
    button.disabled = !isBeside && this.state.beside.length >= MOST_BESIDE;
    button.addEventListener("click", () => this.state.toggleBeside(run));
    return button;
  }

  private remove(run: string): void {
    const question = `Move ${run} to the trash folder of the runs?`;
    if (confirm(question)) this.connection.send({ kind: "delete", run });
  }
}
