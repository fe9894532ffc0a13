/** The recorded moments on the time line: where one can look back. */

import type { Root } from "../dom.ts";
import type { State } from "../state.ts";

export function followMoments(root: Root, state: State): void {
  const canvas = root.element("canvas", "moments");
  let drawn = "";
  const draw = (): void => {
    const { frames, epoch } = state.run === "" ? { frames: [], epoch: 0 } : state.current;
    const width = Math.max(1, Math.round(canvas.clientWidth * window.devicePixelRatio));
    const key = `${state.run} ${frames.length} ${epoch} ${width} ${root.colour("--muted")}`;
    if (key === drawn) return;
    drawn = key;
    canvas.width = width; // which clears it
    canvas.height = 1;
    const context = canvas.getContext("2d");
    if (context === null) return;
    context.fillStyle = root.colour("--muted");
    for (const column of columnsOf(frames, epoch, width)) context.fillRect(column, 0, 1, 1);
  };
  state.on(["moment", "run"], draw);
  root.onTheme(draw);
  new ResizeObserver(draw).observe(canvas);
}

/** The columns of pixels in which recorded epochs lie, each once, from 0 to `width` - 1. */
export function columnsOf(epochs: readonly number[], last: number, width: number): ReadonlySet<number> {
  const most = Math.max(1, last);
  return new Set(epochs.map((epoch) => Math.round((Math.min(epoch, most) / most) * (width - 1))));
}
