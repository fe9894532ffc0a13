/** A run beside the one that is looked at: its folds in the same window. */

import { counted } from "./drawing.ts";
import { Camera } from "./camera.ts";
import { Stage } from "./stage.ts";
import { make, setText } from "../dom.ts";
import { short } from "../numbers.ts";
import type { FoldsPane } from "./pane.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";
import type { Message } from "../wire.ts";
import { spotOf } from "./spot.ts";

const HOVER_MS = 40;

export class BesidePane {
  readonly figure = make("figure", "", { class: "pane" });
  private readonly canvas = make("canvas", "", { role: "img" });
  private readonly caption = make("figcaption");
  private readonly renderer: Stage;
  private readonly camera = new Camera();
  private lookedAt = "";
  private dragged: readonly [number, number] | null = null;
  private hoveredMs = 0;

  constructor(
    private readonly state: State,
    private readonly link: Link,
    private readonly main: FoldsPane,
    readonly run: string,
    readonly view: number,
  ) {
    this.canvas.setAttribute("aria-label", `Polytopes of ${run}, in the window of the first picture`);
    this.figure.append(this.canvas, this.caption);
    this.renderer = new Stage(this.canvas, (note) => this.canvas.setAttribute("title", note), () => this.draw());
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    this.listen();
    setText(this.caption, run);
  }

  take(message: Message): void {
    const target = this.state.of(this.run).target;
    if (target !== null) this.renderer.takeTarget(target);
    this.renderer.take(message);
    this.draw();
    this.link.send({ kind: "ack", view: this.view });
  }

  /** Ask for the window of the main pane, at the same epoch or at the newest one. */
  look(isForced = false): void {
    this.follow();
    const window = this.camera.window();
    if (window === null) return;
    const command = {
      kind: "look", run: this.run, view: this.view, ...window, time: null,
      faces: this.main.faces, epoch: this.state.besideEpoch(this.run),
    };
    const key = JSON.stringify(command);
    if (key === this.lookedAt && !isForced) return;
    this.lookedAt = key;
    this.link.send(command);
  }

  draw(): void {
    this.follow();
    this.renderer.draw(this.camera, { ...this.main.style(), neuron: null, points: null });
    const legend = this.renderer.drawing.legend;
    if (legend === null) return;
    const table = this.state.of(this.run).table;
    const last = (name: string): number => table.last(this.state.column(name), legend.epoch);
    const [psnr, bits] = [last("psnr_db"), last("description_bits")];
    const words = [counted(legend)];
    if (Number.isFinite(psnr)) words.push(`${short(psnr, 4)} dB`);
    if (Number.isFinite(bits)) words.push(`${short(Math.round(bits))} bits`);
    setText(this.caption, `${this.run}: ${words.join(", ")}`);
  }

  /** Take the main pane's window; the picture may have another shape. */
  private follow(): void {
    const { x, y, half } = this.main.camera;
    const aspect = this.renderer.drawing.legend?.pictureAspect ?? 1;
    Object.assign(this.camera, { x, y, half });
    this.camera.aspect = this.canvas.width / Math.max(1, this.canvas.height) / aspect;
  }

  private resize(): void {
    const box = this.canvas.getBoundingClientRect();
    this.canvas.width = Math.max(1, Math.round(box.width * window.devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(box.height * window.devicePixelRatio));
    this.draw();
    this.look();
  }

  private listen(): void {
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.main.zoomBy(...spotOf(this.canvas, event), event.deltaY);
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.dragged = spotOf(this.canvas, event);
    });
    this.canvas.addEventListener("pointermove", (event) => this.move(spotOf(this.canvas, event)));
    for (const end of ["pointerup", "pointercancel"] as const) {
      this.canvas.addEventListener(end, () => { this.dragged = null; });
    }
    this.canvas.addEventListener("dblclick", () => this.main.showAll());
  }

  private move(spot: readonly [number, number]): void {
    if (this.dragged !== null) {
      this.main.panBy(spot[0] - this.dragged[0], spot[1] - this.dragged[1]);
      this.dragged = spot;
      return;
    }
    const legend = this.renderer.drawing.legend;
    const now = performance.now();
    if (legend === null || now - this.hoveredMs < HOVER_MS) return;
    this.hoveredMs = now;
    const [x, y] = this.camera.point(...spot);
    const { x: x0, y: y0, half } = legend.window;
    this.link.send({ kind: "locate", view: this.view, x: (x - x0) / half, y: (y - y0) / half });
  }
}
