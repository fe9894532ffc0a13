/** The curves: what training measured, over the epochs. */

import uPlot from "uplot";

import { element } from "../dom.ts";
import { series, thinned } from "./thinning.ts";
import type { State } from "../state.ts";

const MOST_POINTS = 1500;
const REDRAW_MS = 100;
const HEIGHT = 150;

interface Curve {
  readonly column: string;
  readonly name: string;
  readonly colour: string;
}

const CHARTS: readonly { readonly id: string; readonly curves: readonly Curve[]; readonly isLog: boolean }[] = [
  {
    id: "chart-losses",
    isLog: true,
    curves: [
      { column: "combined_loss", name: "combined", colour: "#d55e00" },
      { column: "task_loss", name: "task", colour: "#0072b2" },
      { column: "validation_loss", name: "validation", colour: "#e69f00" },
    ],
  },
  {
    id: "chart-bits",
    isLog: false,
    curves: [{ column: "description_bits", name: "description, bits", colour: "#009e73" }],
  },
  {
    id: "chart-quality",
    isLog: false,
    curves: [
      { column: "psnr_db", name: "PSNR, dB", colour: "#cc79a7" },
      { column: "accuracy", name: "accuracy", colour: "#56b4e9" },
    ],
  },
  {
    id: "chart-polytopes",
    isLog: false,
    curves: [{ column: "num_polytopes", name: "polytopes", colour: "#d55e00" }],
  },
];

export class Curves {
  private readonly plots: uPlot[] = [];
  private isDue = false;

  constructor(private readonly state: State) {
    state.on(["moment", "run"], () => this.redraw());
    element("select", "scale").addEventListener("change", () => this.rebuild());
    new ResizeObserver(() => this.resize()).observe(element("section", "curves"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.rebuild());
    this.rebuild();
  }

  private rebuild(): void {
    for (const plot of this.plots.splice(0)) plot.destroy();
    const isLog = element("select", "scale").value === "log";
    const ink = getComputedStyle(document.body).getPropertyValue("--muted").trim();
    const rule = getComputedStyle(document.body).getPropertyValue("--rule").trim();
    for (const chart of CHARTS) {
      const box = element("div", chart.id);
      const axis = { stroke: ink, grid: { stroke: rule, width: 0.5 }, ticks: { show: false }, font: "11px system-ui" };
      const options: uPlot.Options = {
        width: Math.max(120, box.clientWidth),
        height: HEIGHT,
        cursor: { sync: { key: "epoch" }, points: { size: 5 } },
        scales: { x: { time: false }, y: { distr: isLog && chart.isLog ? 3 : 1 } },
        axes: [axis, { ...axis, size: 54 }],
        series: [
          { label: "epoch" },
          ...chart.curves.map((curve) => ({
            label: curve.name,
            stroke: curve.colour,
            width: 1.5,
            spanGaps: true,
          })),
        ],
      };
      this.plots.push(new uPlot(options, this.data(chart.curves, isLog && chart.isLog), box));
    }
  }

  private data(curves: readonly Curve[], isLog: boolean): uPlot.AlignedData {
    if (this.state.run === "") return [[], ...curves.map(() => [])];
    const table = this.state.current.table;
    const rows = thinned(table.count, MOST_POINTS);
    const column = (name: string): number => this.state.column(name);
    return [
      Array.from(rows, (row) => table.at(row, column("epoch"))),
      ...curves.map((curve) => series(table, rows, column(curve.column), isLog)),
    ];
  }

  private redraw(): void {
    if (this.isDue) return;
    this.isDue = true;
    setTimeout(() => {
      this.isDue = false;
      const isLog = element("select", "scale").value === "log";
      CHARTS.forEach((chart, i) => {
        const plot = this.plots[i];
        if (plot === undefined) return;
        const data = this.data(chart.curves, isLog && chart.isLog);
        plot.setData(data);
        // Where nobody points, the legend has the newest numbers.
        if (plot.cursor.idx === null || plot.cursor.idx === undefined) {
          plot.setLegend({ idx: data[0].length - 1 });
        }
      });
    }, REDRAW_MS);
  }

  private resize(): void {
    CHARTS.forEach((chart, i) => {
      const width = Math.max(120, element("div", chart.id).clientWidth);
      this.plots[i]?.setSize({ width, height: HEIGHT });
    });
  }
}
