// The agents of the page, and which of them moves the robot: that of page?agent=FOLDER, or the first.

import { type OnProgress, fetchBytes, fetchText } from "./files.ts";

const inNode = typeof process !== "undefined"; // for web/tests, which name the agent's folder in the environment

// One robot of an agent.
interface AgentEntry {
  folder: string; // of agents/
  agent: string;
  body: string;
  position: number; // of the robot among those of its agent
}

// agents.json
export interface Manifest {
  agents: AgentEntry[];
  server: boolean; // whether app.py serves the page
}

const manifest: Manifest = inNode ? { agents: [], server: false } : JSON.parse(await fetchText("agents.json"));
export const { agents, server } = manifest;
export const folder = inNode ? (process.env.AGENT ?? "") : chosenFolder();

function chosenFolder(): string {
  const wanted = new URLSearchParams(self.location.search).get("agent") ?? agents[0].folder;
  if (agents.some((each) => each.folder === wanted)) return wanted;
  throw new Error(`there is no agent ${wanted}. Take ?agent=... out of the address, or choose another`);
}

// Contents of a file of the agent.
export async function agentBytes(name: string, onProgress?: OnProgress): Promise<Uint8Array<ArrayBuffer>> {
  if (!inNode) return fetchBytes(`agents/${folder}/${name}`, onProgress);
  const { readFileSync } = await import("node:fs");
  return readFileSync(`${folder}/${name}`);
}

export const agentText = async (name: string) => new TextDecoder().decode(await agentBytes(name));
