/** The tool in hand: strokes that go to the server piece by piece, so that folds follow at once. */

import type { ClassChoice } from "./class_choice.ts";
import type { Root } from "../dom.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

const PIECE_MS = 40;
type Point = readonly [number, number];

export class Brush {
  private path: Point[] = [];
  private isFirst = false;
  private sentMs = 0;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly connection: Link,
    private readonly classes: ClassChoice,
    private readonly showed: (points: readonly Point[], tool: string) => void,
  ) {
    this.root.element("button", "undo").addEventListener("click", () => this.undo());
    this.root.element("button", "clear").addEventListener("click", () => this.clear());
  }

  get tool(): string {
    const chosen = this.root.node.querySelector<HTMLInputElement>("input[name=tool]:checked");
    return chosen?.value ?? "look";
  }

  get isPainting(): boolean {
    return this.tool !== "look";
  }

  /** Half the width of a line, in heights of the picture. */
  get radius(): number {
    return Number(this.root.element("input", "brush-size").value) / 200;
  }

  /** The colour that is painted. */
  get colour(): string {
    return this.classes.chosen?.paint ?? this.root.element("input", "colour").value;
  }

  /** The colour in which it is shown. */
  get shownColour(): string {
    return this.classes.chosen?.shown ?? this.colour;
  }

  begin(point: Point): void {
    this.path = [point];
    this.isFirst = true;
    this.send();
  }

  go(point: Point): void {
    if (this.path.length === 0 || this.tool === "fill" || this.tool === "letter") return;
    this.path.push(point);
    if (performance.now() - this.sentMs > PIECE_MS) this.send();
  }

  end(): void {
    if (this.path.length > 1) this.send();
    this.path = [];
  }

  private send(): void {
    const points = this.path;
    this.connection.send({
      kind: "paint",
      run: this.state.run,
      tool: this.tool,
      points,
      radius: this.radius * (this.tool === "letter" ? 6 : 1),
      colour: this.colour,
      text: this.root.element("input", "letter").value,
      begins: this.isFirst,
    });
    this.showed(points, this.tool);
    this.isFirst = false;
    this.sentMs = performance.now();
    this.path = points.slice(-1);
  }

  undo(): void {
    this.connection.send({ kind: "undo", run: this.state.run });
  }

  private clear(): void {
    this.connection.send({
      kind: "paint",
      run: this.state.run,
      tool: "clear",
      points: [[0, 0]],
      radius: 0,
      colour: "#000000",
      begins: true,
    });
  }
}
