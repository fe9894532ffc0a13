/** The classes of a target: one is chosen, and painted. */

import { make, type Root } from "../dom.ts";
import type { TargetPicture } from "../state.ts";

type Classes = Pick<TargetPicture, "classColours" | "shownColours">;

/** The colours of a class as texts for the style: that which paints it, and that which it is shown in. */
export interface Painted {
  readonly paint: string;
  readonly shown: string;
}

/** The classes of a target, in order; none where colours are painted as they are. */
export function paintedClasses({ classColours, shownColours }: Classes): Painted[] {
  return (classColours ?? []).map((colour, number) => ({
    paint: hex(colour),
    shown: hex(shownColours?.[number] ?? colour),
  }));
}

export class ClassChoice {
  private readonly box: HTMLFieldSetElement;
  private key = "";
  private classes: readonly Painted[] = [];

  constructor(private readonly root: Root) {
    this.box = root.element("fieldset", "classes");
  }

  /** The chosen class; null where the target has none. */
  get chosen(): Painted | null {
    const input = this.box.querySelector<HTMLInputElement>("input:checked");
    return input === null ? null : (this.classes[Number(input.value)] ?? null);
  }

  /** Offer the classes of a target, in the place of a colour. */
  offer(target: Classes): void {
    const classes = paintedClasses(target);
    const key = JSON.stringify(classes);
    if (key === this.key) return;
    this.key = key;
    this.classes = classes;
    this.box.querySelectorAll("label").forEach((label) => label.remove());
    this.box.append(...classes.map((one, number) => choice(one, number)));
    this.box.hidden = classes.length === 0;
    const colour = this.root.element("input", "colour").labels?.[0];
    if (colour !== undefined) colour.hidden = classes.length > 0;
  }
}

function choice({ shown }: Painted, number: number): HTMLElement {
  const words = `class ${number + 1}`;
  const label = make("label", "", { class: "swatch", title: words });
  const input = make("input", "", { type: "radio", name: "class", value: String(number), "aria-label": words });
  input.checked = number === 0;
  label.style.background = shown;
  label.append(input);
  return label;
}

function hex(colour: readonly number[]): string {
  return `#${colour.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}
