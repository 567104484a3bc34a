// The page's side of the language model, which runs in a worker so that the robot never waits for it.

// What the worker is asked: the program of a sentence.
export interface Question {
  number: number;
  sentence: string;
}

type Answer = { number: number; program: string } | { number: number; failed: string };

// What the worker says. `error`: the model cannot be loaded.
export type Message = { progress: number } | { ready: true } | { error: string } | Answer;

interface Waiting {
  resolve: (program: string) => void;
  reject: (error: Error) => void;
}

export class Planner {
  readonly worker: Worker;
  #waiting = new Map<number, Waiting>(); // by the number of the sentence
  #count = 0;

  constructor(worker: Worker) {
    this.worker = worker;
  }

  // Loads the model; onProgress(share) is called while it comes.
  static load(onProgress: (share: number) => void): Promise<Planner> {
    const planner = new Planner(new Worker(`planner_worker.js${location.search}`, { type: "module" }));
    return new Promise((resolve, reject) => {
      planner.worker.onerror = ({ message }) => reject(new Error(message));
      planner.worker.onmessage = ({ data }: MessageEvent<Message>) => {
        if ("progress" in data) onProgress(data.progress);
        else if ("ready" in data) resolve(planner);
        else if ("error" in data) reject(new Error(data.error));
        else planner.#answer(data);
      };
    });
  }

  // The readable program that a sentence asks for.
  read(sentence: string): Promise<string> {
    const question: Question = { number: this.#count++, sentence };
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.number, { resolve, reject });
      this.worker.postMessage(question);
    });
  }

  #answer(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number);
    if ("program" in answer) waiting?.resolve(answer.program);
    else waiting?.reject(new Error(answer.failed));
    this.#waiting.delete(answer.number);
  }
}
