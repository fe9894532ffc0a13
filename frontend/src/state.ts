/** All that the page knows; views are functions of it. */

import type { LearnedPoints } from "./folds/points.ts";
import { nearest } from "./numbers.ts";

export interface RunFacts {
  readonly run: string;
  readonly target?: string;
  readonly shape?: string;
  readonly status?: string | null;
  readonly epoch?: number | null;
  readonly parent?: string | null;
  readonly parent_epoch?: number | null;
  readonly is_trained?: boolean;
  readonly problem?: string;
}

export interface SettingRow {
  readonly name: string;
  readonly default: unknown;
  readonly kind: "int" | "float" | "str" | "bool" | "names";
  readonly unit: string;
  readonly choices: readonly string[];
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly resume: string;
  readonly help: string;
}

/** A change of a live run. */
export interface Change {
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  /** The same settings as they were. */
  readonly before: Readonly<Record<string, unknown>>;
  readonly isPainted: boolean;
}

/** Something that happened to a run. */
export interface Mark {
  /** The last epoch before it. */
  readonly epoch: number;
  readonly kind: "monitor" | "audit" | "watchdog" | "change" | "branch";
  readonly text: string;
}

/** A finding of the gradient audit. */
export interface AuditRow {
  readonly term: string;
  readonly module: string;
  readonly verdict: "reaches" | "weak" | "cut" | "independent";
  readonly share: number;
  readonly norm: number;
  /** Lines of code where the gradient stops. */
  readonly sites: readonly string[];
}

export interface TargetPicture {
  readonly name: string;
  readonly task: string;
  readonly canUndo: boolean;
  /** Of a target with classes: the colours that paint them, and those that they are shown in. */
  readonly classColours: readonly (readonly number[])[] | null;
  readonly shownColours: readonly (readonly number[])[] | null;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Of the first frame, 0 to 255. */
  readonly pixels: Uint8Array;
}

/** What is known of one run. */
export class RunState {
  epoch = 0;
  isPlaying = false;
  isOver = false;
  isTrained = false;
  /** The chosen speed; null for full speed. */
  epochsPerSecond: number | null = null;
  note = "";
  /** Whether the note says why training cannot go on. */
  isProblem = false;
  target: TargetPicture | null = null;
  settings: Readonly<Record<string, unknown>> = {};
  points: LearnedPoints | null = null;
  audit: readonly AuditRow[] = [];
  isAuditOk = true;
  auditEpoch = 0;
  changes: readonly Change[] = [];
  /** What the trade monitor, audits and watchdogs have said. */
  marks: readonly Mark[] = [];
  frames: number[] = [];
  readonly table: Table;

  constructor(numColumns: number) {
    this.table = new Table(numColumns);
  }
}

/** Metrics, one row an epoch. */
export class Table {
  count = 0;
  private room: Float64Array;
  private readonly width: number;

  constructor(width: number) {
    this.width = Math.max(1, width);
    this.room = new Float64Array(1024 * this.width);
  }

  /** Take rows that begin at number `first`; those from there on are replaced. */
  take(first: number, rows: Float64Array): void {
    const count = rows.length / this.width;
    const needed = (first + count) * this.width;
    if (needed > this.room.length) {
      const wider = new Float64Array(Math.max(needed, 2 * this.room.length));
      wider.set(this.room);
      this.room = wider;
    }
    this.room.set(rows, first * this.width);
    this.count = first + count;
  }

  /** A number; NaN if the column is not there. */
  at(row: number, column: number): number {
    if (column < 0) return Number.NaN;
    return this.room[row * this.width + column] ?? Number.NaN;
  }

  /** The last number of a column that was measured by an epoch; NaN if there is none near. */
  last(column: number, epoch: number | null = null): number {
    const stop = epoch === null ? this.count : this.rowAfter(epoch);
    for (let row = stop - 1; row >= Math.max(0, stop - 400); row--) {
      const value = this.at(row, column);
      if (!Number.isNaN(value)) return value;
    }
    return Number.NaN;
  }

