// A robot and its transformer, from the files of the page.

import loadMujoco from "@mujoco/mujoco";

import { agentBytes, agentText } from "./agents.js";
import { fetchBytes } from "./files.js";
import { loadModel, ort } from "./onnx.js";
import { Physics } from "./physics.js";
import { Transformer } from "./transformer.js";

export async function load() {
  const [wasmBinary, xml, session] = await Promise.all([
    fetchBytes("mujoco.wasm.gz"),
    agentText("robot.xml"),
    loadModel(agentBytes("transformer.onnx"), 1),
  ]);
  return { physics: new Physics(await loadMujoco({ wasmBinary }), xml), transformer: new Transformer(ort, session) };
}
