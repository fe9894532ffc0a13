/** Elements of the page, by their ids; a missing one is a fault of the page. */

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  id: string,
): HTMLElementTagNameMap[K] {
  const found = document.getElementById(id);
  if (found === null || found.tagName.toLowerCase() !== tag) {
    throw new Error(`The page has no <${tag} id="${id}">.`);
  }
  return found as HTMLElementTagNameMap[K];
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
