"use strict";
// The runs of the page, which are shown, and in which order.

const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs;
const numberNames = [...new Set(runs.flatMap((run) => Object.keys(run.numbers)))];
const metricNames = [...new Set(runs.flatMap((run) => Object.keys(run.curves)))];
// Okabe and Ito (2008), as in the frames; the last one stands for all further groups.
const colours = [
  "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#a08a00", "#7a5195",
  "#8c8a84",
];
const mostValues = 60;
const state = { text: "", chosen: new Map(), sort: "", isDown: false };

/** A setting's value as a person reads it. */
function shown(value) {
  if (value === null || value === undefined) return "default";
  if (typeof value === "number") return String(Number(value.toPrecision(5)));
  return String(value);
}

function number(value) {
  if (value === null || value === undefined) return "";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
}

function settingOf(run, name) {
  return run.settings[data.settings.indexOf(name)];
}

/** The distinct values of a setting: numbers by size, words as they come. */
function valuesOf(name) {
  const found = [...new Set(runs.map((run) => settingOf(run, name)))];
  return found.every((one) => typeof one === "number") ? found.sort((a, b) => a - b) : found;
}

/** What a column sorts and searches by. */
function valueOf(run, column) {
  if (column === "run") return run.name;
  if (column === "status") return run.status;
  if (data.settings.includes(column)) return settingOf(run, column);
  return run.numbers[column];
}

function isShown(run) {
  for (const [name, value] of state.chosen) {
    if (shown(name === "status" ? run.status : settingOf(run, name)) !== value) return false;
  }
  const text = `${run.name} ${run.status} ${run.reason}`.toLowerCase();
  return state.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** The runs that are shown, in the order of the table. */
function visibleRuns() {
  const found = runs.filter(isShown);
  if (!state.sort) return found;
  const sign = state.isDown ? -1 : 1;
  return found.sort((one, other) => {
    const [a, b] = [valueOf(one, state.sort), valueOf(other, state.sort)];
    const [isNoA, isNoB] = [a === null || a === undefined, b === null || b === undefined];
    if (isNoA || isNoB) return Number(isNoA) - Number(isNoB);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  });
}

/** Groups of runs by a setting, with a colour each; all in one group without a setting. */
function groupsOf(some, name) {
  if (!name) return [{ label: "all runs", colour: colours[0], runs: some }];
  return valuesOf(name)
    .map((value, index) => ({
      label: `${name} ${shown(value)}`,
      colour: colours[Math.min(index, colours.length - 1)],
      runs: some.filter((run) => settingOf(run, name) === value),
    }))
    .filter((group) => group.runs.length > 0);
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}
