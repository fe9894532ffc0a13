/** Marks on the time line: what was changed, and from which epoch on. */

import { element, make } from "../dom.ts";
import type { State } from "../state.ts";

export function followMarks(state: State): void {
  const box = element("div", "marks");
  state.on(["changes", "moment", "run"], () => {
    const run = state.run === "" ? null : state.current;
    const changes = run?.changes ?? [];
    const last = Math.max(1, run?.epoch ?? 1);
    const key = `${changes.length} ${last} ${state.run}`;
    if (box.dataset["key"] === key) return;
    box.dataset["key"] = key;
    box.replaceChildren(...changes.map((change) => {
      const words = Object.entries(change.settings).map(([name, value]) => `${name} ${String(value)}`);
      if (change.isPainted) words.push("target painted");
      const mark = make("span", "", { title: `from epoch ${change.epoch}: ${words.join(", ")}` });
      mark.style.left = `${(100 * Math.min(change.epoch, last)) / last}%`;
      return mark;
    }));
  });
}
