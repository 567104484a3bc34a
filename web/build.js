// Bundles the page into dist/: node build.js

import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const RUNTIME = "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded";
const zipped = (name) => gzipSync(readFileSync(name), { level: 9 });

process.chdir(import.meta.dirname);
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
await build({
  absWorkingDir: import.meta.dirname, // esbuild keeps the folder in which node was started
  entryPoints: ["src/page.js", "src/planner_worker.js"],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["onnxruntime-web-use-extern-wasm"],
  external: ["module", "node:*", "fs", "path", "url", "worker_threads"], // of code that only runs in node
});
for (const name of [
  "index.html",
  "page.css",
  "generated/humanoid.xml",
  "generated/transformer.onnx",
  `${RUNTIME}.mjs`,
]) {
  cpSync(name, `dist/${name.split("/").at(-1)}`);
}
cpSync("card.md", "dist/README.md");
writeFileSync("dist/ort-wasm-simd-threaded.wasm.gz", zipped(`${RUNTIME}.wasm`));
writeFileSync("dist/mujoco.wasm.gz", zipped("node_modules/@mujoco/mujoco/mujoco.wasm"));
if (existsSync("generated/planner.onnx")) {
  for (const name of ["planner.onnx", "planner_past.bin"]) cpSync(`generated/${name}`, `dist/${name}`);
  writeFileSync("dist/planner.json.gz", zipped("generated/planner.json"));
}
for (const name of readdirSync("dist"))
  console.log(`${(statSync(`dist/${name}`).size / 1e6).toFixed(2).padStart(8)} MB  ${name}`);
