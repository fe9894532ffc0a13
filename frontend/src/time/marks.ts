/** Marks on the time line: changes, branches, and what the trade monitor, audits and watchdogs said. */

import { nameOf } from "../settings/names.ts";
import { make, setText, type Root } from "../dom.ts";
import type { Change, Mark, RunFacts, State } from "../state.ts";

/** Marks that are less than so many parts of the line from the pointer are named. */
const REACH = 0.012;

export function followMarks(root: Root, state: State): void {
  const box = root.element("div", "marks");
  let drawn: readonly Mark[] = [];
  const lastEpoch = (): number => Math.max(1, state.run === "" ? 1 : state.current.epoch);
  state.on(["changes", "moment", "run", "runs"], () => {
    const marks = state.run === "" ? [] : marksOf(state);
    const last = lastEpoch();
    const key = `${state.run} ${last} ${marks.map((mark) => mark.epoch + mark.kind).join()}`;
    if (box.dataset["key"] === key) return;
    box.dataset["key"] = key;
    drawn = marks;
    box.replaceChildren(...marks.map((mark) => {
      const made = make("span", "", { class: `mark ${mark.kind}`, title: sentence(mark) });
      made.style.left = `${100 * placeOf(mark, last)}%`;
      return made;
    }));
  });
  const line = root.element("input", "timeline");
  const words = root.element("p", "mark-text");
  line.addEventListener("pointermove", (event) => {
    const inner = box.getBoundingClientRect();
    setText(words, near(drawn, (event.clientX - inner.left) / inner.width, lastEpoch()));
  });
  line.addEventListener("pointerleave", () => setText(words, ""));
  // By the keyboard, the marks at the epoch that is shown are named.
  line.addEventListener("input", () => {
    setText(words, near(drawn, (state.shownEpoch ?? lastEpoch()) / lastEpoch(), lastEpoch()));
  });
}

/** All marks of the run that is looked at, by epoch. */
export function marksOf(state: Pick<State, "run" | "runs" | "current">): Mark[] {
  const { changes, marks } = state.current;
  const found = [...changes.map(ofChange), ...marks, ...state.runs.flatMap((run) => ofBranch(run, state.run))];
  return found.sort((a, b) => a.epoch - b.epoch);
}

/** What stands near a point of the line, which is from 0 to 1. */
export function near(marks: readonly Mark[], at: number, last: number): string {
  return marks.filter((mark) => Math.abs(placeOf(mark, last) - at) < REACH).map(sentence).join("; ");
}

function ofChange(change: Change): Mark {
  const words = Object.entries(change.settings).map(([name, value]) => `${nameOf(name)} ${String(value)}`);
  if (change.isPainted) words.push("target painted");
  return { epoch: change.epoch - 1, kind: "change", text: words.join(", ") };
}

function ofBranch(run: RunFacts, shown: string): Mark[] {
  const epoch = run.parent_epoch ?? 0;
  const parent = (run.parent ?? "").split(/[\\/]/).pop() ?? "";
  if (parent === "") return [];
  if (parent === shown) return [{ epoch, kind: "branch", text: `${run.run} branches off` }];
  return run.run === shown ? [{ epoch, kind: "branch", text: `branched from ${parent}` }] : [];
}

function placeOf(mark: Mark, last: number): number {
  return Math.min(mark.epoch, last) / last;
}

function sentence(mark: Mark): string {
  return `after epoch ${mark.epoch.toLocaleString("en")}: ${mark.text}`;
}
