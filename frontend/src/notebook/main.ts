/** The widget of notebooks: the page's views, in a part of the notebook, by anywidget. */

import html from "../index.html";
import { Root, setText } from "../dom.ts";
import { Page } from "../page.ts";
import { Controls } from "../settings/controls.ts";
import { State } from "../state.ts";
import { clearing } from "../told.ts";
import { Playback } from "../time/playback.ts";
import { VERSION, type Message } from "../wire.ts";
import type { Command, Link } from "../connection.ts";
import { ModelLink, type Model } from "./model_link.ts";
import { followTheme } from "./theme.ts";

const LOST = "The kernel that made this widget has ended. Run its cell again.";

/** What the views of each kind of widget leave out; see studio.css. */
const CLASSES: Readonly<Record<string, readonly string[]>> = {
  session: [],
  run: ["replay"],
  partition: ["replay", "partition"],
};

/** Make the elements of the page within an element of the notebook. */
function makeRoot(el: HTMLElement, closed: AbortSignal): Root {
  const host = document.createElement("div");
  // JupyterLab takes keys as commands elsewhere.
  host.dataset["lmSuppressShortcuts"] = "true";
  el.append(host);
  const shadow = host.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = STYLE;
  const page = new DOMParser().parseFromString(html, "text/html");
  const body = document.createElement("div");
  body.className = `${page.body.className} widget`;
  body.append(...page.body.childNodes);
  shadow.append(style, body);
  for (const option of shadow.querySelectorAll("option.server")) option.remove();
  followTheme(el, body, closed);
  return new Root(shadow, body, closed);
}

function render({ model, el }: { readonly model: Model; readonly el: HTMLElement }): () => void {
  const closing = new AbortController();
  const root = makeRoot(el, closing.signal);
  const state = new State();
  let playback: Playback | null = null;
  const wire = new ModelLink(model, (message) => hear(message), closing.signal, () => {
    setText(root.element("span", "connection"), "not connected");
    state.say(LOST, true);
  });
  const link: Link = {
    send(command: Command): void {
      if (playback?.obey(command.kind, command["epochs_per_second"]) !== true) wire.send(command);
    },
  };
  const told = clearing(link, state);
  const page = new Page(root, state, told);
  new Controls(root, state, told);
  page.exposeTo(el);

  const begin = (facts: Message["facts"]): void => {
    const shows = String(facts["shows"]);
    root.body.classList.add(...(CLASSES[shows] ?? []));
    for (const option of root.node.querySelectorAll(`.${shows} option.of-run`)) option.remove();
    state.run = String(facts["run"]);
    state.isReplay = shows !== "session";
    if (state.isReplay) playback = new Playback(state, () => page.folds.look(), closing.signal);
    state.isConnected = true;
    setText(root.element("span", "connection"), "");
    wire.send({ kind: "open", run: state.run });
  };
  let hasBegun = false;
  const hear = (message: Message): void => {
    // The answer to another view of this widget comes here too.
    if (message.kind === "hello" && hasBegun) return;
    if (message.kind === "hello") {
      hasBegun = true;
      begin(message.facts);
    }
    page.hear(message);
    if (message.kind === "hello") state.changed("run");
  };
  wire.send({ kind: "hello", token: "", version: VERSION });
  return () => {
    closing.abort();
    el.replaceChildren();
  };
}

export default { render };
