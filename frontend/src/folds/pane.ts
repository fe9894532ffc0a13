/** The pane with the folds: what is looked at, and what the pointer and the keys do. */

import { Camera, LEAST_HALF } from "./camera.ts";
import { ChosenNeuron } from "./chosen_neuron.ts";
import { counted } from "./drawing.ts";
import type { Style } from "./renderer.ts";
import { Stage } from "./stage.ts";
import type { EncodingFolds, FoldColour } from "./palette.ts";
import { firstNeuron, layerOf, nearestFold } from "./nearest_fold.ts";
import { isOfBrowser, setText, type Root } from "../dom.ts";
import { short } from "../numbers.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";
import type { Message } from "../wire.ts";
import type { Brush } from "../target/brush.ts";
import { spotOf } from "./spot.ts";

const WHEEL = 0.0015;
const KEY_PAN = 0.1;
const KEY_ZOOM = 1.25;
const CLICK_PX = 8;
const POINT_MS = 60;

export class FoldsPane {
  readonly camera = new Camera();
  private readonly canvas: HTMLCanvasElement;
  private readonly caption: HTMLParagraphElement;
  private readonly renderer: Stage;
  /** Called after the window or the style has changed. */
  moved: () => void = () => undefined;
  private isDue = false;
  private lookedAt = "";
  private pictureAspect = 1;
  private readonly chosenNeuron = new ChosenNeuron();
  private shownRun = "";

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly connection: Link,
    private readonly brush: Brush,
    private readonly hovered: (u: number, v: number) => void,
    private readonly chosen: (neuron: readonly [number, number] | null, isChosen: boolean, encoding: number) => void,
  ) {
    this.canvas = root.element("canvas", "folds");
    this.caption = root.element("p", "folds-caption");
    const note = this.root.element("p", "stage-note");
    this.renderer = new Stage(this.canvas, (text) => setText(note, text), () => this.redraw());
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    for (const id of ["faces", "fold-colour", "encoding-folds"]) {
      this.root.element("select", id).addEventListener("change", () => this.redraw());
    }
    this.root.element("input", "points").addEventListener("change", () => this.redraw());
    state.on(["points"], () => this.redraw());
    root.onTheme(() => this.redraw());
    this.listen();
    state.on(["run", "connection"], () => this.look(true));
    state.on(["pointed"], () => this.look());
    state.on(["target"], () => this.takeTarget());
  }

  /** Draw a partition that has come, and say so: the next one is cut only then. */
  take(message: Message): void {
    const began = performance.now();
    this.renderer.take(message);
    const legend = this.renderer.drawing.legend;
    if (legend !== null && this.chosenNeuron.take(legend)) this.tell(null);
    if (legend !== null && legend.pictureAspect !== this.pictureAspect) {
      this.pictureAspect = legend.pictureAspect;
      this.resize();
    }
    this.root.element("label", "of-encoding").hidden = (legend?.numEncodingLayers ?? 0) === 0;
    this.draw();
    this.connection.send({ kind: "ack", view: 0 });
    performance.clearMeasures("update"); // the browser would keep each of them
    performance.measure("update", { start: began, end: performance.now() });
  }

  /** Ask for what is looked at now. */
  look(isForced = false): void {
    const run = this.state.run;
    if (run === "") return;
    if (run !== this.shownRun) {
      if (this.shownRun !== "") this.camera.reset(); // the first run's window may come from a link
      this.shownRun = run;
      if (this.chosenNeuron.drop()) this.tell(null);
    }
    const window = this.camera.window();
    if (window === null) return;
    const command = {
      kind: "look",
      run,
      view: 0,
      ...window,
      time: null,
      faces: this.faces,
      epoch: this.state.lookedEpoch,
    };
    const key = JSON.stringify(command);
    if (key === this.lookedAt && !isForced) return;
    this.lookedAt = key;
    this.connection.send(command);
  }

  /** Look at a point of the picture, so many times enlarged. */
  zoomTo(x: number, y: number, zoom: number): void {
    this.camera.reset();
    this.camera.zoomAt(0, 0, this.camera.half * 2 * zoom);
    this.camera.x = x;
    this.camera.y = y;
    this.redraw();
  }

  /** Whether the window that is drawn is the one that is looked at, with its filling of the faces. */
  isCurrent(): boolean {
    const legend = this.renderer.drawing.legend;
    const drawn = legend?.window;
    const wanted = this.camera.window();
    if (drawn === undefined || wanted === null || this.isDue || legend?.faces !== this.faces) return false;
    return drawn.x === wanted.x && drawn.y === wanted.y && drawn.half === wanted.half;
  }

  /** Ask what is at a point of the canvas. */
  locate(u: number, v: number): void {
    const legend = this.renderer.drawing.legend;
    if (legend === null) return;
    const [x, y] = this.camera.point(u, v);
    const { x: x0, y: y0, half } = legend.window;
    this.connection.send({ kind: "locate", view: 0, x: (x - x0) / half, y: (y - y0) / half });
  }

  private redraw(): void {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.draw();
      this.look();
      this.moved();
    });
  }

  /** The filling of the faces that the server is asked for. */
  get faces(): string {
    const chosen = this.root.element("select", "faces").value;
    return chosen === "error" ? "value" : chosen;
  }

  /** Zoom about a point of a canvas as the wheel asks for. */
  zoomBy(u: number, v: number, delta: number): void {
    this.camera.zoomAt(u, v, Math.exp(-delta * WHEEL));
    this.redraw();
  }

  panBy(du: number, dv: number): void {
    this.camera.pan(du, dv);
    this.redraw();
  }

  showAll(): void {
    this.camera.reset();
    this.redraw();
  }

  private draw(): void {
    this.renderer.draw(this.camera, this.style());
    const legend = this.renderer.drawing.legend;
    if (legend === null) return;
    const limit = this.camera.half <= LEAST_HALF ? ", where float64 ends" : "";
    const zoom = this.camera.zoom > 1.05 ? `, ${short(this.camera.zoom)} times enlarged${limit}` : "";
    setText(this.caption, `${counted(legend)}${zoom}`);
  }

  style(): Style {
    const colour = this.root.element("select", "fold-colour").value;
    const shorter = Math.min(this.canvas.width, this.canvas.height);
    return {
      foldColour: (colour === "none" ? "plain" : colour) as FoldColour,
      encodingFolds: this.root.element("select", "encoding-folds").value as EncodingFolds,
      foldWidth: Math.max(1, shorter / 640),
      showsError: this.root.element("select", "faces").value === "error",
      showsFolds: colour !== "none",
      neuron: this.chosenNeuron.number,
      ground: this.root.colour("--stage"),
      points: this.root.element("input", "points").checked ? this.state.current.points : null,
    };
  }

  private takeTarget(): void {
    const target = this.state.current.target;
    if (target !== null) this.renderer.takeTarget(target);
    this.redraw();
  }

  private resize(): void {
    const scale = window.devicePixelRatio;
    const box = this.canvas.getBoundingClientRect();
    this.canvas.width = Math.max(1, Math.round(box.width * scale));
    this.canvas.height = Math.max(1, Math.round(box.height * scale));
    this.camera.aspect = this.canvas.width / this.canvas.height / this.pictureAspect;
    if (this.camera.zoom <= 1.05) this.camera.reset();
    this.redraw();
  }

  private listen(): void {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(...spotOf(this.canvas, event), event.deltaY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => this.letGo());
    canvas.addEventListener("dblclick", () => this.showAll());
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  private last: readonly [number, number] | null = null;
  private isDragged = false;
  private pointedMs = 0;

  private press(event: PointerEvent): void {
    if (event.button !== 0) return; // a menu may follow, and no release
    this.canvas.setPointerCapture(event.pointerId);
    this.last = spotOf(this.canvas, event);
    this.isDragged = false;
    if (this.brush.isPainting) this.brush.begin(this.camera.point(...this.last));
  }

  private move(event: PointerEvent): void {
    const spot = spotOf(this.canvas, event);
    if (this.last === null) {
      this.hovered(...spot);
      this.point(spot);
    } else if (this.brush.isPainting) {
      this.brush.go(this.camera.point(...spot));
      this.last = spot;
    } else {
      this.isDragged = true;
      this.panBy(spot[0] - this.last[0], spot[1] - this.last[1]);
      this.last = spot;
    }
  }

  private release(event: PointerEvent): void {
    if (this.last === null) return;
    if (!this.brush.isPainting && !this.isDragged) this.choose(spotOf(this.canvas, event));
    this.letGo();
  }

  /** The browser has taken the pointer for something else, or it was released. */
  private letGo(): void {
    if (this.brush.isPainting) this.brush.end();
    this.last = null;
  }

  /** The neuron whose fold is near a point of the canvas; null if there is none. Folds of the encoding have none. */
  private neuronAt([u, v]: readonly [number, number]): number | null {
    const { legend, foldEnds, foldNeurons } = this.renderer.drawing;
    if (legend === null) return null;
    const [x, y] = this.camera.point(u, v);
    const window = legend.window;
    const perUnit = (this.canvas.clientHeight / 2) * (window.half / this.camera.half);
    const found = nearestFold(
      foldEnds,
      (x - window.x) / window.half,
      (y - window.y) / window.half,
      perUnit / this.camera.aspect * (this.canvas.clientWidth / this.canvas.clientHeight),
      perUnit,
      foldNeurons,
      firstNeuron(legend.numEncodingLayers, legend.layerSizes),
    );
    return found !== null && found.distance < CLICK_PX ? (foldNeurons[found.piece] ?? null) : null;
  }

  /** Choose the neuron whose fold was clicked; none if there is no fold near. */
  private choose(spot: readonly [number, number]): void {
    this.locate(...spot);
    this.chosenNeuron.number = this.neuronAt(spot);
    this.tell(this.chosenNeuron.number);
    this.redraw();
  }

  private tell(neuron: number | null): void {
    const legend = this.renderer.drawing.legend;
    const encoding = legend?.numEncodingLayers ?? 0;
    const own = legend?.layerSizes.slice(encoding) ?? [];
    const first = firstNeuron(encoding, legend?.layerSizes ?? []);
    const named = neuron === null ? null : layerOf(neuron - first, own);
    this.chosen(named, neuron !== null && neuron === this.chosenNeuron.number, encoding);
  }

  /** Name the neuron of the fold under the pointer, or the chosen one. */
  private point(spot: readonly [number, number]): void {
    const now = performance.now();
    if (now - this.pointedMs < POINT_MS) return;
    this.pointedMs = now;
    this.tell(this.neuronAt(spot) ?? this.chosenNeuron.number);
  }

  private key(event: KeyboardEvent): void {
    const moves: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => this.camera.pan(KEY_PAN, 0),
      ArrowRight: () => this.camera.pan(-KEY_PAN, 0),
      ArrowUp: () => this.camera.pan(0, KEY_PAN),
      ArrowDown: () => this.camera.pan(0, -KEY_PAN),
      "+": () => this.camera.zoomAt(0, 0, KEY_ZOOM),
      "-": () => this.camera.zoomAt(0, 0, 1 / KEY_ZOOM),
      "0": () => this.camera.reset(),
      Enter: () => this.choose([0, 0]),
    };
    const move = moves[event.key];
    if (move === undefined || isOfBrowser(event)) return;
    event.preventDefault();
    move();
    this.redraw();
  }
}
