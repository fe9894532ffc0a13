/** What the weights cost: matrices, the histogram beside its prediction, and the file as it is now. */

import { make, setText, type Root } from "../dom.ts";
import { short } from "../numbers.ts";
import { diverging, sequential } from "./colours.ts";
import { floats, type Message } from "../wire.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

const INTERVAL_MS = 2000;
const CELL_PX = 7;
const MOST_CELLS = 20_000;
const WITHOUT_K = "Without K, weights have no price. Set lambda above 0.";

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
}

export class BitsPane {
  private readonly details: HTMLDetailsElement;
  private last: Message | null = null;
  private asked = "";

  constructor(
    private readonly root: Root,
    private readonly state: State,
    private readonly connection: Link,
  ) {
    this.details = root.element("details", "bits");
    const timer = setInterval(() => this.ask(), INTERVAL_MS);
    root.closed.addEventListener("abort", () => clearInterval(timer));
    root.onTheme(() => this.draw());
    this.details.addEventListener("toggle", () => this.ask(true));
    this.root.element("select", "weight-colour").addEventListener("change", () => this.draw());
    state.on(["run"], () => this.ask(true));
  }

  take(message: Message): void {
    if (message.facts["run"] !== this.state.run) return;
    this.last = message;
    this.draw();
  }

  /** Ask for the costs of the moment that is shown, if somebody looks and it is another one. */
  private ask(isForced = false): void {
    const run = this.state.run;
    if (!this.details.open || run === "" || document.hidden) return;
    const { epoch, isTrained, frames, settings } = this.state.current;
    const looked = this.state.lookedEpoch ?? (isTrained ? null : epoch);
    const key = `${run} ${looked ?? epoch} ${isTrained}`;
    if (key === this.asked && !isForced) return;
    if (looked === null && Number(settings["kolmogorov_weight"] ?? 0) === 0) {
      this.note(WITHOUT_K);
      return;
    }
    if (looked !== null && !frames.includes(looked)) return;
    this.asked = key;
    this.connection.send({ kind: "bits", run, epoch: looked });
  }

  private note(text: string): void {
    const note = this.root.element("p", "bits-note");
    setText(note, text);
    note.hidden = text === "";
  }

  private draw(): void {
    const message = this.last;
    if (message === null) return;
    const bytes = Number(message.facts["num_bytes"]);
    const isNow = this.state.lookedEpoch === null && this.state.current.isTrained;
    const epoch = Number(message.facts["epoch"]).toLocaleString("en");
    setText(this.root.element("p", "saved-now"), `${isNow ? "saved now" : `epoch ${epoch} saved`}: ${short(bytes)} bytes`);
    this.note(String(message.facts["how"] ?? ""));
    this.drawPicture(message);
    this.drawItems(message);
    this.drawHistogram(message);
    this.drawMatrices(message);
  }

  /** What the weights and the bias of a neuron cost, in bits; NaN where that is not known. */
  neuronBits(layer: number, index: number): number {
    if (this.last === null) return Number.NaN;
    const costs = floats(this.last, "costs");
    if (costs.length === 0) return Number.NaN;
    const tensors = this.last.facts["tensors"] as Tensor[];
    const modules = tensors.filter(({ shape }) => shape.length === 2).map(({ name }) => moduleOf(name));
    let first = 0;
    let sum = 0;
    for (const { name, shape } of tensors) {
      const count = shape.reduce((product, side) => product * side, 1);
      const width = count / (shape[0] ?? 1);
      if (moduleOf(name) === modules[layer] && index < (shape[0] ?? 1)) {
        const part = costs.subarray(first + index * width, first + (index + 1) * width);
        sum += part.reduce((total, one) => total + one, 0);
      }
      first += count;
    }
    return sum;
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

/** The module of a tensor: its name without the last part. */
function moduleOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
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
