/** What the weights cost: matrices, the histogram beside its prediction, and the file as it is now. */

import { element, make, setText } from "../dom.ts";
import { short } from "../numbers.ts";
import { diverging, sequential } from "./colours.ts";
import { floats, type Message } from "../wire.ts";
import type { Link } from "../connection.ts";
import type { State } from "../state.ts";

const INTERVAL_MS = 2000;
const CELL_PX = 7;
const MOST_CELLS = 20_000;

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
}

export class BitsPane {
  private readonly details = element("details", "bits");
  private last: Message | null = null;
  private askedEpoch = -1;

  constructor(
    private readonly state: State,
    private readonly connection: Link,
  ) {
    setInterval(() => this.ask(), INTERVAL_MS);
    this.details.addEventListener("toggle", () => this.ask(true));
    element("select", "weight-colour").addEventListener("change", () => this.draw());
    state.on(["run"], () => this.ask(true));
  }

  take(message: Message): void {
    if (message.facts["run"] !== this.state.run) return;
    this.last = message;
    this.draw();
  }

  /** Ask for the costs of the newest moment, if somebody looks and there is a newer one. */
  private ask(isForced = false): void {
    const run = this.state.run;
    if (!this.details.open || run === "" || document.hidden) return;
    const { epoch, isTrained, settings } = this.state.current;
    const hasK = Number(settings["kolmogorov_weight"] ?? 0) !== 0;
    element("p", "bits-note").hidden = hasK;
    if (!isTrained || !hasK || (epoch === this.askedEpoch && !isForced)) return;
    this.askedEpoch = epoch;
    this.connection.send({ kind: "bits", run });
  }

  private draw(): void {
    const message = this.last;
    if (message === null) return;
    const bytes = Number(message.facts["num_bytes"]);
    setText(element("p", "saved-now"), `saved now: ${short(bytes)} bytes`);
    this.drawPicture(message);
    this.drawItems(message);
    this.drawHistogram(message);
    this.drawMatrices(message);
  }

  /** What the weights and the bias of a neuron cost, in bits; NaN where that is not known. */
  neuronBits(layer: number, index: number): number {
    if (this.last === null) return Number.NaN;
    const costs = floats(this.last, "costs");
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
    const canvas = element("canvas", "decoded");
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
    const list = element("dl", "bit-items");
    const rows = Object.entries(items).flatMap(([name, bits]) => [
      make("dt", name.replaceAll("_", " ")),
      make("dd", bits === null ? "–" : `${short(Math.round(bits))} bits`),
    ]);
    list.replaceChildren(...rows);
  }

  private drawHistogram(message: Message): void {
    const canvas = element("canvas", "histogram");
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
    const style = getComputedStyle(document.body);
    const step = width / counts.length;
    context.fillStyle = style.getPropertyValue("--bar");
    counts.forEach((count, i) => {
      const size = (count / most) * (height - 2);
      context.fillRect(i * step + 0.5, height - size, Math.max(1, step - 1), size);
    });
    context.strokeStyle = style.getPropertyValue("--accent");
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
    const byCost = element("select", "weight-colour").value === "cost";
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
      return matrixFigure(tensor, part, (value) => colour(value / most), bits);
    });
    element("div", "matrices").replaceChildren(...figures);
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
  bits: number,
): HTMLElement {
  const columns = tensor.shape.length > 1 ? numbers.length / (tensor.shape[0] ?? 1) : numbers.length;
  const rows = Math.max(1, Math.round(numbers.length / Math.max(1, columns)));
  const figure = make("figure");
  const words = `${tensor.name}, ${short(Math.round(bits))} bits`;
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
