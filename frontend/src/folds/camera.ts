/** The part of the picture that is looked at. */

/** A rectangle: centre, half its height, and width over height, in coordinates of the picture. */
export interface Window {
  readonly x: number;
  readonly y: number;
  readonly half: number;
  readonly aspect: number;
}

/** Beyond this zoom float64 cannot tell vertices apart. */
export const LEAST_HALF = 5e-13;
const LARGEST_HALF = 1;
const EDGE = 0.5;

export class Camera {
  x = 0;
  y = 0;
  /** Half the height of the canvas, in coordinates of the picture. */
  half = EDGE;

  /** Width over height of the canvas, both in coordinates of the picture. */
  aspect = 1;

  get zoom(): number {
    return EDGE / this.half;
  }

  /** Show the whole picture. */
  reset(): void {
    this.x = 0;
    this.y = 0;
    this.half = EDGE * Math.max(1, 1 / this.aspect) * 1.02;
  }

  /** Zoom about a point of the canvas, given from -1 to 1, y downwards. */
  zoomAt(u: number, v: number, factor: number): void {
    const half = Math.min(LARGEST_HALF, Math.max(LEAST_HALF, this.half / factor));
    this.x += u * this.aspect * (this.half - half);
    this.y += v * (this.half - half);
    this.half = half;
    this.keep();
  }

  /** Move by parts of half the canvas. */
  pan(du: number, dv: number): void {
    this.x -= du * this.aspect * this.half;
    this.y -= dv * this.half;
    this.keep();
  }

  /** The point of the picture at a point of the canvas. */
  point(u: number, v: number): readonly [number, number] {
    return [this.x + u * this.aspect * this.half, this.y + v * this.half];
  }

  /** What has to be cut: what is seen of the picture. Null if nothing of it is seen. */
  window(): Window | null {
    const halfWidth = this.half * this.aspect;
    const left = Math.max(-EDGE, this.x - halfWidth);
    const right = Math.min(EDGE, this.x + halfWidth);
    const top = Math.max(-EDGE, this.y - this.half);
    const bottom = Math.min(EDGE, this.y + this.half);
    if (!(right > left && bottom > top)) return null;
    const half = (bottom - top) / 2;
    return {
      x: left === -EDGE && right === EDGE ? 0 : (left + right) / 2,
      y: top === -EDGE && bottom === EDGE ? 0 : (top + bottom) / 2,
      half,
      aspect: (right - left) / 2 / half,
    };
  }

  private keep(): void {
    this.x = Math.min(EDGE, Math.max(-EDGE, this.x));
    this.y = Math.min(EDGE, Math.max(-EDGE, this.y));
  }
}
