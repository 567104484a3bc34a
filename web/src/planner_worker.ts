// The language model in a thread of its own: see planner.ts.

import { agentBytes, agentText } from "./agents.ts";
import { LanguageModel, type PlannerSettings } from "./language_model.ts";
import { loadModel, ort } from "./onnx.ts";
import type { Message, Question } from "./planner.ts";
import tables from "./tables.ts";

const tell = (message: Message) => self.postMessage(message);
// onnxruntime also throws numbers: https://github.com/microsoft/onnxruntime/issues/17964
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function load(): Promise<LanguageModel> {
  const onProgress = (bytes: number) => tell({ progress: bytes / tables.planner_bytes });
  const [session, json, past] = await Promise.all([
    // One language model for all robots of an agent.
    loadModel(agentBytes("../planner.onnx", onProgress), navigator.hardwareConcurrency),
    agentText("../planner.json.gz"),
    agentBytes("../planner_past.bin"),
  ]);
  const settings: PlannerSettings = JSON.parse(json);
  return new LanguageModel(ort, session, settings, new Float32Array(past.buffer));
}

const loading = load();
loading.then(
  () => tell({ ready: true }),
  (error: unknown) => tell({ error: messageOf(error) }),
);
self.onmessage = async ({ data: { number, sentence } }: MessageEvent<Question>) => {
  const model = await loading;
  try {
    tell({ number, program: await model.read(sentence) });
  } catch (error) {
    tell({ number, failed: messageOf(error) });
  }
};
