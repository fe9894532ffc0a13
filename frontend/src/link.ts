/** A link that restores run, epoch and view; it holds no token. */

export interface Place {
  readonly run: string;
  readonly epoch: number | null;
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export function fragmentOf(place: Place): string {
  const found = new URLSearchParams({ run: place.run });
  if (place.epoch !== null) found.set("epoch", String(place.epoch));
  if (place.zoom > 1.05) {
    found.set("x", String(place.x));
    found.set("y", String(place.y));
    found.set("zoom", String(place.zoom));
  }
  return `#${found.toString()}`;
}

export function placeOf(fragment: string): Place {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const number = (name: string, missing: number): number => {
    const value = Number(given.get(name) ?? missing);
    return Number.isFinite(value) ? value : missing;
  };
  return {
    run: given.get("run") ?? "",
    epoch: given.has("epoch") ? number("epoch", 0) : null,
    x: number("x", 0),
    y: number("y", 0),
    zoom: number("zoom", 1),
  };
}
