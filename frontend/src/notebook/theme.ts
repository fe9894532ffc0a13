/** Light or dark, as the notebook is: each program has its own way to say so, but all have text. */

import { THEME } from "../dom.ts";

/** Attributes by which notebooks switch their themes. */
const SWITCHES = ["class", "style", "theme", "data-theme", "data-jp-theme-name", "data-vscode-theme-kind"];
const HALF = 128;

/** Whether a colour of text, such as `rgb(30, 30, 34)`, is made for a dark background. */
export function isForDark(colour: string): boolean {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > HALF;
}

/** Give the page the theme that the text around it has, now and whenever that changes. */
export function followTheme(outside: HTMLElement, body: HTMLElement, closed: AbortSignal): void {
  const follow = (): void => {
    const theme = isForDark(getComputedStyle(outside).color) ? "dark" : "light";
    if (body.dataset["theme"] === theme) return;
    body.dataset["theme"] = theme;
    body.dispatchEvent(new Event(THEME));
  };
  const observer = new MutationObserver(follow);
  for (const one of [document.documentElement, document.body]) {
    observer.observe(one, { attributes: true, attributeFilter: SWITCHES });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", follow, { signal: closed });
  closed.addEventListener("abort", () => observer.disconnect());
  follow();
}
