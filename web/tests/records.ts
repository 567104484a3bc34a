// What tests/test_web.py recorded of the Python code.

import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Records {
  programs: { text: string; tokens: string; spoken: string; reason: string }[];
  goals: { text: string; tokens: string; command: number[] | null }[];
  tracks: { program: string; commands: number[][]; reached: number[] }[]; // of each step
  motions: { goal: string; qpos: number[]; qvel: number[]; actions: number[][]; observations: number[][] }[];
  sentences: { text: string; ids: number[] }[];
  answers: { text: string; ids: number[] }[];
  readings: { text: string; tokens: string }[];
}

const folder = process.env.RECORDS;
if (!folder) throw new Error("the environment variable RECORDS does not name a folder");
const path = (name: string) => join(folder, name);

export function records<Name extends keyof Records>(name: Name): Records[Name] {
  return JSON.parse(readFileSync(path(`${name}.json`), "utf8"));
}

// Rows of `size` 32-bit floats.
export function rows(name: string, size: number): Float32Array[] {
  const bytes = readFileSync(path(`${name}.bin`));
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return Array.from({ length: values.length / size }, (_, row) => values.slice(row * size, (row + 1) * size));
}
