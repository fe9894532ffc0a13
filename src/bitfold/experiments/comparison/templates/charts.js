// Charts as SVG: size against error, and curves with medians and ranges.

const box = { left: 76, right: 944, top: 14, bottom: 372 };

/** A scale from numbers to places, linear or logarithmic, with its marks. */
function scaleOf(values, first, last, isLog) {
  let low = Math.min(...values), high = Math.max(...values);
  if (!(high > low)) { low -= Math.abs(low) / 10 || 1; high += Math.abs(high) / 10 || 1; }
  const inner = isLog && low > 0 ? Math.log10 : (value) => value;
  const isInLog = inner === Math.log10;
  const [a, b] = [inner(low), inner(high)], margin = (b - a) * 0.04;
  const place = (value) => first + ((inner(value) - a + margin) / (b - a + 2 * margin)) * (last - first);
  return { place, marks: isInLog ? logMarks(low, high) : evenMarks(low, high) };
}

function evenMarks(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const marks = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) marks.push(Math.round(at / step) * step || 0);
  return marks;
}

function logMarks(low, high) {
  const marks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const digit of [1, 2, 5]) marks.push(digit * 10 ** power);
  }
  const inside = marks.filter((mark) => mark >= low * 0.999 && mark <= high * 1.001);
  if (inside.length > 8) return inside.filter((mark) => /^1(e|0*$)|^0?\.0*1$/.test(String(mark)));
  return inside.length > 2 ? inside : evenMarks(low, high);
}

function axes(svg, xs, ys, xName, yName) {
  for (const mark of xs.marks) {
    const x = xs.place(mark);
    svg.append(drawn("line", { x1: x, x2: x, y1: box.top, y2: box.bottom, class: "grid" }));
    svg.append(drawn("text", { x, y: box.bottom + 18, "text-anchor": "middle" }, number(mark)));
  }
  for (const mark of ys.marks) {
    const y = ys.place(mark);
    svg.append(drawn("line", { x1: box.left, x2: box.right, y1: y, y2: y, class: "grid" }));
    svg.append(drawn("text", { x: box.left - 8, y: y + 4, "text-anchor": "end" }, number(mark)));
  }
  const middle = (box.left + box.right) / 2;
  svg.append(drawn("text", { x: middle, y: box.bottom + 40, "text-anchor": "middle" }, xName));
  const turned = { x: 0, y: 0, "text-anchor": "middle", transform: `translate(16 ${(box.top + box.bottom) / 2}) rotate(-90)` };
  svg.append(drawn("text", turned, yName));
}

function key(list, groups) {
  list.replaceChildren(...groups.map((group) => {
    const dot = element("i");
    dot.style.background = group.colour;
    return element("li", {}, dot, `${group.label} (${group.runs.length})`);
  }));
}

function nothing(svg, text) {
  svg.append(drawn("text", { x: 480, y: 200, "text-anchor": "middle" }, text));
}

let points = [];

function drawScatter(some) {
  const svg = document.getElementById("scatter");
  svg.replaceChildren();
  points = [];
  const isDecibels = some.some((run) => "PSNR, dB" in run.numbers);
  const yOf = (run) => (isDecibels ? run.numbers["PSNR, dB"] : run.numbers.error);
  const known = some.filter((run) => run.numbers.bytes > 0 && yOf(run) !== undefined);
  const groups = groupsOf(known, document.getElementById("scatter-by").value);
  key(document.getElementById("scatter-key"), groups);
  if (!known.length) { nothing(svg, "no run that is shown has a model file"); return; }
  const xs = scaleOf(known.map((run) => run.numbers.bytes), box.left, box.right, true);
  const isLog = !isDecibels && known.every((run) => yOf(run) > 0);
  const ys = scaleOf(known.map(yOf), box.bottom, box.top, isLog);
  axes(svg, xs, ys, "bytes of the file", isDecibels ? "PSNR, decoded (dB)" : "error, decoded");
  for (const group of groups) {
    for (const run of group.runs) {
      const [cx, cy] = [xs.place(run.numbers.bytes), ys.place(yOf(run))];
      const dot = drawn("circle", { cx, cy, r: known.length > 200 ? 4 : 6, fill: group.colour });
      points.push({ run, cx, cy, dot });
      svg.append(dot);
    }
  }
}

/** Show the run whose dot is nearest to the pointer. */
function hover(event) {
  const svg = document.getElementById("scatter"), tip = document.getElementById("tip");
  const frame = svg.getBoundingClientRect(), scale = 960 / frame.width;
  const x = (event.clientX - frame.left) * scale, y = (event.clientY - frame.top) * scale;
  let nearest = null, least = 30 ** 2;
  for (const point of points) {
    point.dot.classList.remove("near");
    const distance = (point.cx - x) ** 2 + (point.cy - y) ** 2;
    if (distance < least) [nearest, least] = [point, distance];
  }
  tip.hidden = nearest === null;
  if (nearest === null) return;
  nearest.dot.classList.add("near");
  const { run } = nearest;
  const lines = [`${number(run.numbers.bytes)} bytes`, `error ${number(run.numbers.error)}`];
  if ("PSNR, dB" in run.numbers) lines.push(`${number(run.numbers["PSNR, dB"])} dB`);
  tip.replaceChildren(element("b", {}, run.name), element("br"), lines.join(", "));
  if (run.frame) tip.append(element("img", { src: run.frame, alt: "" }));
  tip.style.left = `${Math.min(nearest.cx / scale + 12, frame.width - 200)}px`;
  tip.style.top = `${nearest.cy / scale + 12}px`;
}

function median(sorted) {
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Least, median and largest value of a group at each epoch at which one of its runs has one. */
function summary(group, metric) {
  const rows = [];
  data.epochs.forEach((epoch, index) => {
    const values = group.runs
      .map((run) => (run.curves[metric] ?? [])[index])
      .filter((value) => value !== null && value !== undefined)
      .sort((a, b) => a - b);
    if (values.length) rows.push({ epoch, low: values[0], middle: median(values), high: values.at(-1) });
  });
  return { ...group, rows };
}

function drawCurves(some) {
  const svg = document.getElementById("curves");
  svg.replaceChildren();
  const metric = document.getElementById("curve-metric").value;
  const by = document.getElementById("curve-by").value;
  const groups = groupsOf(some, by).map((group) => summary(group, metric)).filter((g) => g.rows.length);
  key(document.getElementById("curve-key"), groups);
  if (!groups.length) { nothing(svg, "no run that is shown has this metric"); return; }
  const values = groups.flatMap((group) => group.rows.flatMap((row) => [row.low, row.high]));
  const isLog = document.getElementById("curve-log").checked && Math.min(...values) > 0;
  const xs = scaleOf(data.epochs, box.left, box.right, false);
  const ys = scaleOf(values, box.bottom, box.top, isLog);
  axes(svg, xs, ys, "epoch", metric.replaceAll("_", " "));
  const path = (rows, name) => rows.map((row) => `${xs.place(row.epoch).toFixed(1)},${ys.place(row[name]).toFixed(1)}`);
  for (const group of groups) {
    const outline = [...path(group.rows, "low"), ...path(group.rows, "high").reverse()];
    svg.append(drawn("polygon", { points: outline.join(" "), fill: group.colour, "fill-opacity": 0.16 }));
  }
  for (const group of groups) {
    const line = { points: path(group.rows, "middle").join(" "), fill: "none", stroke: group.colour, "stroke-width": 2.4 };
    svg.append(drawn("polyline", line));
  }
}
