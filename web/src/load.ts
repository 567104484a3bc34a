// A robot and its transformer, from the files of the page.

import loadMujoco from "@mujoco/mujoco";

import { agentBytes, agentText } from "./agents.ts";
import { fetchBytes } from "./files.ts";
import { loadModel, ort } from "./onnx.ts";
import { Physics } from "./physics.ts";
import { Transformer } from "./transformer.ts";

export async function load(): Promise<{ physics: Physics; transformer: Transformer }> {
  const [wasmBinary, xml, session] = await Promise.all([
    fetchBytes("mujoco.wasm.gz"),
    agentText("robot.xml"),
    loadModel(agentBytes("transformer.onnx"), 1),
  ]);
  return { physics: new Physics(await loadMujoco({ wasmBinary }), xml), transformer: new Transformer(ort, session) };
}
