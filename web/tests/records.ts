// What tests/test_web.py recorded of the Python code.

import { readFileSync } from "node:fs";
import { join } from "node:path";

const path = (name) => join(process.env.RECORDS, name);

export const records = (name) => JSON.parse(readFileSync(path(`${name}.json`), "utf8"));

// Rows of `size` 32-bit floats.
export function rows(name, size) {
  const bytes = readFileSync(path(`${name}.bin`));
  const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return Array.from({ length: values.length / size }, (_, row) => values.slice(row * size, (row + 1) * size));
}
