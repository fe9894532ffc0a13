/** Draws a partition without a graphics card: each face in one colour. */

import { legendOf, type Legend } from "./drawing.ts";
import { foldPalette } from "./palette.ts";
import { placeOf, type Style } from "./renderer.ts";
import type { Camera } from "./camera.ts";
import type { Drawn, Painter } from "./stage.ts";
import type { TargetPicture } from "../state.ts";
import { floats, wholes, type Message } from "../wire.ts";

type Colour = readonly [number, number, number];

const EMPTY: Float32Array = new Float32Array(0);
const [RIGHT, WRONG]: readonly [Colour, Colour] = [[247, 246, 243], [213, 94, 0]];

export class PlainRenderer implements Painter {
  drawing: Drawn = { legend: null, foldEnds: EMPTY, foldNeurons: new Uint32Array(0) };
  private corners = EMPTY;
  private outputs = EMPTY;
  private boundary = EMPTY;
  private offsets: Uint32Array = new Uint32Array(1);
  private colours: Uint8Array | null = null;
  private target: TargetPicture | null = null;

  constructor(private readonly context: CanvasRenderingContext2D) {}

  take(message: Message): void {
    this.drawing = {
      legend: legendOf(message),
      foldEnds: floats(message, "folds"),
      foldNeurons: wholes(message, "fold_neurons"),
    };
    this.corners = floats(message, "corners");
    this.outputs = floats(message, "outputs");
    this.boundary = floats(message, "boundary");
    this.offsets = wholes(message, "face_offsets");
    const colours = message.arrays["face_colours"];
    this.colours = colours instanceof Uint8Array ? colours : null;
  }

  takeTarget(target: TargetPicture): void {
    this.target = target;
  }

  draw(camera: Camera, style: Style): void {
    const { canvas } = this.context;
    this.context.fillStyle = style.ground;
    this.context.fillRect(0, 0, canvas.width, canvas.height);
    const legend = this.drawing.legend;
    if (legend === null) return;
    const [sx, sy, tx, ty] = placeOf(camera, legend) as unknown as [number, number, number, number];
    const x = (at: number): number => ((at * sx + tx + 1) / 2) * canvas.width;
    const y = (at: number): number => ((at * sy + ty + 1) / 2) * canvas.height;
    if (legend.faces !== "none") this.drawFaces(legend, style, x, y);
    if (style.showsFolds) this.drawFolds(legend, style, x, y);
    this.drawLines(this.boundary, "#ffffff", 3.4 * style.foldWidth, x, y);
    this.drawLines(this.boundary, "#000000", 1.8 * style.foldWidth, x, y);
  }

  private drawFaces(legend: Legend, style: Style, x: (at: number) => number, y: (at: number) => number): void {
    for (let face = 0; face + 1 < this.offsets.length; face++) {
      const [first, stop] = [this.offsets[face] as number, this.offsets[face + 1] as number];
      this.context.beginPath();
      for (let corner = first; corner < stop; corner++) {
        this.context.lineTo(x(this.corners[2 * corner] as number), y(this.corners[2 * corner + 1] as number));
      }
      // The line of the same colour closes the gaps between neighbours.
      this.context.fillStyle = this.context.strokeStyle = css(this.colourOf(face, legend, style));
      this.context.lineWidth = 1;
      this.context.closePath();
      this.context.fill();
      this.context.stroke();
    }
  }

  private colourOf(face: number, legend: Legend, style: Style): Colour {
    if (this.colours !== null) return [...this.colours.subarray(3 * face, 3 * face + 3)] as unknown as Colour;
    const [first, stop] = [this.offsets[face] as number, this.offsets[face + 1] as number];
    const value = (output: number): number => mean(this.outputs, first, stop, legend.numOutputs, output);
    const shown = predicted(legend, value);
    if (!style.showsError || this.target === null) return shown;
    const { x, y, half } = legend.window;
    const wanted = pixelAt(
      this.target,
      x + half * mean(this.corners, first, stop, 2, 0) + 0.5,
      y + half * mean(this.corners, first, stop, 2, 1) + 0.5,
    );
    const off = Math.max(...shown.map((channel, i) => Math.abs(channel - (wanted[i] as number))));
    const isWrong = off > 1 ? 1 : 0;
    const error = legend.classColours !== null ? isWrong : Math.min(1, (2 * off) / 255);
    return RIGHT.map((channel, i) => channel + error * ((WRONG[i] as number) - channel)) as unknown as Colour;
  }

  private drawFolds(legend: Legend, style: Style, x: (at: number) => number, y: (at: number) => number): void {
    const { pixels } = foldPalette(legend, style.foldColour, style.neuron, style.encodingFolds);
    const { foldEnds, foldNeurons } = this.drawing;
    this.context.lineWidth = style.foldWidth;
    for (let piece = 0; piece < foldNeurons.length; piece++) {
      const at = 4 * (foldNeurons[piece] as number);
      const [r, g, b, a] = pixels.subarray(at, at + 4) as unknown as [number, number, number, number];
      this.context.strokeStyle = `rgb(${r} ${g} ${b} / ${a / 255})`;
      this.line(foldEnds, piece, x, y);
    }
  }

  private drawLines(
    ends: Float32Array, colour: string, width: number, x: (at: number) => number, y: (at: number) => number,
  ): void {
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    for (let piece = 0; 4 * piece < ends.length; piece++) this.line(ends, piece, x, y);
  }

  private line(ends: Float32Array, piece: number, x: (at: number) => number, y: (at: number) => number): void {
    const [ax, ay, bx, by] = ends.subarray(4 * piece, 4 * piece + 4) as unknown as [number, number, number, number];
    this.context.beginPath();
    this.context.moveTo(x(ax), y(ay));
    this.context.lineTo(x(bx), y(by));
    this.context.stroke();
  }
}

/** The colour that a network's outputs mean. */
export function predicted(legend: Legend, value: (output: number) => number): Colour {
  const values = Array.from({ length: legend.numOutputs }, (_, output) => value(output));
  if (legend.classColours !== null) {
    return legend.classColours[values.indexOf(Math.max(...values))] as unknown as Colour;
  }
  const channel = (i: number): number => {
    const raw = values[values.length >= 3 ? i : 0] as number;
    return 255 * Math.min(1, Math.max(0, legend.isSquashed ? 1 / (1 + Math.exp(-raw)) : raw));
  };
  return [channel(0), channel(1), channel(2)];
}

function mean(numbers: Float32Array, first: number, stop: number, width: number, column: number): number {
  let sum = 0;
  for (let row = first; row < stop; row++) sum += numbers[row * width + column] as number;
  return sum / (stop - first);
}

function pixelAt(target: TargetPicture, x: number, y: number): Colour {
  const column = Math.min(target.width - 1, Math.max(0, Math.floor(x * target.width)));
  const row = Math.min(target.height - 1, Math.max(0, Math.floor(y * target.height)));
  const at = target.channels * (row * target.width + column);
  const channel = (i: number): number => target.pixels[at + (target.channels === 1 ? 0 : i)] as number;
  return [channel(0), channel(1), channel(2)];
}

function css(colour: Colour): string {
  return `rgb(${colour.map((channel) => Math.round(channel)).join(" ")})`;
}
