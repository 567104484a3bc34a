// The agents of the page, and which of them moves the robot: that of page?agent=FOLDER, or the first.

import { fetchBytes, fetchText } from "./files.ts";

const inNode = typeof process !== "undefined"; // for web/tests, which name the agent's folder in the environment

// {folder, agent, body, position} of each agent and robot; whether app.py serves the page.
export const { agents, server } = inNode ? {} : JSON.parse(await fetchText("agents.json"));
export const folder = inNode ? process.env.AGENT : chosenFolder();

function chosenFolder() {
  const wanted = new URLSearchParams(self.location.search).get("agent") ?? agents[0].folder;
  if (agents.some((each) => each.folder === wanted)) return wanted;
  throw new Error(`there is no agent ${wanted}. Take ?agent=... out of the address, or choose another`);
}

// Contents of a file of the agent.
export async function agentBytes(name, onProgress) {
  if (!inNode) return fetchBytes(`agents/${folder}/${name}`, onProgress);
  const { readFileSync } = await import("node:fs");
  return readFileSync(`${folder}/${name}`);
}

export const agentText = async (name) => new TextDecoder().decode(await agentBytes(name));
