/** What is at a point of a partition, from the triangles that are drawn. */

import { triangulate } from "../folds/triangles.ts";
import { floats, wholes, type Message } from "../wire.ts";

/** The message `place` for a point in the window's own coordinates. */
export function locate(partition: Message, x: number, y: number): Message {
  const corners = floats(partition, "corners");
  const outputs = floats(partition, "outputs");
  const count = partition.shapes["outputs"]?.[1] ?? 0;
  const half = Number(partition.facts["half"]);
  const triangles = triangulate(wholes(partition, "face_offsets"));
  const at = (corner: number): readonly [number, number] =>
    [corners[2 * corner] as number, corners[2 * corner + 1] as number];
  for (let t = 0; t < triangles.length; t += 3) {
    const [i, j, k] = [triangles[t] as number, triangles[t + 1] as number, triangles[t + 2] as number];
    const [[ax, ay], [bx, by], [cx, cy]] = [at(i), at(j), at(k)];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    const u = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area;
    const v = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area;
    if (!(u >= 0 && v >= 0 && u + v <= 1)) continue;
    const values = Array.from({ length: count }, (_, o) => {
      const [a, b, c] = [outputs[count * i + o], outputs[count * j + o], outputs[count * k + o]];
      return mapOf(a as number, b as number, c as number, [ax, ay, bx, by, cx, cy], area, half);
    });
    const facts = {
      face: t,
      map: values,
      outputs: values.map(([dx, dy, constant]) => dx * x * half + dy * y * half + constant),
    };
    return { kind: "place", facts, arrays: {}, shapes: {} };
  }
  return { kind: "place", facts: { face: -1 }, arrays: {}, shapes: {} };
}

/** The affine map through three values, in coordinates of the picture about the window's centre. */
function mapOf(
  a: number,
  b: number,
  c: number,
  [ax, ay, bx, by, cx, cy]: readonly [number, number, number, number, number, number],
  area: number,
  half: number,
): readonly [number, number, number] {
  const dx = ((b - a) * (cy - ay) - (c - a) * (by - ay)) / area;
  const dy = ((bx - ax) * (c - a) - (cx - ax) * (b - a)) / area;
  return [dx / half, dy / half, a - dx * ax - dy * ay];
}
