/** The target: what is learned, and where it is painted. */

import { contained } from "./contained.ts";
import { isOfBrowser, make, setText, type Root } from "../dom.ts";
import type { Brush } from "./brush.ts";
import type { ClassChoice } from "./class_choice.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

const KEY_STEP = 0.05;

export class TargetPane {
  private readonly canvas: HTMLCanvasElement;
  private isPressed = false;
  /** Where Enter paints, as `point`; arrow keys move it. */
  private cursor: readonly [number, number] = [0, 0];

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
      if (event.button !== 0) return; // a menu may follow, and no release
      if (!brush.isPainting) this.chooseBrush();
      this.canvas.setPointerCapture(event.pointerId);
      this.isPressed = true;
      brush.begin(this.point(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.isPressed) brush.go(this.point(event));
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    for (const change of ["focus", "blur"]) this.canvas.addEventListener(change, () => this.draw());
    for (const end of ["pointerup", "pointercancel"] as const) {
      this.canvas.addEventListener(end, () => {
        this.isPressed = false;
        brush.end();
      });
    }
  }

  private key(event: KeyboardEvent): void {
    const [x, y] = this.cursor;
    const moved: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [x - KEY_STEP, y],
      ArrowRight: [x + KEY_STEP, y],
      ArrowUp: [x, y - KEY_STEP],
      ArrowDown: [x, y + KEY_STEP],
    };
    const found = moved[event.key];
    if (isOfBrowser(event) || (found === undefined && event.key !== "Enter")) return;
    event.preventDefault();
    if (found === undefined) {
      if (!this.brush.isPainting) this.chooseBrush();
      this.brush.begin(this.cursor);
      this.brush.end();
    } else {
      this.cursor = [clamped(found[0]), clamped(found[1])];
      this.draw();
    }
  }

  private drawCursor(context: CanvasRenderingContext2D): void {
    const [x, y] = [(this.cursor[0] + 0.5) * this.canvas.width, (this.cursor[1] + 0.5) * this.canvas.height];
    const arm = Math.max(3, this.canvas.height / 20);
    context.lineWidth = Math.max(1, this.canvas.height / 130);
    context.strokeStyle = this.root.colour("--accent");
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.stroke();
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
    const box = contained(this.canvas.getBoundingClientRect(), this.canvas.width, this.canvas.height);
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
    const context = this.canvas.getContext("2d");
    context?.putImageData(image, 0, 0);
    if (context !== null && this.canvas.matches(":focus-visible")) this.drawCursor(context);
    this.classes.offer(target);
    this.root.element("button", "undo").disabled = !target.canUndo;
    setText(this.root.element("p", "target-caption"), `${target.name}, ${target.width} x ${target.height}`);
  }
}

/** A coordinate within the picture, without the rounding of many steps. */
function clamped(value: number): number {
  return Math.min(0.5, Math.max(-0.5, Math.round(value / KEY_STEP) * KEY_STEP));
}
