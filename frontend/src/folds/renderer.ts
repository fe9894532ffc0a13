/** Draws a partition with WebGL2. */

import { layersOf } from "./chosen_neuron.ts";
import type { Camera } from "./camera.ts";
import { Drawing, type Legend } from "./drawing.ts";
import { foldPalette, type EncodingFolds, type FoldColour } from "./palette.ts";
import { placedPoints, POINT_SHADERS, type LearnedPoints } from "./points.ts";
import { FLAT_SHADERS, LINE_SHADERS, MAX_OUTPUTS, valueShaders } from "./shaders.ts";
import type { Message } from "../wire.ts";
import type { TargetPicture } from "../state.ts";

export interface Style {
  /** What surrounds the picture, as #rrggbb. */
  readonly ground: string;
  readonly foldColour: FoldColour;
  readonly encodingFolds: EncodingFolds;
  readonly foldWidth: number;
  readonly showsError: boolean;
  readonly showsFolds: boolean;
  /** A neuron whose folds alone are drawn strongly; null for none. */
  readonly neuron: number | null;
  /** The points that are learned; null to leave them out. */
  readonly points: LearnedPoints | null;
}

interface Program {
  readonly program: WebGLProgram;
  readonly at: (name: string) => WebGLUniformLocation | null;
}


export class Renderer {
  readonly drawing: Drawing;
  private readonly gl: WebGL2RenderingContext;
  private readonly programs = new Map<string, Program>();
  private readonly palette: WebGLTexture;
  private readonly target: WebGLTexture;
  private readonly dots: WebGLVertexArrayObject;
  private readonly dotBuffer: WebGLBuffer;
  private paletteKey = "";
  private hasTarget = false;

  constructor(gl: WebGL2RenderingContext) {
    this.gl = gl;
    this.drawing = new Drawing(gl);
    this.palette = gl.createTexture();
    this.target = gl.createTexture();
    this.dots = gl.createVertexArray();
    this.dotBuffer = gl.createBuffer();
  }

  take(message: Message): void {
    this.drawing.take(message);
  }

  takeTarget(target: TargetPicture): void {
    const gl = this.gl;
    gl.bindTexture(gl.TEXTURE_2D, this.target);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const format = target.channels === 1 ? gl.LUMINANCE : gl.RGB;
    gl.texImage2D(gl.TEXTURE_2D, 0, format, target.width, target.height, 0, format, gl.UNSIGNED_BYTE, target.pixels);
    this.sharp();
    this.hasTarget = true;
  }

  draw(camera: Camera, style: Style): void {
    const gl = this.gl;
    const legend = this.drawing.legend;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(...shares(style.ground), 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (legend === null) return;
    const place = placeOf(camera, legend);
    gl.disable(gl.BLEND);
    this.drawFaces(legend, place, style);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    if (style.showsFolds) this.drawFolds(legend, place, style);
    this.drawBoundary(place, style);
    if (style.points !== null && this.hasTarget) this.drawPoints(camera, style.points, style.foldWidth);
    gl.bindVertexArray(null);
  }

  private drawFaces(legend: Legend, place: Float32Array, style: Style): void {
    if (this.drawing.numIndices === 0) return;
    const gl = this.gl;
    const byValue = legend.numOutputs > 0 && legend.numOutputs <= MAX_OUTPUTS;
    const key = byValue ? `value ${legend.numOutputs}` : "flat";
    const one = this.program(key, byValue ? valueShaders(legend.numOutputs) : FLAT_SHADERS);
    gl.useProgram(one.program);
    gl.uniform4fv(one.at("place"), place);
    if (byValue) this.setColours(one, legend, style);
    gl.bindVertexArray(this.drawing.faces);
    gl.drawElements(gl.TRIANGLES, this.drawing.numIndices, gl.UNSIGNED_INT, 0);
  }

  private setColours(one: Program, legend: Legend, style: Style): void {
    const gl = this.gl;
    const classes = legend.classColours;
    gl.uniform1i(one.at("hasClasses"), classes === null ? 0 : 1);
    gl.uniform1i(one.at("isSquashed"), legend.isSquashed ? 1 : 0);
    gl.uniform1i(one.at("showsError"), style.showsError && this.hasTarget ? 1 : 0);
    const window = legend.window;
    gl.uniform4f(one.at("where"), window.x, window.y, window.half, 0);
    if (classes !== null) gl.uniform3fv(one.at("classes"), classes.flat().map((c) => c / 255));
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.target);
    gl.uniform1i(one.at("target"), 0);
  }

