/** The gradient audit: does every loss term reach network and predictor? */

import { element, setText } from "../dom.ts";
import { short } from "../numbers.ts";
import type { State } from "../state.ts";

const NORMS = [
  ["grad_norm_task_network", "task to network"],
  ["grad_norm_kolmogorov_network", "K to network"],
  ["grad_norm_kolmogorov_predictor", "K to predictor"],
] as const;

export function followGradients(state: State): void {
  state.on(["settings", "run", "moment"], () => {
    if (state.run === "") return;
    const { audit, isAuditOk, auditEpoch, table } = state.current;
    const verdict = element("p", "audit-verdict");
    const word = isAuditOk ? "every loss term reaches every module" : "a gradient is cut";
    setText(verdict, audit === "" ? "Audited when training begins." : `epoch ${auditEpoch}: ${word}`);
    verdict.className = audit === "" ? "muted" : isAuditOk ? "good" : "problem";
    setText(element("pre", "audit"), audit);
    const words = NORMS.map(([column, name]) => [name, table.last(state.column(column))] as const)
      .filter(([, value]) => Number.isFinite(value))
      .map(([name, value]) => `${name} ${short(value)}`);
    setText(element("p", "gradient-norms"), words.length > 0 ? `gradient norms: ${words.join(", ")}` : "");
  });
}
