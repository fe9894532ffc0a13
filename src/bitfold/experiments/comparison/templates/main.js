// Filters, the table, the folds, and what happens on a change.

const atATime = { runs: 100, folds: 48 };
let limits = { ...atATime };

function options(select, values, chosen) {
  select.replaceChildren(...values.map(([value, label]) =>
    element("option", { value, selected: value === chosen }, label)));
}

function buildFilters() {
  const form = document.getElementById("filters");
  const search = element("input", { type: "search", placeholder: "words in name or reason" });
  search.addEventListener("input", () => { state.text = search.value; update(); });
  form.append(element("label", {}, "Search", search));
  const status = [...new Set(runs.map((run) => run.status))];
  const filters = data.settings.map((name) => [name, valuesOf(name).map(shown)]);
  if (status.length > 1) filters.push(["status", status]);
  for (const [name, values] of filters) {
    if (values.length < 2 || values.length > mostValues) continue;
    const select = element("select");
    options(select, [["", "all"], ...values.map((value, index) => [String(index + 1), value])], "");
    select.addEventListener("change", () => {
      if (select.value) state.chosen.set(name, values[Number(select.value) - 1]);
      else state.chosen.delete(name);
      update();
    });
    form.append(element("label", {}, name, select));
  }
  form.addEventListener("submit", (event) => event.preventDefault());
}

function columns() {
  return ["run", ...data.settings, ...numberNames, "status"];
}

function buildHead() {
  const cells = columns().map((name) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      state.isDown = state.sort === name && !state.isDown;
      state.sort = name;
      update();
    });
    const cell = element("th", { scope: "col", className: name === "run" ? "text" : "" }, button);
    cell.dataset.column = name;
    return cell;
  });
  const row = element("tr", {}, element("th", { scope: "col" }, "folds"), ...cells);
  document.querySelector("#runs thead").append(row);
}

function row(run) {
  const picture = element("td");
  if (run.frame) picture.append(element("img", { src: run.frame, alt: `folds of ${run.name}` }));
  const settings = run.settings.map((value) => element("td", {}, shown(value)));
  const numbers = numberNames.map((name) => element("td", {}, number(run.numbers[name])));
  const status = element("td", {}, run.reason ? `${run.status}: ${run.reason}` : run.status);
  if (run.reason) status.className = "reason";
  return element("tr", {}, picture, element("td", { className: "text" }, run.name), ...settings, ...numbers, status);
}

function drawTable(some) {
  for (const cell of document.querySelectorAll("#runs th[data-column]")) {
    const isSorted = cell.dataset.column === state.sort;
    const order = state.isDown ? "descending" : "ascending";
    cell.setAttribute("aria-sort", isSorted ? order : "none");
    cell.firstChild.textContent = cell.dataset.column + (isSorted ? (state.isDown ? " ▾" : " ▴") : "");
  }
  document.querySelector("#runs tbody").replaceChildren(...some.slice(0, limits.runs).map(row));
  document.getElementById("more-runs").hidden = some.length <= limits.runs;
}

function fold(run) {
  const picture = run.frame
    ? element("img", { src: run.frame, alt: `folds of ${run.name}` })
    : element("div", { className: "none" }, "no picture");
  const facts = [run.numbers.bytes && `${number(run.numbers.bytes)} bytes`,
    run.numbers["PSNR, dB"] && `${number(run.numbers["PSNR, dB"])} dB`].filter(Boolean);
  return element("figure", {}, picture, element("figcaption", {}, [run.name, ...facts].join(", ")));
}

function drawFolds(some) {
  document.getElementById("folds").replaceChildren(...some.slice(0, limits.folds).map(fold));
  document.getElementById("more-folds").hidden = some.length <= limits.folds;
}

function update() {
  limits = { ...atATime };
  const some = visibleRuns();
  document.getElementById("shown").textContent = `${some.length.toLocaleString("en")} of ${runs.length.toLocaleString("en")} runs`;
  drawScatter(some);
  drawCurves(some);
  drawTable(some);
  drawFolds(some);
}

function start() {
  const several = data.settings.filter((name) => valuesOf(name).length > 1);
  const groups = [["", "nothing"], ...several.map((name) => [name, name])];
  const first = several.find((name) => name !== "seed" && valuesOf(name).length <= colours.length) ?? "";
  options(document.getElementById("scatter-by"), groups, first);
  options(document.getElementById("curve-by"), groups, first);
  options(document.getElementById("curve-metric"), metricNames.map((name) => [name, name.replaceAll("_", " ")]), "validation_loss");
  document.getElementById("curve-log").checked = true;
  buildFilters();
  buildHead();
  for (const name of ["scatter-by", "curve-by", "curve-metric", "curve-log"]) {
    document.getElementById(name).addEventListener("change", update);
  }
  const scatter = document.getElementById("scatter");
  scatter.addEventListener("pointermove", hover);
  scatter.addEventListener("pointerleave", () => { document.getElementById("tip").hidden = true; });
  for (const [name, draw] of [["runs", drawTable], ["folds", drawFolds]]) {
    document.getElementById(`more-${name}`).addEventListener("click", () => {
      limits[name] += atATime[name];
      draw(visibleRuns());
    });
  }
  update();
}

start();
