/** A partition as the graphics card holds it. */

import { cornerColours, triangulate } from "./triangles.ts";
import { floats, wholes, type Message } from "../wire.ts";
import type { Window } from "./camera.ts";

/** What a page knows of the partition that it draws. */
export interface Legend {
  readonly run: string;
  /** Null for a partition that is no run's. */
  readonly epoch: number | null;
  readonly faces: string;
  readonly window: Window;
  readonly numPolytopes: number;
  readonly layerSizes: readonly number[];
  readonly layerColours: readonly (readonly number[])[];
  /** How many of the first layers are folds of the encoding. */
  readonly numEncodingLayers: number;
  readonly classColours: readonly (readonly number[])[] | null;
  readonly isSquashed: boolean;
  readonly pictureAspect: number;
  readonly numOutputs: number;
}

export function legendOf(message: Message): Legend {
  const facts = message.facts;
  return {
    run: String(facts["run"]),
    epoch: facts["epoch"] === null ? null : Number(facts["epoch"]),
    faces: String(facts["faces"]),
    window: {
      x: Number(facts["x"]),
      y: Number(facts["y"]),
      half: Number(facts["half"]),
      aspect: Number(facts["aspect"]),
    },
    numPolytopes: Number(facts["num_polytopes"]),
    layerSizes: facts["layer_sizes"] as number[],
    layerColours: facts["layer_colours"] as number[][],
    numEncodingLayers: Number(facts["num_encoding_layers"]),
    classColours: facts["class_colours"] as number[][] | null,
    isSquashed: facts["is_squashed"] === true,
    pictureAspect: Number(facts["picture_aspect"]),
    numOutputs: message.shapes["outputs"]?.[1] ?? 0,
  };
}

/** How many polytopes are drawn, and of which epoch. */
export function counted(legend: Pick<Legend, "numPolytopes" | "epoch">): string {
  const noun = legend.numPolytopes === 1 ? "polytope" : "polytopes";
  const when = legend.epoch === null ? "" : ` at epoch ${legend.epoch.toLocaleString("en")}`;
  return `${legend.numPolytopes.toLocaleString("en")} ${noun}${when}`;
}

/** Buffers of one partition. Each update reuses them. */
export class Drawing {
  legend: Legend | null = null;
  numIndices = 0;
  numFolds = 0;
  /** The two ends of each piece of a fold, and its neuron, as they came. */
  foldEnds: Float32Array = new Float32Array(0);
  foldNeurons: Uint32Array = new Uint32Array(0);
  numBoundary = 0;
  readonly faces: WebGLVertexArrayObject;
  readonly folds: WebGLVertexArrayObject;
  readonly boundary: WebGLVertexArrayObject;
  private readonly gl: WebGL2RenderingContext;
  private readonly buffers = new Map<string, WebGLBuffer>();

  constructor(gl: WebGL2RenderingContext) {
    this.gl = gl;
    this.faces = gl.createVertexArray();
    this.folds = gl.createVertexArray();
    this.boundary = gl.createVertexArray();
  }

  /** Take what the server has cut. */
  take(message: Message): void {
    this.legend = legendOf(message);
    this.takeFaces(message, this.legend);
    this.numFolds = this.takeLines(this.folds, "folds", floats(message, "folds"));
    this.foldEnds = floats(message, "folds");
    this.foldNeurons = wholes(message, "fold_neurons");
    this.attribute("neurons", Float32Array.from(this.foldNeurons), 1, 1, 1);
    this.numBoundary = this.takeLines(this.boundary, "boundary", floats(message, "boundary"));
  }

  private takeFaces(message: Message, legend: Legend): void {
    const gl = this.gl;
    const offsets = wholes(message, "face_offsets");
    gl.bindVertexArray(this.faces);
    this.attribute("corners", floats(message, "corners"), 0, 2, 0);
    if (legend.numOutputs > 0) {
      this.takeOutputs(floats(message, "outputs"), legend.numOutputs);
    } else {
      const colours = message.arrays["face_colours"];
      if (colours instanceof Uint8Array) this.takeColours(cornerColours(offsets, colours));
    }
    const triangles = triangulate(offsets);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffer("triangles"));
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STREAM_DRAW);
    this.numIndices = legend.faces === "none" ? 0 : triangles.length;
    gl.bindVertexArray(null);
  }

  /** Outputs are given to the card in groups of four. */
  private takeOutputs(outputs: Float32Array, count: number): void {
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer("outputs"));
    gl.bufferData(gl.ARRAY_BUFFER, outputs, gl.STREAM_DRAW);
    for (let group = 0; 4 * group < count; group++) {
      const size = Math.min(4, count - 4 * group);
      gl.enableVertexAttribArray(group + 1);
      gl.vertexAttribPointer(group + 1, size, gl.FLOAT, false, 4 * count, 16 * group);
    }
  }

  private takeColours(colours: Uint8Array): void {
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer("colours"));
    gl.bufferData(gl.ARRAY_BUFFER, colours, gl.STREAM_DRAW);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribPointer(1, 4, gl.UNSIGNED_BYTE, true, 0, 0);
  }

  private takeLines(target: WebGLVertexArrayObject, name: string, ends: Float32Array): number {
    this.gl.bindVertexArray(target);
    this.attribute(name, ends, 0, 4, 1);
    if (name === "folds") return ends.length / 4;
    this.gl.bindVertexArray(null);
    return ends.length / 4;
  }

  private attribute(name: string, data: Float32Array, at: number, size: number, divisor: number): void {
    const gl = this.gl;
    if (name === "neurons") gl.bindVertexArray(this.folds);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer(name));
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STREAM_DRAW);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, gl.FLOAT, false, 0, 0);
    gl.vertexAttribDivisor(at, divisor);
    if (name === "neurons") gl.bindVertexArray(null);
  }

  private buffer(name: string): WebGLBuffer {
    let found = this.buffers.get(name);
    if (found === undefined) {
      found = this.gl.createBuffer();
      this.buffers.set(name, found);
    }
    return found;
  }
}
