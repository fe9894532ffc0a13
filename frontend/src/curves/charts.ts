/** Which curves stand in which chart. */

export interface Curve {
  /** Columns of the metrics, whose product is drawn. */
  readonly columns: readonly string[];
  readonly name: string;
  readonly colour: string;
}

export interface Chart {
  readonly id: string;
  readonly curves: readonly Curve[];
  readonly isLog: boolean;
}

export const CHARTS: readonly Chart[] = [
  {
    id: "chart-losses",
    isLog: true,
    curves: [
      { columns: ["combined_loss"], name: "combined", colour: "#d55e00" },
      { columns: ["task_loss"], name: "task", colour: "#0072b2" },
      { columns: ["kolmogorov_weight", "kolmogorov_loss"], name: "lambda K", colour: "#009e73" },
      { columns: ["validation_loss"], name: "validation", colour: "#e69f00" },
    ],
  },
  {
    id: "chart-k",
    isLog: false,
    curves: [{ columns: ["kolmogorov_loss"], name: "K, nats a weight", colour: "#009e73" }],
  },
  {
    id: "chart-bits",
    isLog: false,
    curves: [{ columns: ["description_bits"], name: "description, bits", colour: "#009e73" }],
  },
  {
    id: "chart-quality",
    isLog: false,
    curves: [
      { columns: ["psnr_db"], name: "PSNR, dB", colour: "#cc79a7" },
      { columns: ["accuracy"], name: "accuracy", colour: "#56b4e9" },
    ],
  },
  {
    id: "chart-polytopes",
    isLog: false,
    curves: [{ columns: ["num_polytopes"], name: "polytopes", colour: "#d55e00" }],
  },
  {
    id: "chart-gradients",
    isLog: false,
    curves: [
      { columns: ["grad_norm_task_network"], name: "gradient, task", colour: "#0072b2" },
      { columns: ["grad_norm_kolmogorov_network"], name: "gradient, K", colour: "#009e73" },
    ],
  },
];

/** By what charts with other curves are told apart. */
export function namesOf(charts: readonly Chart[]): string {
  return charts.map((chart) => chart.curves.map((curve) => curve.name).join()).join(";");
}
