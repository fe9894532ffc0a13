/** What is under the pointer: the polytope, its map, its active neurons. */

import { element, make, setText } from "../dom.ts";
import { short } from "../numbers.ts";
import type { Message } from "../wire.ts";

export function showPlace(message: Message): void {
  const facts = message.facts;
  const box = element("div", "place");
  if (Number(facts["face"]) < 0) {
    box.replaceChildren(make("p", "Point at a polytope.", { class: "muted" }));
    return;
  }
  const rows = facts["map"] as number[][];
  const outputs = facts["outputs"] as number[];
  const active = facts["active"] as number[][] | undefined;
  const list = make("dl");
  const add = (name: string, value: string): void => {
    list.append(make("dt", name), make("dd", value));
  };
  add("output", outputs.map((value) => short(value, 5)).join(", "));
  rows.forEach(([a = 0, b = 0, c = 0], i) => {
    add(rows.length > 1 ? `map ${i + 1}` : "map", `${short(a, 4)} dx + ${short(b, 4)} dy + ${short(c, 4)}`);
  });
  if (active !== undefined) {
    add("area", `${short(100 * Number(facts["area"]), 3)} % of the picture`);
    add("active", active.map((layer) => layer.length).join(" · "));
  }
  box.replaceChildren(list);
}

export function clearPlace(): void {
  setText(element("div", "place"), "");
}
