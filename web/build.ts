// Bundles the page into dist/, with the agents that export.py wrote into generated/: node build.ts

import { cpSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

import type { Manifest } from "./src/agents.ts";
import type { AgentTables } from "./src/tables.ts";

const RUNTIME = "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded";
const zipped = (name: string) => gzipSync(readFileSync(name), { level: 9 });

process.chdir(import.meta.dirname);
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
await build({
  absWorkingDir: import.meta.dirname, // esbuild keeps the folder in which node was started
  entryPoints: ["src/start.ts", "src/planner_worker.ts", "src/suite.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true, // what several of them need is in a file of its own
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["onnxruntime-web-use-extern-wasm"],
  external: ["module", "node:*", "fs", "path", "url", "worker_threads"], // of code that only runs in node
});
for (const name of ["index.html", "page.css", `${RUNTIME}.mjs`]) cpSync(name, `dist/${name.split("/").at(-1)}`);
cpSync("card.md", "dist/README.md");
writeFileSync("dist/ort-wasm-simd-threaded.wasm.gz", zipped(`${RUNTIME}.wasm`));
writeFileSync("dist/mujoco.wasm.gz", zipped("node_modules/@mujoco/mujoco/mujoco.wasm"));
cpSync("generated/agents", "dist/agents", { recursive: true });
const agents = globSync("dist/agents/*/*/agent.json").map((path) => {
  const { agent, body, position }: AgentTables = JSON.parse(readFileSync(path, "utf8"));
  return { folder: relative("dist/agents", dirname(path)), agent, body: body.name, position };
});
agents.sort((one, other) => one.agent.localeCompare(other.agent) || one.position - other.position);
const manifest: Manifest = { server: false, agents };
writeFileSync("dist/agents.json", JSON.stringify(manifest));
for (const path of globSync("dist/**").filter((path) => statSync(path).isFile()))
  console.log(`${(statSync(path).size / 1e6).toFixed(2).padStart(8)} MB  ${relative("dist", path)}`);
