// onnxruntime's WebAssembly build, and models in it.

import * as ort from "onnxruntime-web/wasm";

import { fetchBytes } from "./files.ts";

export { ort };

// A session of a model, given a promise of its bytes; threads beyond one need a page that is isolated from other origins.
export async function loadModel(bytes: Promise<Uint8Array>, threads: number): Promise<ort.InferenceSession> {
  const [runtime, model] = await Promise.all([fetchBytes("ort-wasm-simd-threaded.wasm.gz"), bytes]);
  ort.env.wasm.wasmBinary = runtime;
  ort.env.wasm.wasmPaths = { mjs: new URL("ort-wasm-simd-threaded.mjs", self.location.href).href };
  ort.env.wasm.numThreads = self.crossOriginIsolated ? threads : 1;
  return ort.InferenceSession.create(model);
}
