/** The curves: what training measured, over the epochs. */

import uPlot from "uplot";

import { CHARTS, namesOf, type Chart, type Curve } from "./charts.ts";
import type { Root } from "../dom.ts";
import { short } from "../numbers.ts";
import { isSparse, lastKnown, series, thinned } from "./thinning.ts";
import { marksOf } from "../time/marks.ts";
import type { State } from "../state.ts";

const MOST_POINTS = 1500;
const REDRAW_MS = 100;
const HEIGHT = 150;

export class Curves {
  private readonly plots: uPlot[] = [];
  private isDue = false;
  private shown = "";

  constructor(
    private readonly root: Root,
    private readonly state: State,
  ) {
    state.on(["moment", "run", "changes"], () => this.redraw());
    this.root.element("select", "scale").addEventListener("change", () => this.rebuild());
    new ResizeObserver(() => this.resize()).observe(this.root.element("section", "curves"));
    this.root.onTheme(() => this.rebuild());
    this.rebuild();
  }

  private rebuild(): void {
    for (const plot of this.plots.splice(0)) plot.destroy();
    const isLog = this.root.element("select", "scale").value === "log";
    const ink = this.root.colour("--muted");
    const rule = this.root.colour("--rule");
    const charts = this.charts();
    this.shown = namesOf(charts);
    for (const chart of charts) {
      const box = this.root.element("div", chart.id);
      const axis = { stroke: ink, grid: { stroke: rule, width: 0.5 }, ticks: { show: false }, font: "11px system-ui" };
      const options: uPlot.Options = {
        width: Math.max(120, box.clientWidth),
        height: HEIGHT,
        cursor: { sync: { key: "epoch" }, points: { size: 5 } },
        hooks: { draw: [(plot) => this.drawMarks(plot)], ready: [(plot) => this.follow(plot)] },
        scales: { x: { time: false }, y: { distr: isLog && chart.isLog ? 3 : 1 } },
        axes: [{ ...axis, size: 26 }, { ...axis, size: 54 }],
        series: [
          { label: "epoch" },
          ...chart.curves.map((curve) => ({
            label: curve.name,
            stroke: curve.colour,
            width: 1.5,
            spanGaps: true,
            points: { size: 4, show: (plot: uPlot, place: number) => isSparse(plot.data[place] ?? []) },
            // Some numbers are not measured in each epoch.
            value: (plot: uPlot, _: number | null, at: number, place: number | null) => {
              const known = place === null ? null : lastKnown(plot.data[at] ?? [], place);
              return known === null ? "–" : short(known, 4);
            },
          })),
        ],
      };
      this.plots.push(new uPlot(options, this.data(chart.curves, isLog && chart.isLog), box));
    }
  }

  /** The charts, each with the curves that have been measured; a run without classes has no accuracy. */
  private charts(): readonly Chart[] {
    return CHARTS.map((chart) => {
      const [, ...found] = this.data(chart.curves, false);
      const curves = chart.curves.filter((_, i) => found[i]?.some((value) => value !== null));
      return { ...chart, curves: curves.length > 0 ? curves : chart.curves.slice(0, 1) };
    });
  }

  private data(curves: readonly Curve[], isLog: boolean): uPlot.AlignedData {
    if (this.state.run === "") return [[], ...curves.map(() => [])];
    const table = this.state.current.table;
    const rows = thinned(table.count, MOST_POINTS);
    const epochs = this.state.column("epoch");
    return [
      Array.from(rows, (row) => table.at(row, epochs)),
      ...curves.map((curve) => series(table, rows, this.columns(curve), isLog)),
    ];
  }

  /** The epoch under the pointer is shown by all views. */
  private follow(plot: uPlot): void {
    plot.over.addEventListener("mousemove", () => {
      const row = plot.cursor.idx ?? null;
      this.state.point(row === null ? null : (plot.data[0][row] ?? null));
    });
    plot.over.addEventListener("mouseleave", () => this.state.point(null));
  }

  /** A line where something was changed, or where an alarm was raised. */
  private drawMarks(plot: uPlot): void {
    if (this.state.run === "") return;
    const { ctx, bbox } = plot;
    for (const mark of marksOf(this.state)) {
      if (mark.kind === "branch") continue;
      const x = Math.round(plot.valToPos(mark.epoch, "x", true)) + 0.5;
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = this.root.colour(mark.kind === "change" ? "--muted" : "--problem");
      ctx.lineWidth = mark.kind === "change" ? 1 : 2;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
    }
  }

  private columns(curve: Curve): readonly number[] {
    return curve.columns.map((name) => this.state.column(name));
  }

  private redraw(): void {
    if (this.isDue) return;
    this.isDue = true;
    setTimeout(() => {
      this.isDue = false;
      const charts = this.charts();
      if (namesOf(charts) !== this.shown) this.rebuild();
      const isLog = this.root.element("select", "scale").value === "log";
      charts.forEach((chart, i) => {
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
      const width = Math.max(120, this.root.element("div", chart.id).clientWidth);
      this.plots[i]?.setSize({ width, height: HEIGHT });
    });
  }
}
