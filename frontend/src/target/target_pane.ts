/** The target: what is learned, and where it is painted. */

import { make, setText, type Root } from "../dom.ts";
import type { Brush } from "./brush.ts";
import type { ClassChoice } from "./class_choice.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

export class TargetPane {
  private readonly canvas: HTMLCanvasElement;
  private isPressed = false;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly brush: Brush,
    private readonly classes: ClassChoice,
    connection: Link,
  ) {
    this.canvas = root.element("canvas", "target");
    const choice = this.root.element("input", "target-name");
    choice.addEventListener("change", () => {
      if (choice.value !== "") connection.send({ kind: "target", run: state.run, name: choice.value });
    });
    state.on(["connection"], () => {
      const names = state.targets.map((name) => make("option", "", { value: name }));
      this.root.element("datalist", "targets").replaceChildren(...names);
    });
    state.on(["target", "run"], () => this.draw());
    this.canvas.addEventListener("pointerdown", (event) => {
      if (!brush.isPainting) this.chooseBrush();
      this.canvas.setPointerCapture(event.pointerId);
      this.isPressed = true;
      brush.begin(this.point(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.isPressed) brush.go(this.point(event));
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      this.canvas.addEventListener(end, () => {
        this.isPressed = false;
        brush.end();
      });
    }
  }

  /** Show a stroke before the server has answered. */
  preview(points: readonly (readonly [number, number])[], tool: string): void {
    const context = this.canvas.getContext("2d");
    const first = points[0];
    if (context === null || first === undefined || (tool !== "brush" && tool !== "eraser")) return;
    const { width, height } = this.canvas;
    context.strokeStyle = tool === "brush" ? this.brush.shownColour : "#888888";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * this.brush.radius * height;
    context.beginPath();
    context.moveTo((first[0] + 0.5) * width, (first[1] + 0.5) * height);
    for (const [x, y] of points) context.lineTo((x + 0.5) * width, (y + 0.5) * height);
    context.stroke();
  }

  private chooseBrush(): void {
    this.root.element("input", "tool-brush").checked = true;
  }

  private point(event: PointerEvent): readonly [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [
      (event.clientX - box.left) / box.width - 0.5,
      (event.clientY - box.top) / box.height - 0.5,
    ];
  }

  private draw(): void {
    const target = this.state.run === "" ? null : this.state.current.target;
    if (target === null) return;
    this.canvas.width = target.width;
    this.canvas.height = target.height;
    const image = new ImageData(target.width, target.height);
    const step = target.channels === 1 ? 0 : 1;
    for (let i = 0; i < target.width * target.height; i++) {
      for (let c = 0; c < 3; c++) {
        image.data[4 * i + c] = target.pixels[target.channels * i + c * step] ?? 0;
      }
      image.data[4 * i + 3] = 255;
    }
    this.canvas.getContext("2d")?.putImageData(image, 0, 0);
    this.classes.offer(target);
    this.root.element("button", "undo").disabled = !target.canUndo;
    setText(this.root.element("p", "target-caption"), `${target.name}, ${target.width} x ${target.height}`);
  }
}
