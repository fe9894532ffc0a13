/** Where a picture lies that is shown whole in a box of another shape. */

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The part of a box that a picture fills: in its middle, as large as it fits. */
export function contained(box: Box, width: number, height: number): Box {
  const scale = Math.min(box.width / width, box.height / height);
  const [wide, high] = [scale * width, scale * height];
  return { left: box.left + (box.width - wide) / 2, top: box.top + (box.height - high) / 2, width: wide, height: high };
}
