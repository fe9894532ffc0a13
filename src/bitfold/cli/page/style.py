"""How a report looks: light or dark as its reader has it, and on paper."""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --ink: #1e1e22; --muted: #666562; --rule: #acaaa4; --line: #e4e2dc; --accent: #0072b2;
  --paper: #f7f6f3; --card: #ffffff; --good: #007a58; --warn: #a84a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #ececea; --muted: #a9a8a3; --rule: #6d6c68; --line: #33333a; --accent: #56b4e9;
    --paper: #17171a; --card: #1f1f24; --good: #3fd0a4; --warn: #f0a35e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
}
main { max-width: 1060px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 48px 0 12px; }
p { max-width: 74ch; margin: 8px 0; }
.muted, figcaption, .note { color: var(--muted); }
.note { font-size: 14px; max-width: 96ch; }
section.card, .cards > div {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
}
section.card { padding: 20px 24px; overflow-x: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 14px;
  margin: 24px 0; }
.cards > div { padding: 14px 18px; }
.cards b { display: block; font-size: 28px; line-height: 1.25; font-weight: 650; }
.cards span { font-size: 14px; color: var(--muted); }
.pictures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 14px; margin: 0; }
figure { margin: 0; }
figcaption { font-size: 14px; margin-top: 6px; }
img { max-width: 100%; height: auto; border-radius: 6px; display: block; }
.pictures img { width: 100%; }
svg { width: 100%; min-width: 640px; height: auto; display: block; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; color: var(--muted); vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.text, th.text { text-align: left; }
td.wide { white-space: normal; text-align: left; color: var(--muted); min-width: 18em; }
tr.total td, tr.own td { font-weight: 650; }
tr.own td { color: var(--accent); }
tr:last-child td { border-bottom: 0; }
td.bar { width: 18%; min-width: 90px; }
td.bar i, .stack i { display: block; height: 11px; border-radius: 3px; background: var(--rule); }
tr.own td.bar i { background: var(--accent); }
.stack { display: flex; gap: 2px; margin: 4px 0 8px; }
.stack i { height: 22px; min-width: 1px; }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 16px; padding: 0;
  list-style: none; font-size: 14px; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
.c0 { background: #0072b2 !important; } .c1 { background: #d55e00 !important; }
.c2 { background: #009e73 !important; } .c3 { background: #cc79a7 !important; }
.c4 { background: #8c8a84 !important; }
.verdict { font-size: 18px; }
.formula { font-size: 18px; margin: 16px 0; font-family: ui-serif, Georgia, "DejaVu Serif", serif; }
.yes { color: var(--good); } .no { color: var(--warn); }
code, pre { font: 14px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; margin: 8px 0; }
li { max-width: 74ch; margin: 6px 0; }
footer { margin-top: 56px; font-size: 14px; color: var(--muted); }
@media (max-width: 640px) { .pictures { grid-template-columns: 1fr; } }
@media print {
  body { background: none; } h2 { break-after: avoid; } section { break-inside: avoid; }
}
"""
