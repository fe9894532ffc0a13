/** Settings that can be changed while a run trains, and those of a new run. */

import { nameOf } from "./names.ts";
import { make, setText, type Root } from "../dom.ts";
import type { Link } from "../connection.ts";
import type { SettingRow, State } from "../state.ts";

/** Settings of a live run, in order. */
const LIVE = [
  "kolmogorov_weight",
  "learning_rate",
  "optimizer",
  "kolmogorov_temperature",
  "kolmogorov_targets",
  "kolmogorov_lr",
  "grad_clip_norm",
  "points",
  "checkpoint_budget",
];
/** Settings that make another run. */
const NEW = [
  "target",
  "shape",
  "activation",
  "kolmogorov_weight",
  "kolmogorov_quantise",
  "kolmogorov_predictor",
  "seed",
];
const TARGETS = "targets";

export class Controls {
  private readonly live: HTMLFormElement;
  private readonly fresh: HTMLFormElement;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly connection: Link,
  ) {
    this.live = root.element("form", "live-settings");
    this.fresh = root.element("form", "new-settings");
    state.on(["connection"], () => this.build());
    state.on(["settings", "run"], () => this.fill());
    // A refused value did not take effect.
    state.on(["line"], () => {
      if (state.isProblem) this.fillForm(this.live);
    });
    this.live.addEventListener("change", (event) => this.change(event));
    this.live.addEventListener("submit", (event) => event.preventDefault());
    this.fresh.addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin();
    });
  }

  private build(): void {
    if (this.live.childElementCount > 0) return;
    const rows = new Map(this.state.settings.map((row) => [row.name, row]));
    for (const [form, names] of [[this.live, LIVE], [this.fresh, NEW]] as const) {
      for (const name of names) {
        const row = rows.get(name);
        if (row !== undefined) form.append(field(row));
      }
    }
    this.fresh.append(make("button", "Begin a new run", { type: "submit" }));
    this.fill();
  }

  private fill(): void {
    for (const form of [this.live, this.fresh]) this.fillForm(form);
  }

  private fillForm(form: HTMLFormElement): void {
    if (this.state.run === "") return;
    const settings = this.state.current.settings;
    for (const input of inputs(form)) {
      if (input === this.root.node.activeElement) continue;
      const value = settings[input.name];
      const row = this.rowOf(input.name);
      const hint = input.labels?.[0]?.querySelector("small");
      if (row !== undefined && hint) setText(hint, hintOf(row, value));
      input.value = value === null || value === undefined ? "" : String(value);
    }
  }

  private change(event: Event): void {
    const input = event.target as HTMLInputElement;
    const value = this.valueOf(input);
    this.connection.send({
      kind: "change",
      run: this.state.run,
      settings: { [input.name]: value },
    });
  }

  private begin(): void {
    const settings: Record<string, unknown> = {};
    for (const input of inputs(this.fresh)) {
      const value = this.valueOf(input);
      if (value !== null && value !== "") settings[input.name] = value;
    }
    this.connection.send({ kind: "new", settings });
  }

  private rowOf(name: string): SettingRow | undefined {
    return this.state.settings.find((one) => one.name === name);
  }

  private valueOf(input: HTMLInputElement | HTMLSelectElement): unknown {
    const row = this.rowOf(input.name);
    if (input.value === "") return null;
    const number = Number(input.value);
    const isNumber = row?.kind === "int" || row?.kind === "float";
    return isNumber && !Number.isNaN(number) ? number : input.value;
  }
}

function inputs(form: HTMLFormElement): (HTMLInputElement | HTMLSelectElement)[] {
  return [...form.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select")];
}

/** What stands below the name of a setting: its unit, and its default where it has another value. */
export function hintOf(row: Pick<SettingRow, "unit" | "default">, value: unknown): string {
  const words = row.unit === "" || row.unit === "points" ? [] : [row.unit];
  const isOther = row.default !== null && value !== undefined && value !== null && value !== row.default;
  if (isOther) words.push(`default ${String(row.default)}`);
  return words.join(", ");
}

function field(row: SettingRow): HTMLElement {
  const label = make("label", "", { title: row.help });
  const name = make("span", nameOf(row.name));
  name.append(make("small", hintOf(row, row.default)));
  label.append(name);
  const isWord = row.kind === "str" && row.choices.length > 0;
  const input = isWord ? make("select") : make("input", "", { type: "text", autocomplete: "off" });
  input.name = row.name;
  if (row.name === "target") input.setAttribute("list", TARGETS);
  if (input instanceof HTMLSelectElement) {
    if (row.default === null) input.append(make("option", "default", { value: "" }));
    for (const word of row.choices) input.append(make("option", word, { value: word }));
  } else {
    input.placeholder = row.default === null ? "default" : String(row.default);
  }
  label.append(input);
  return label;
}
