/** The moment whose bits are shown, and which messages are of it. */

import type { RunState, State } from "../state.ts";
import type { Message } from "../wire.ts";

/** A recorded epoch, or what a trainer has at present, which moves on. */
export interface Moment {
  readonly run: string;
  /** Null for the present. */
  readonly epoch: number | null;
}

/** The moment that is looked at; null if nothing is known of its bits: it was not kept, or there is no run. */
export function lookedMoment(state: Pick<State, "run" | "lookedEpoch" | "current">): Moment | null {
  if (state.run === "") return null;
  const { isTrained, epoch, frames } = state.current;
  const looked = state.lookedEpoch ?? (isTrained ? null : epoch);
  return looked === null || frames.includes(looked) ? { run: state.run, epoch: looked } : null;
}

/** Whether a message has the bits of a moment. Other pages ask too, and each hears the trainer's answers. */
export function isOf(message: Message, moment: Moment): boolean {
  const { run, epoch, is_present: isPresent } = message.facts;
  return run === moment.run && (moment.epoch === null ? isPresent === true : epoch === moment.epoch);
}

/** Which weights a moment has: the present gets others with each epoch, and other costs with a change. */
export function versionOf(moment: Moment, run: Pick<RunState, "epoch" | "changes">): string {
  return JSON.stringify([moment, moment.epoch === null ? [run.epoch, run.changes.length] : null]);
}

/** Whether a message tells of now: of the file that would be saved. A run that trains moves on until the next message. */
export function isNow(message: Message, moment: Moment | null, run: Pick<RunState, "epoch">): boolean {
  if (moment === null || moment.epoch !== null || !isOf(message, moment)) return false;
  return Number(message.facts["epoch"]) === run.epoch;
}
