/** The neuron that is chosen by its fold. */

import type { Legend } from "./drawing.ts";

type Layers = Pick<Legend, "run" | "layerSizes" | "numEncodingLayers">;

/** By what the numbers of neurons are told apart: two partitions with the same have the same neurons. */
export function layersOf({ run, layerSizes, numEncodingLayers }: Layers): string {
  return `${run} ${layerSizes.join()} ${numEncodingLayers}`;
}

/** A neuron of the run that is drawn; it is dropped where another run, or other layers, are drawn. */
export class ChosenNeuron {
  /** Its number, from the first layer of the partition on; null for none. */
  number: number | null = null;
  private layers = "";

  /** Take what is drawn from now on; true if the neuron is none of it, and was dropped. */
  take(drawn: Layers): boolean {
    const layers = layersOf(drawn);
    const isOther = layers !== this.layers;
    this.layers = layers;
    return isOther && this.drop();
  }

  /** Drop the neuron; false if there was none. */
  drop(): boolean {
    const wasChosen = this.number !== null;
    this.number = null;
    return wasChosen;
  }
}
