// The language model in a thread of its own: see planner.ts.

import { agentBytes, agentText } from "./agents.ts";
import { LanguageModel } from "./language_model.ts";
import { loadModel, ort } from "./onnx.ts";
import tables from "./tables.ts";

async function load() {
  const onProgress = (bytes) => self.postMessage({ progress: bytes / tables.planner_bytes });
  const [session, settings, past] = await Promise.all([
    // One language model for all robots of an agent.
    loadModel(agentBytes("../planner.onnx", onProgress), navigator.hardwareConcurrency),
    agentText("../planner.json.gz"),
    agentBytes("../planner_past.bin"),
  ]);
  return new LanguageModel(ort, session, JSON.parse(settings), new Float32Array(past.buffer));
}

const loading = load();
loading.then(
  () => self.postMessage({ ready: true }),
  ({ message }) => self.postMessage({ error: message }),
);
self.onmessage = async ({ data: { number, sentence } }) => {
  const model = await loading;
  try {
    self.postMessage({ number, program: await model.read(sentence) });
  } catch ({ message }) {
    self.postMessage({ number, failed: message });
  }
};
