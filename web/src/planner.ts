// The page's side of the language model, which runs in a worker so that the robot never waits for it.

export class Planner {
  #waiting = new Map(); // number of a sentence -> what to do with its program, or without one
  #count = 0;

  // Loads the model; onProgress(share) is called while it comes.
  static load(onProgress) {
    const planner = new Planner();
    planner.worker = new Worker(`planner_worker.js${location.search}`, { type: "module" });
    return new Promise((resolve, reject) => {
      planner.worker.onerror = ({ message }) => reject(new Error(message));
      planner.worker.onmessage = ({ data }) => {
        if ("progress" in data) onProgress(data.progress);
        else if (data.ready) resolve(planner);
        else if (data.error) reject(new Error(data.error));
        else planner.#answer(data);
      };
    });
  }

  // The readable program that a sentence asks for.
  read(sentence) {
    const number = this.#count++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.worker.postMessage({ number, sentence });
    });
  }

  #answer({ number, program, failed }) {
    const { resolve, reject } = this.#waiting.get(number);
    if (failed === undefined) resolve(program);
    else reject(new Error(failed));
    this.#waiting.delete(number);
  }
}
