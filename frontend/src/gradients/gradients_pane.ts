/** The gradient audit: does every loss term reach network and predictor? And the switch that cuts K. */

import { make, setText, type Root } from "../dom.ts";
import { short } from "../numbers.ts";
import type { Link } from "../connection.ts";
import type { AuditRow, Change, State } from "../state.ts";

const NORMS = [
  ["grad_norm_task_network", "task to network"],
  ["grad_norm_kolmogorov_network", "K to network"],
  ["grad_norm_kolmogorov_predictor", "K to predictor"],
] as const;
const SETTING = "kolmogorov_targets";
const CUT = "cut";

export class GradientsPane {
  private readonly table: HTMLTableElement;
  private readonly cut: HTMLInputElement;
  private drawn: readonly AuditRow[] | null = null;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly link: Link,
  ) {
    this.table = root.element("table", "audit");
    this.cut = root.element("input", "cut");
    state.on(["settings", "run", "moment", "changes"], () => this.draw());
    this.cut.addEventListener("change", () => this.plant());
  }

  private plant(): void {
    const value = this.cut.checked ? CUT : targetsBeforeCut(this.state.current.changes);
    this.link.send({ kind: "change", run: this.state.run, settings: { [SETTING]: value } });
  }

  private draw(): void {
    if (this.state.run === "") return;
    const { audit, isAuditOk, auditEpoch, table, settings } = this.state.current;
    const verdict = this.root.element("p", "audit-verdict");
    const word = isAuditOk ? "every loss term reaches every module" : "a gradient is cut";
    setText(verdict, audit.length === 0 ? "Audited when training begins." : `epoch ${auditEpoch}: ${word}`);
    verdict.className = audit.length === 0 ? "muted" : isAuditOk ? "good" : "problem";
    if (this.drawn !== audit) this.fill(audit);
    const words = NORMS.map(([column, name]) => [name, table.last(this.state.column(column))] as const)
      .filter(([, value]) => Number.isFinite(value))
      .map(([name, value]) => `${name} ${value === 0 ? "exactly 0" : short(value)}`);
    setText(this.root.element("p", "gradient-norms"), words.length > 0 ? `gradient norms: ${words.join(", ")}` : "");
    const lambda = settings["kolmogorov_weight"];
    this.cut.disabled = lambda === undefined || lambda === null || lambda === 0;
    this.cut.checked = settings[SETTING] === CUT;
  }

  private fill(rows: readonly AuditRow[]): void {
    this.drawn = rows;
    const head = make("tr");
    for (const name of ["term", "module", "verdict", "norm"]) head.append(make("th", name, { scope: "col" }));
    this.table.replaceChildren(...(rows.length > 0 ? [head] : []), ...rows.flatMap(rowsOf));
  }
}

/** What stood in the place of the cut, before it was planted last; null for the default. */
export function targetsBeforeCut(changes: readonly Change[]): unknown {
  const planted = changes.filter((change) => change.settings[SETTING] === CUT);
  return planted[planted.length - 1]?.before[SETTING] ?? null;
}

function rowsOf(row: AuditRow): HTMLElement[] {
  const line = make("tr", "", { class: `verdict-${row.verdict}` });
  for (const text of [row.term, row.module, row.verdict, short(row.norm)]) line.append(make("td", text));
  const sites = row.verdict === "cut" || row.verdict === "weak" ? row.sites : [];
  return [line, ...sites.map((site) => {
    const below = make("tr", "", { class: `site verdict-${row.verdict}` });
    below.append(make("td", site, { colspan: "4" }));
    return below;
  })];
}
