/** Bundles the page into the folder that is the first argument. */

import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const folder = process.argv[2];
if (folder === undefined) throw new Error("Usage: node build.mjs FOLDER");
await mkdir(folder, { recursive: true });
const common = { bundle: true, minify: true, target: "es2022", legalComments: "eof", logLevel: "warning" };
await build({ ...common, entryPoints: ["src/main.ts"], outfile: join(folder, "studio.js"), format: "esm" });
await build({ ...common, entryPoints: ["src/replay/main.ts"], outfile: join(folder, "replay.js"), format: "iife" });
await build({ ...common, entryPoints: ["src/studio.css"], outfile: join(folder, "studio.css") });
await copyFile("src/index.html", join(folder, "index.html"));
