/** Colours of folds, one a neuron; those of layers come from the server, as frames have them. */

import type { Legend } from "./drawing.ts";

export type FoldColour = "plain" | "layer" | "neuron";
/** How folds of the encoding are drawn: as all others, faintly, or not at all. */
export type EncodingFolds = "plain" | "faint" | "none";

const FOLD: readonly number[] = [213, 94, 0];
const GOLDEN = 0.618034;
const FAINT = 36;
/** Opacity of folds of the encoding, as in frames: 0.3 of that of others where they are faint. */
const ENCODING: Readonly<Record<EncodingFolds, number>> = { plain: 255, faint: 77, none: 0 };

/** RGBA of all neurons, 256 in a row. */
export function foldPalette(
  legend: Pick<Legend, "layerSizes" | "layerColours" | "numEncodingLayers">,
  mode: FoldColour,
  chosen: number | null,
  encodingFolds: EncodingFolds,
): { readonly pixels: Uint8Array; readonly rows: number } {
  const count = legend.layerSizes.reduce((sum, size) => sum + size, 0);
  const rows = Math.max(1, Math.ceil(count / 256));
  const pixels = new Uint8Array(4 * 256 * rows);
  let neuron = 0;
  legend.layerSizes.forEach((size, layer) => {
    for (let i = 0; i < size; i++, neuron++) {
      const rgb =
        mode === "layer" ? (legend.layerColours[layer] ?? FOLD)
        : mode === "neuron" ? hue((neuron * GOLDEN) % 1)
        : FOLD;
      const most = layer < legend.numEncodingLayers ? ENCODING[encodingFolds] : 255;
      const alpha = chosen === null || chosen === neuron ? most : Math.min(most, FAINT);
      pixels.set([rgb[0] ?? 0, rgb[1] ?? 0, rgb[2] ?? 0, alpha], 4 * neuron);
    }
  });
  return { pixels, rows };
}

/** A saturated colour of the colour circle, 0 to 1. */
export function hue(turn: number): readonly number[] {
  const channel = (shift: number): number => {
    const k = (shift + 6 * turn) % 6;
    return Math.round(255 * (1 - Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}
