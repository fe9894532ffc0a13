/** The replay page: a recorded run, without a server. */

import { Recording, type Recorded } from "./recording.ts";
import { Root } from "../dom.ts";
import { placeOf } from "../link.ts";
import { Page } from "../page.ts";
import { State } from "../state.ts";
import type { Message } from "../wire.ts";

// What only a server can answer is not offered.
for (const option of document.querySelectorAll("option.served, option.server")) option.remove();

const root = new Root(document, document.body);
const recorded = JSON.parse(root.element("script", "recorded").textContent ?? "") as Recorded;
const place = placeOf(location.hash);
const state = new State();
state.run = recorded.run;
state.isReplay = true;
state.shownEpoch = place.epoch;
const hear = (message: Message): void => page.hear(message);
const recording = new Recording(recorded, state, hear, () => page.folds.look());
const page = new Page(root, state, recording);
page.exposeTo(window);
void recording.open().then(() => {
  if (place.zoom > 1) page.folds.zoomTo(place.x, place.y, place.zoom);
});
