/** The programs of the graphics card. Coordinates are a window's own; `place` maps them to the canvas. */

export const MAX_OUTPUTS = 32;

const PLACE = `
uniform vec4 place; // scale and offset from the window's own coordinates to the canvas
vec2 placed(vec2 at) { vec2 p = at * place.xy + place.zw; return vec2(p.x, -p.y); }
`;

/** Faces whose colour follows from the outputs, which are affine on each face. */
export function valueShaders(numOutputs: number): readonly [string, string] {
  const groups = Math.ceil(numOutputs / 4);
  const names = Array.from({ length: groups }, (_, i) => i);
  const vertex = `#version 300 es
layout(location = 0) in vec2 corner;
${names.map((i) => `layout(location = ${i + 1}) in vec4 outputs${i};\nout vec4 shown${i};`).join("\n")}
out vec2 local;
${PLACE}
void main() {
  ${names.map((i) => `shown${i} = outputs${i};`).join(" ")}
  local = corner;
  gl_Position = vec4(placed(corner), 0.0, 1.0);
}`;
  const fragment = `#version 300 es
precision highp float;
${names.map((i) => `in vec4 shown${i};`).join("\n")}
in vec2 local;
uniform vec3 classes[${MAX_OUTPUTS}];
uniform bool hasClasses;
uniform bool isSquashed;
uniform bool showsError;
uniform vec4 where; // centre of the window and half its height, in the picture
uniform sampler2D target;
out vec4 colour;
vec3 value() {
  float found[${4 * groups}];
  ${names.map((i) => [0, 1, 2, 3].map((j) => `found[${4 * i + j}] = shown${i}[${j}];`).join(" ")).join("\n  ")}
  if (hasClasses) {
    int best = 0;
    for (int i = 1; i < ${numOutputs}; i++) if (found[i] > found[best]) best = i;
    return classes[best];
  }
  vec3 rgb = ${numOutputs >= 3 ? "vec3(found[0], found[1], found[2])" : "vec3(found[0])"};
  if (isSquashed) rgb = 1.0 / (1.0 + exp(-rgb));
  return clamp(rgb, 0.0, 1.0);
}
void main() {
  vec3 rgb = value();
  if (showsError) {
    vec2 at = where.xy + local * where.z + 0.5;
    vec3 off = abs(rgb - texture(target, at).rgb);
    float error = clamp(max(off.r, max(off.g, off.b)) * 2.0, 0.0, 1.0);
    if (hasClasses) error = step(0.01, error); // right or wrong
    rgb = mix(vec3(0.969, 0.965, 0.953), vec3(0.835, 0.369, 0.0), error);
  }
  colour = vec4(rgb, 1.0);
}`;
  return [vertex, fragment];
}

/** Faces with a colour each. */
export const FLAT_SHADERS: readonly [string, string] = [
  `#version 300 es
layout(location = 0) in vec2 corner;
layout(location = 1) in vec4 given;
flat out vec4 shown;
${PLACE}
void main() { shown = given; gl_Position = vec4(placed(corner), 0.0, 1.0); }`,
  `#version 300 es
precision highp float;
flat in vec4 shown;
out vec4 colour;
void main() { colour = shown; }`,
];

/** Lines of a width in pixels: each is a quad, drawn once an instance. */
export const LINE_SHADERS: readonly [string, string] = [
  `#version 300 es
layout(location = 0) in vec4 ends;
layout(location = 1) in float number;
uniform sampler2D palette; // one colour a neuron, 256 in a row
uniform vec2 halfCanvas; // in pixels
uniform float width;
uniform bool isPlain;
uniform vec4 plain;
out float across;
out vec4 shown;
${PLACE}
void main() {
  vec2 first = placed(ends.xy) * halfCanvas, second = placed(ends.zw) * halfCanvas;
  vec2 along = second - first;
  float size = length(along);
  vec2 direction = size > 0.0 ? along / size : vec2(1.0, 0.0);
  vec2 normal = vec2(-direction.y, direction.x);
  float reach = 0.5 * width + 1.0;
  vec2 at = (gl_VertexID & 1) == 0 ? first - direction * 0.5 : second + direction * 0.5;
  float side = (gl_VertexID & 2) == 0 ? -1.0 : 1.0;
  across = side * reach;
  int index = int(number);
  shown = isPlain ? plain : texelFetch(palette, ivec2(index & 255, index >> 8), 0);
  gl_Position = vec4((at + normal * side * reach) / halfCanvas, 0.0, 1.0);
}`,
  `#version 300 es
precision highp float;
in float across;
in vec4 shown;
uniform float width;
out vec4 colour;
void main() {
  float cover = clamp(0.5 * width + 0.5 - abs(across), 0.0, 1.0) * shown.a;
  colour = vec4(shown.rgb * cover, cover);
}`,
];
