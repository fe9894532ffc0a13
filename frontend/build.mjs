/** Bundles the page into the folder that is the first argument. */

import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const folder = process.argv[2];
if (folder === undefined) throw new Error("Usage: node build.mjs FOLDER");
await mkdir(folder, { recursive: true });
const common = { bundle: true, minify: true, target: "es2022", legalComments: "eof", logLevel: "warning" };
await build({ ...common, entryPoints: ["src/main.ts"], outfile: join(folder, "studio.js"), format: "esm" });
await build({ ...common, entryPoints: ["src/replay/main.ts"], outfile: join(folder, "replay.js"), format: "iife" });
await build({ ...common, entryPoints: ["src/studio.css"], outfile: join(folder, "studio.css") });
// A notebook gets one file: its style and its elements are texts within the script.
await build({
  ...common,
  entryPoints: ["src/notebook/main.ts"],
  outfile: join(folder, "widget.js"),
  format: "esm",
  loader: { ".html": "text" },
  define: { STYLE: JSON.stringify(await readFile(join(folder, "studio.css"), "utf8")) },
});
await copyFile("src/index.html", join(folder, "index.html"));
