/** Messages of the server become state. */

import { RunState, type AuditRow, type Mark, type RunFacts, type SettingRow, type State } from "./state.ts";
import { floats, type Message } from "./wire.ts";

export function receive(state: State, message: Message): void {
  const facts = message.facts;
  const run = typeof facts["run"] === "string" ? facts["run"] : "";
  switch (message.kind) {
    case "hello":
      state.columns = facts["columns"] as string[];
      state.forget();
      state.settings = facts["settings"] as SettingRow[];
      state.targets = facts["targets"] as string[];
      state.changed("connection");
      return;
    case "runs":
      state.runs = facts["runs"] as RunFacts[];
      state.changed("runs");
      return;
    case "moment":
      receiveMoment(state.of(run), message);
      state.changed("moment");
      return;
    case "target":
      receiveTarget(state.of(run), message);
      state.changed("target");
      return;
    case "settings":
      state.of(run).settings = facts["settings"] as Record<string, unknown>;
      state.changed("settings");
      return;
    case "audit":
      receiveAudit(state.of(run), message);
      state.changed("settings");
      return;
    case "changes":
      state.of(run).changes = (facts["changes"] as SentChange[]).map((change) => ({
        epoch: change.epoch,
        settings: change.settings,
        before: change.before,
        isPainted: change.is_painted,
      }));
      state.changed("changes");
      return;
    case "marks":
      state.of(run).marks = facts["marks"] as Mark[];
      state.changed("changes");
      return;
    case "points":
      state.of(run).points = { training: floats(message, "training"), validation: floats(message, "validation") };
      state.changed("points");
      return;
    case "notice":
      state.notice(String(facts["text"]), Number(facts["epoch"]));
      return;
    case "refused":
    case "ended":
      state.say(String(facts["text"]), true);
      return;
  }
}

interface SentChange {
  readonly epoch: number;
  readonly settings: Record<string, unknown>;
  readonly before: Record<string, unknown>;
  readonly is_painted: boolean;
}

function receiveAudit(run: RunState, message: Message): void {
  run.audit = message.facts["rows"] as AuditRow[];
  run.isAuditOk = message.facts["is_ok"] === true;
  run.auditEpoch = Number(message.facts["epoch"]);
}

function receiveMoment(run: RunState, message: Message): void {
  const facts = message.facts;
  run.epoch = Number(facts["epoch"]);
  run.isPlaying = facts["is_playing"] === true;
  run.isOver = facts["is_over"] === true;
  run.isTrained = facts["is_trained"] === true;
  run.epochsPerSecond = (facts["epochs_per_second"] as number | null | undefined) ?? null;
  run.note = String(facts["note"] ?? "");
  run.isProblem = facts["is_problem"] === true;
  run.frames = facts["frames"] as number[];
  const rows = message.arrays["rows"];
  if (rows instanceof Float64Array) run.table.take(Number(facts["first_row"]), rows);
}

function receiveTarget(run: RunState, message: Message): void {
  const facts = message.facts;
  const [, height = 1, width = 1, channels = 1] = message.shapes["pixels"] ?? [];
  const found = message.arrays["pixels"];
  const count = height * width * channels;
  const pixels = new Uint8Array(count);
  if (found instanceof Uint16Array) {
    for (let i = 0; i < count; i++) pixels[i] = (found[i] ?? 0) >> 8;
  } else if (found instanceof Uint8Array) {
    pixels.set(found.subarray(0, count));
  }
  run.target = {
    name: String(facts["name"]),
    task: String(facts["task"]),
    canUndo: facts["can_undo"] === true,
    classColours: facts["class_colours"] as number[][] | null,
    shownColours: facts["shown_colours"] as number[][] | null,
    width,
    height,
    channels,
    pixels,
  };
}
