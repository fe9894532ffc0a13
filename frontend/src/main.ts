/** The live page: connects to the server. */

import { Connection } from "./connection.ts";
import { Root, setText } from "./dom.ts";
import { fragmentOf, placeOf, type Place } from "./link.ts";
import { Page } from "./page.ts";
import { RunList } from "./runs/run_list.ts";
import { Controls } from "./settings/controls.ts";
import { State } from "./state.ts";
import { followDrops } from "./target/drop.ts";
import { clearing } from "./told.ts";

const TOKEN = "bitfold-token";

/** Take token and run from the fragment of the URL, which no request ever holds. */
function fromFragment(): { readonly token: string; readonly place: Place } {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token") ?? sessionStorage.getItem(TOKEN) ?? "";
  sessionStorage.setItem(TOKEN, token);
  const place = placeOf(location.hash);
  history.replaceState(null, "", place.run === "" ? location.pathname : fragmentOf(place));
  return { token, place };
}

const { token, place } = fromFragment();
const root = new Root(document, document.body);
const state = new State();
state.run = place.run;
state.shownEpoch = place.epoch;
const connection = new Connection(token, (message) => page.hear(message), (isConnected) => {
  state.isConnected = isConnected;
  setText(root.element("span", "connection"), isConnected ? "" : "not connected, trying again");
  state.changed("connection");
  if (isConnected && state.run !== "") connection.send({ kind: "open", run: state.run });
}, (reason) => {
  setText(root.element("span", "connection"), "not connected");
  state.say(reason, true);
});
const link = clearing(connection, state);
const page = new Page(root, state, link);
new Controls(root, state, link);
new RunList(root, state, link, (run) => page.choose(run));
followDrops(root, state, link, token);
if (place.zoom > 1) page.folds.zoomTo(place.x, place.y, place.zoom);
page.exposeTo(window);
connection.open();
