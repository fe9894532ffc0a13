/** Names of settings as people read them. */

const NAMES: Readonly<Record<string, string>> = {
  kolmogorov_weight: "lambda",
  kolmogorov_temperature: "temperature of K",
  kolmogorov_targets: "targets of K",
  kolmogorov_lr: "rate of K",
  kolmogorov_quantise: "quantised",
  kolmogorov_predictor: "predictor",
  grad_clip_norm: "clip gradient",
  checkpoint_budget: "disk for checkpoints",
  optimizer: "optimiser",
};

/** The name of a setting, the same wherever it stands on the page. */
export function nameOf(setting: string): string {
  return NAMES[setting] ?? setting.replaceAll("_", " ");
}