  /** The first row of a later epoch; epochs are the first column, and ascend. */
  private rowAfter(epoch: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle, 0) <= epoch) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** With the run that is looked at, a page shows four. */
export const MOST_BESIDE = 3;

export type Part = "connection" | "runs" | "run" | "moment" | "target" | "settings" | "changes" | "line" | "pointed" | "points" | "beside";

export class State {
  isConnected = false;
  /** Whether a recording is shown: nothing can be trained. */
  isReplay = false;
  columns: readonly string[] = [];
  settings: readonly SettingRow[] = [];
  targets: readonly string[] = [];
  runs: readonly RunFacts[] = [];
  /** The name of the run that is looked at; empty before there is one. */
  run = "";
  /** The epoch that is looked at; null for the newest one. */
  shownEpoch: number | null = null;
  /** Runs that stand beside the one that is looked at. */
  beside: readonly string[] = [];
  /** Whether they show the epoch of that one; otherwise their newest. */
  isSameEpoch = true;
  /** The epoch that the pointer shows in a curve; null while it is elsewhere. */
  pointedEpoch: number | null = null;
  line = "";
  isProblem = false;
  private noticedEpoch = -1;
  private readonly known = new Map<string, RunState>();
  private readonly listeners: [Part, () => void][] = [];

  /** Forget what was known of runs: the server will say it again. */
  forget(): void {
    this.known.clear();
  }

  of(run: string): RunState {
    let found = this.known.get(run);
    if (found === undefined) {
      found = new RunState(this.columns.length);
      this.known.set(run, found);
    }
    return found;
  }

  get current(): RunState {
    return this.of(this.run);
  }

  /** The recorded moment that the views show: that under the pointer, or the chosen one; null: the newest. */
  get lookedEpoch(): number | null {
    return this.lookedEpochOf(this.run);
  }

  /** The same of any run: its recorded moment nearest to the epoch that is looked at. */
  lookedEpochOf(name: string): number | null {
    const wanted = this.pointedEpoch ?? this.shownEpoch;
    const run = this.of(name);
    return wanted === null || wanted >= run.epoch ? null : nearest(run.frames, wanted);
  }

  /** The recorded moment that a run beside shows; null for its newest one. */
  besideEpoch(name: string): number | null {
    if (!this.isSameEpoch) return null;
    const wanted = this.pointedEpoch ?? this.shownEpoch ?? this.current.epoch;
    const run = this.of(name);
    return wanted >= run.epoch ? null : nearest(run.frames, wanted);
  }

  /** Put a run beside the one that is looked at, or take it away. */
  toggleBeside(name: string): void {
    const others = this.beside.filter((one) => one !== name);
    if (others.length === this.beside.length && others.length >= MOST_BESIDE) return;
    this.beside = others.length < this.beside.length ? others : [...others, name];
    this.changed("beside");
  }

  /** Point at an epoch in all views, or no longer. */
  point(epoch: number | null): void {
    if (epoch === this.pointedEpoch) return;
    this.pointedEpoch = epoch;
    this.changed("pointed");
  }

  column(name: string): number {
    return this.columns.indexOf(name);
  }

  on(parts: readonly Part[], listener: () => void): void {
    for (const part of parts) this.listeners.push([part, listener]);
  }

  changed(part: Part): void {
    for (const [one, listener] of this.listeners) if (one === part) listener();
  }

  /** Say what happened in training; what came of the same epoch before it stays. */
  notice(text: string, epoch: number): void {
    const before = epoch === this.noticedEpoch && !this.isProblem ? this.line : "";
    this.noticedEpoch = epoch;
    if (!before.includes(text)) this.say(before === "" ? text : `${before} ${text}`);
  }

  say(text: string, isProblem = false): void {
    this.line = text;
    this.isProblem = isProblem;
    this.changed("line");
  }
}