  private drawFolds(legend: Legend, place: Float32Array, style: Style): void {
    this.takePalette(legend, style);
    this.drawLines(this.drawing.folds, this.drawing.numFolds, place, style.foldWidth, null);
  }

  private drawBoundary(place: Float32Array, style: Style): void {
    const count = this.drawing.numBoundary;
    const target = this.drawing.boundary;
    this.drawLines(target, count, place, 3.4 * style.foldWidth, [1, 1, 1, 1]);
    this.drawLines(target, count, place, 1.8 * style.foldWidth, [0, 0, 0, 1]);
  }

  private drawLines(
    lines: WebGLVertexArrayObject,
    count: number,
    place: Float32Array,
    width: number,
    plain: readonly [number, number, number, number] | null,
  ): void {
    if (count === 0) return;
    const gl = this.gl;
    const one = this.program("line", LINE_SHADERS);
    gl.useProgram(one.program);
    gl.uniform4fv(one.at("place"), place);
    gl.uniform2f(one.at("halfCanvas"), gl.drawingBufferWidth / 2, gl.drawingBufferHeight / 2);
    gl.uniform1f(one.at("width"), width);
    gl.uniform1i(one.at("isPlain"), plain === null ? 0 : 1);
    if (plain !== null) gl.uniform4f(one.at("plain"), ...plain);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.uniform1i(one.at("palette"), 1);
    gl.bindVertexArray(lines);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
  }

  private drawPoints(camera: Camera, points: LearnedPoints, scale: number): void {
    const gl = this.gl;
    const one = this.program("points", POINT_SHADERS);
    gl.useProgram(one.program);
    gl.uniform1f(one.at("size"), Math.max(5, 6 * scale));
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.target);
    gl.uniform1i(one.at("target"), 0);
    gl.bindVertexArray(this.dots);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.dotBuffer);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 4, gl.FLOAT, false, 0, 0);
    for (const kind of ["training", "validation"] as const) {
      const placed = placedPoints(points[kind], camera);
      gl.uniform1i(one.at("isSquare"), kind === "validation" ? 1 : 0);
      gl.bufferData(gl.ARRAY_BUFFER, placed, gl.STREAM_DRAW);
      gl.drawArrays(gl.POINTS, 0, placed.length / 4);
    }
  }

  private takePalette(legend: Legend, style: Style): void {
    const key = `${layersOf(legend)} ${style.foldColour} ${style.encodingFolds} ${style.neuron}`;
    if (key === this.paletteKey) return;
    this.paletteKey = key;
    const gl = this.gl;
    const { pixels, rows } = foldPalette(legend, style.foldColour, style.neuron, style.encodingFolds);
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    this.sharp();
  }

  private sharp(): void {
    const gl = this.gl;
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  private program(key: string, sources: readonly [string, string]): Program {
    const found = this.programs.get(key);
    if (found !== undefined) return found;
    const made = link(this.gl, sources);
    this.programs.set(key, made);
    return made;
  }
}

/** Scale and offset from the window's own coordinates to those of the canvas, -1 to 1, y downwards. */
export function placeOf(camera: Camera, legend: Legend): Float32Array {
  const { x, y, half } = legend.window;
  return new Float32Array([
    half / (camera.half * camera.aspect),
    half / camera.half,
    (x - camera.x) / (camera.half * camera.aspect),
    (y - camera.y) / camera.half,
  ]);
}

function link(gl: WebGL2RenderingContext, [vertex, fragment]: readonly [string, string]): Program {
  const program = gl.createProgram();
  const kinds = [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const;
  for (const [kind, source] of kinds) {
    const shader = gl.createShader(kind);
    if (shader === null) throw new Error("Cannot make a shader.");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    if (gl.getShaderParameter(shader, gl.COMPILE_STATUS) !== true) {
      throw new Error(gl.getShaderInfoLog(shader) ?? "A shader was refused.");
    }
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) {
    throw new Error(gl.getProgramInfoLog(program) ?? "Shaders do not fit together.");
  }
  const places = new Map<string, WebGLUniformLocation | null>();
  const at = (name: string): WebGLUniformLocation | null => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
    return places.get(name) ?? null;
  };
  return { program, at };
}

/** Red, green and blue of #rrggbb, from 0 to 1. */
function shares(colour: string): readonly [number, number, number] {
  const number = Number.parseInt(colour.slice(1), 16);
  return [(number >> 16) / 255, ((number >> 8) & 255) / 255, (number & 255) / 255];
}
