/** The point of a canvas under the pointer, from -1 to 1, y downwards. */
export function spotOf(canvas: HTMLCanvasElement, event: MouseEvent): readonly [number, number] {
  const box = canvas.getBoundingClientRect();
  return [
    (2 * (event.clientX - box.left)) / box.width - 1,
    (2 * (event.clientY - box.top)) / box.height - 1,
  ];
}
