// What the page asks of app.py: another agent, and clips.

import tables from "./tables.ts";

const { body, video: V } = tables;
const MOST_POSES = Math.round(V.CLIP_SECONDS / (V.FRAME_EVERY * body.control_seconds));

// Keeps the last seconds of a robot's poses.
export class Recorder {
  #poses: Float32Array<ArrayBuffer>[] = [];
  #steps = 0;

  // Count a control step that led to MuJoCo's positions `qpos`.
  add(qpos: Float64Array): void {
    if (this.#steps++ % V.FRAME_EVERY) return;
    this.#poses.push(Float32Array.from(qpos));
    if (this.#poses.length > MOST_POSES) this.#poses.shift();
  }

  // The poses as an MP4, in a Blob.
  async clip(): Promise<Blob> {
    return (await post(`clips/${body.name}`, new Blob(this.#poses))).blob();
  }
}

// The folder of an agent, for ?agent=..., that is in a folder of the project or on the Hub.
export const findAgent = async (name: string) => (await post("agents", name)).text();

async function post(path: string, content: BodyInit): Promise<Response> {
  const response = await fetch(path, { method: "POST", body: content }).catch(() => {
    throw new Error("app.py does not answer: start it again");
  });
  if (!response.ok) throw new Error(await response.text());
  return response;
}
