/** The points that are learned, as dots over the folds: training ones round, validating ones square. */

import type { Camera } from "./camera.ts";

/** Points of one kind, x and y one after the other, in coordinates of the picture. */
export interface LearnedPoints {
  readonly training: Float32Array;
  readonly validation: Float32Array;
}

/** Where points lie on the canvas, from -1 to 1, y upwards, with their places in the target from 0 to 1. */
export function placedPoints(points: Float32Array, camera: Pick<Camera, "x" | "y" | "half" | "aspect">): Float32Array {
  const found: number[] = [];
  for (let i = 0; i + 1 < points.length; i += 2) {
    const [x, y] = [points[i] as number, points[i + 1] as number];
    const u = (x - camera.x) / (camera.half * camera.aspect);
    const v = (y - camera.y) / camera.half;
    if (Math.abs(u) <= 1.05 && Math.abs(v) <= 1.05) found.push(u, -v, x + 0.5, y + 0.5);
  }
  return Float32Array.from(found);
}

/** Each dot has the colour of the target there, within a ring that is seen on any colour. */
export const POINT_SHADERS: readonly [string, string] = [
  `#version 300 es
layout(location = 0) in vec4 place;
uniform float size;
out vec2 where;
void main() { where = place.zw; gl_Position = vec4(place.xy, 0.0, 1.0); gl_PointSize = size; }`,
  `#version 300 es
precision highp float;
in vec2 where;
uniform float size;
uniform bool isSquare;
uniform sampler2D target;
out vec4 colour;
void main() {
  vec2 at = abs(gl_PointCoord - 0.5) * size;
  float reach = isSquare ? max(at.x, at.y) : length(at);
  float cover = clamp(0.5 * size - reach, 0.0, 1.0);
  vec3 rgb = texture(target, where).rgb;
  float ring = clamp(reach - 0.5 * size + 2.2, 0.0, 1.0);
  float light = dot(rgb, vec3(0.3, 0.6, 0.1));
  rgb = mix(rgb, light > 0.5 ? vec3(0.1) : vec3(0.95), ring);
  colour = vec4(rgb * cover, cover);
}`,
];
