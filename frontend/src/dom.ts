/** Elements of the page, by their ids; a missing one is a fault of the page. */

/** Sent to the body of a page in a notebook, whose theme is not that of the browser. */
export const THEME = "theme";

/** Where a page lives: in a document of its own, or in a part of a notebook. */
export class Root {
  /** Aborted when the page goes away: what it has begun ends then. */
  readonly closed: AbortSignal;

  constructor(
    readonly node: Document | ShadowRoot,
    /** Has the classes of the page, and its colours. */
    readonly body: HTMLElement,
    closed: AbortSignal = new AbortController().signal,
  ) {
    this.closed = closed;
  }

  element<K extends keyof HTMLElementTagNameMap>(tag: K, id: string): HTMLElementTagNameMap[K] {
    const found = this.node.getElementById(id);
    if (found === null || found.tagName.toLowerCase() !== tag) {
      throw new Error(`The page has no <${tag} id="${id}">.`);
    }
    return found as HTMLElementTagNameMap[K];
  }

  /** Do something whenever light becomes dark, or dark light. */
  onTheme(does: () => void): void {
    const options = { signal: this.closed };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", does, options);
    this.body.addEventListener(THEME, does, options);
  }

  /** A colour of the style, such as `--muted`. */
  colour(name: string): string {
    return getComputedStyle(this.body).getPropertyValue(name).trim();
  }
}

/** Whether a key is pressed with another one that makes it a command of the browser, such as to zoom the page. */
export function isOfBrowser(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.metaKey || event.altKey;
}

/** Make an element with a text. Text is never markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text = "",
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Set a text only if it changed, which keeps selections and screen readers calm. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
