/** What draws the folds: the graphics card, or plainly where there is none; a lost card comes back. */

import { PlainRenderer } from "./plain_renderer.ts";
import { Renderer, type Style } from "./renderer.ts";
import type { Camera } from "./camera.ts";
import type { Legend } from "./drawing.ts";
import type { TargetPicture } from "../state.ts";
import type { Message } from "../wire.ts";

/** What is drawn, as who points at it needs it. */
export interface Drawn {
  readonly legend: Legend | null;
  readonly foldEnds: Float32Array;
  readonly foldNeurons: Uint32Array;
}

export interface Painter {
  readonly drawing: Drawn;
  take(message: Message): void;
  takeTarget(target: TargetPicture): void;
  draw(camera: Camera, style: Style): void;
}

const PLAIN = "This browser has no WebGL2. The picture is plain: each polytope has one colour.";
const LOST = "The browser has taken the graphics card away. The picture comes back with it.";

export class Stage implements Painter {
  private painter: Painter;
  private isLost = false;
  private message: Message | null = null;
  private target: TargetPicture | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly told: (note: string) => void,
    private readonly restored: () => void,
  ) {
    this.painter = this.made();
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // else it is never restored
      this.isLost = true;
      told(LOST);
    });
    canvas.addEventListener("webglcontextrestored", () => this.restore());
  }

  get drawing(): Drawn {
    return this.painter.drawing;
  }

  take(message: Message): void {
    this.message = message;
    if (!this.isLost) this.painter.take(message);
  }

  takeTarget(target: TargetPicture): void {
    this.target = target;
    if (!this.isLost) this.painter.takeTarget(target);
  }

  draw(camera: Camera, style: Style): void {
    if (!this.isLost) this.painter.draw(camera, style);
  }

  private made(): Painter {
    const gl = this.canvas.getContext("webgl2", { antialias: true, alpha: false, preserveDrawingBuffer: true });
    if (gl !== null) return new Renderer(gl);
    const context = this.canvas.getContext("2d", { alpha: false });
    if (context === null) throw new Error("This browser draws on no canvas.");
    this.told(PLAIN);
    return new PlainRenderer(context);
  }

  private restore(): void {
    this.isLost = false;
    this.told("");
    this.painter = this.made();
    if (this.target !== null) this.painter.takeTarget(this.target);
    if (this.message !== null) this.painter.take(this.message);
    this.restored();
  }
}
