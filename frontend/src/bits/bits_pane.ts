/** What the weights cost: matrices, the histogram beside its prediction, and the file as it is now. */

import { make, setText, type Root } from "../dom.ts";
import { short } from "../numbers.ts";
import { diverging, sequential } from "./colours.ts";
import { neuronWeights, type NeuronWeight, type Tensor } from "./neuron.ts";
import { isNow, isOf, lookedMoment, versionOf, type Moment } from "./moment.ts";
import { floats, type Message } from "../wire.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

const TICK_MS = 100;
/** Shortest time between two questions while a run trains. */
const INTERVAL_MS = 2000;
/** The answer is made by the trainer: it gets at most one in so many parts of its time. */
const SHARE = 10;
const REST_MS = 150;
const CELL_PX = 7;
const MOST_CELLS = 20_000;

export class BitsPane {
  private readonly details: HTMLDetailsElement;
  /** What is drawn. */
  private last: Message | null = null;
  /** Whether it came since the present moment was looked at. */
  private isFresh = false;
  private looked: Moment | null = null;
  private asked = "";
  private askedMs = 0;
  private waitMs = INTERVAL_MS;

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly connection: Link,
  ) {
    this.details = root.element("details", "bits");
    const timer = setInterval(() => this.ask(), TICK_MS);
    root.closed.addEventListener("abort", () => clearInterval(timer));
    root.onTheme(() => this.draw());
    this.details.addEventListener("toggle", () => this.askAnew());
    this.root.element("select", "weight-colour").addEventListener("change", () => this.draw());
    state.on(["moment", "run", "pointed", "changes"], () => this.look());
    state.on(["connection"], () => this.askAnew());
  }

  take(message: Message): void {
    const moment = lookedMoment(this.state);
    if (moment === null || !isOf(message, moment)) return;
    this.waitMs = Math.max(INTERVAL_MS, SHARE * (performance.now() - this.askedMs));
    this.last = message;
    this.isFresh = true;
    this.draw();
  }

  /** Follow the moment that is looked at. */
  private look(): void {
    const moment = lookedMoment(this.state);
    if (moment?.run !== this.looked?.run || moment?.epoch !== this.looked?.epoch) {
      this.isFresh = false;
      if (moment?.run !== this.last?.facts["run"]) this.clear();
      // Many moments pass under a pointer; the one where it rests is asked for.
      this.waitMs = REST_MS;
      this.askedMs = performance.now();
    }
    this.looked = moment;
    this.drawSize();
  }

  private askAnew(): void {
    this.asked = "";
    this.waitMs = 0;
    this.ask();
  }

  /** Ask for the costs of the moment that is looked at, if somebody looks and they are not known. */
  private ask(): void {
    const moment = lookedMoment(this.state);
    if (moment === null || !this.details.open || document.hidden) return;
    const version = versionOf(moment, this.state.current);
    const waitMs = this.state.current.isPlaying ? this.waitMs : Math.min(this.waitMs, REST_MS);
    if (version === this.asked || performance.now() - this.askedMs < waitMs) return;
    this.asked = version;
    this.askedMs = performance.now();
    this.connection.send({ kind: "bits", ...moment });
  }

  private note(text: string): void {
    const note = this.root.element("p", "bits-note");
    setText(note, text);
    note.hidden = text === "";
  }

  private clear(): void {
    this.last = null;
    this.asked = "";
    this.note("");
    setText(this.root.element("p", "saved-now"), "");
    this.root.element("div", "bits-views").hidden = true;
  }

  private draw(): void {
    const message = this.last;
    if (message === null) return;
    this.root.element("div", "bits-views").hidden = false;
    this.drawSize();
    this.note(String(message.facts["how"] ?? ""));
    this.drawPicture(message);
    this.drawItems(message);
    this.drawHistogram(message);
    this.drawMatrices(message);
  }

  private drawSize(): void {
    if (this.last === null) return;
    const isPresent = this.isFresh && isNow(this.last, this.looked, this.state.current);
    const epoch = Number(this.last.facts["epoch"]).toLocaleString("en");
    const bytes = short(Number(this.last.facts["num_bytes"]));
    setText(this.root.element("p", "saved-now"), `${isPresent ? "saved now" : `epoch ${epoch} saved`}: ${bytes} bytes`);
  }

  /** The weights of a neuron with their costs, as far as they are known. */
  neuron(layer: number, index: number): NeuronWeight[] {
    return this.last === null ? [] : neuronWeights(this.last, layer, index);
  }

  private drawPicture(message: Message): void {
    const pixels = message.arrays["picture"];
    const [height = 1, width = 1] = message.shapes["picture"] ?? [];
    if (!(pixels instanceof Uint8Array)) return;
    const canvas = this.root.element("canvas", "decoded");
    canvas.width = width;
    canvas.height = height;
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[3 * i + c] ?? 0;
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  }

  private drawItems(message: Message): void {
    const items = message.facts["items"] as Record<string, number | null>;
    const list = this.root.element("dl", "bit-items");
    const rows = Object.entries(items).flatMap(([name, bits]) => [
      make("dt", name.replaceAll("_", " ")),
      make("dd", bits === null ? "–" : `${short(Math.round(bits))} bits`),
    ]);
    list.replaceChildren(...rows);
  }

  private drawHistogram(message: Message): void {
    const canvas = this.root.element("canvas", "histogram");
    const context = canvas.getContext("2d");
    const counts = doubles(message, "counts");
    const masses = doubles(message, "masses");
    canvas.hidden = counts.length === 0;
    if (context === null || counts.length === 0) return;
    const scale = window.devicePixelRatio;
    const box = canvas.getBoundingClientRect();
    const width = (canvas.width = Math.max(1, Math.round(box.width * scale)));
    const height = (canvas.height = Math.max(1, Math.round(box.height * scale)));
    const most = Math.max(...counts, ...masses, 1);
    const step = width / counts.length;
    context.fillStyle = this.root.colour("--bar");
    counts.forEach((count, i) => {
      const size = (count / most) * (height - 2);
      context.fillRect(i * step + 0.5, height - size, Math.max(1, step - 1), size);
    });
    context.strokeStyle = this.root.colour("--accent");
    context.lineWidth = 2 * scale;
    context.beginPath();
    masses.forEach((mass, i) => {
      const y = height - (mass / most) * (height - 2);
      if (i === 0) context.moveTo(step / 2, y);
      else context.lineTo((i + 0.5) * step, y);
    });
    context.stroke();
  }

  private drawMatrices(message: Message): void {
    const tensors = message.facts["tensors"] as Tensor[];
    const hasCosts = floats(message, "costs").length > 0;
    const byCost = hasCosts && this.root.element("select", "weight-colour").value === "cost";
    const numbers = floats(message, byCost ? "costs" : "weights");
    const most = numbers.reduce((best, one) => Math.max(best, Math.abs(one)), 1e-9);
    const colour = byCost ? sequential : diverging;
    const costs = floats(message, "costs");
    let first = 0;
    const figures = tensors.map((tensor) => {
      const count = tensor.shape.reduce((product, side) => product * side, 1);
      const part = numbers.subarray(first, first + count);
      const bits = costs.subarray(first, first + count).reduce((sum, one) => sum + one, 0);
      first += count;
      return matrixFigure(tensor, part, (value) => colour(value / most), hasCosts ? bits : null);
    });
    this.root.element("div", "matrices").replaceChildren(...figures);
  }
}

function doubles(message: Message, name: string): Float64Array {
  const found = message.arrays[name];
  return found instanceof Float64Array ? found : new Float64Array(0);
}

function matrixFigure(
  tensor: Tensor,
  numbers: Float32Array,
  colour: (value: number) => readonly [number, number, number],
  bits: number | null,
): HTMLElement {
  const columns = tensor.shape.length > 1 ? numbers.length / (tensor.shape[0] ?? 1) : numbers.length;
  const rows = Math.max(1, Math.round(numbers.length / Math.max(1, columns)));
  const figure = make("figure");
  const words = bits === null ? tensor.name : `${tensor.name}, ${short(Math.round(bits))} bits`;
  if (numbers.length <= MOST_CELLS) {
    const canvas = make("canvas", "", { role: "img", "aria-label": words });
    canvas.width = columns;
    canvas.height = rows;
    canvas.style.width = `${Math.min(280, columns * CELL_PX)}px`;
    const image = new ImageData(columns, rows);
    numbers.forEach((number, i) => {
      image.data.set([...colour(number), 255], 4 * i);
    });
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    figure.append(canvas);
  }
  figure.append(make("figcaption", words));
  return figure;
}
