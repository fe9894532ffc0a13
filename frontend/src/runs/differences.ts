/** What differs in the settings of runs that stand side by side. */

export type Settings = Readonly<Record<string, unknown>>;

/** Settings that only say where a run lies. */
const PLACES = new Set(["output_dir", "checkpoint_dir", "snapshot_dir", "log_file"]);

export interface Difference {
  readonly name: string;
  /** One value a run, in their order. */
  readonly values: readonly unknown[];
}

/** The settings whose values are not the same in all runs, by name. */
export function differences(runs: readonly Settings[]): Difference[] {
  const names = new Set(runs.flatMap((settings) => Object.keys(settings)));
  return [...names]
    .filter((name) => !PLACES.has(name))
    .map((name) => ({ name, values: runs.map((settings) => settings[name] ?? null) }))
    .filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1)
    .sort((a, b) => a.name.localeCompare(b.name));
}
