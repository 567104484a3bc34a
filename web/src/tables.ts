// Constants that the page shares with the Python code. web/export.py writes them from agent/: those of the
// code, which are part of the page, and those of the agent and its robot.

import code from "../generated/tables.json" with { type: "json" };
import { agentText } from "./agents.ts";

export default { ...code, ...JSON.parse(await agentText("agent.json")) };
