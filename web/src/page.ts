// The page: what is typed and clicked goes to the robot, and what the robot does is shown.

import { agents, folder, server } from "./agents.ts";
import { Curves } from "./curves.ts";
import { FlatScene } from "./flat_scene.ts";
import { type Goal, PlaceGoal, type Posture, said, skillGoal } from "./goals.ts";
import { load } from "./load.ts";
import type { Physics } from "./physics.ts";
import { Planner } from "./planner.ts";
import { type Program, parse } from "./program.ts";
import { Robot, type RobotEvent } from "./robot.ts";
import { Scene } from "./scene.ts";
import { Recorder, findAgent } from "./server.ts";
import tables from "./tables.ts";
import type { View } from "./view.ts";

const { goals: G, body } = tables;
const SHOVE = 0.5; // m/s
const DIRECTIONS = ["forward", "to its left", "backward", "to its right"];
const LONGEST_FRAME = 0.1; // s; a longer delay behind real time is not caught up
const REPORT = 1; // s from one report of the pace to the next
const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i; // names of drivers that draw without a graphics card
const SAY = "say"; // in the address: page#say=turn%20around

const nextFrame = () => new Promise<number>(requestAnimationFrame);

// The page, with a robot that stands.
export async function openPage(): Promise<Page> {
  const { physics, transformer } = await load();
  return new Page(new Robot(physics, transformer), physics);
}

class Page {
  readonly robot: Robot;
  readonly physics: Physics;
  readonly curves: Curves;
  readonly scene: View;
  #planner: Planner | null = null;
  #recorder = new Recorder();
  #pending = ""; // a sentence that waits for the language model
  #shown: { goals: Goal[]; reached: number } = { goals: [], reached: 0 };

  constructor(robot: Robot, physics: Physics) {
    this.robot = robot;
    this.physics = physics;
    this.curves = new Curves([...$("curves", HTMLTableElement).tBodies[0].rows]);
    const Drawing = hasGraphicsCard() ? Scene : FlatScene;
    this.scene = new Drawing($("picture", HTMLCanvasElement), physics, (x, y) => this.#goTo(x, y));
    robot.onEvent = (event) => this.#report(event);
    this.#fillIn();
    this.#listen();
    this.#tell("Ready. Tell it what to do.");
  }

  // Steps and frames in real time, for as long as the page is open.
  async run(): Promise<void> {
    let [before, due, since, frames, start] = [
      performance.now(),
      this.robot.seconds,
      performance.now(),
      0,
      this.robot.seconds,
    ];
    for (;;) {
      const now = await nextFrame();
      due += Math.min((now - before) / 1000, LONGEST_FRAME);
      before = now;
      while (this.robot.seconds + body.control_seconds <= due) {
        await this.robot.step();
        if (server) this.#recorder.add(this.physics.data.qpos);
      }
      this.scene.draw();
      this.curves.add(this.robot);
      this.#showProgram();
      frames += 1;
      const seconds = (now - since) / 1000;
      if (seconds < REPORT) continue;
      this.#showPace(frames / seconds, (this.robot.seconds - start) / seconds);
      [since, frames, start] = [now, 0, this.robot.seconds];
    }
  }

  // Does what the address asks for.
  followLink(): void {
    const sentence = new URLSearchParams(location.hash.slice(1)).get(SAY);
    if (!tables.planner_bytes || !sentence) return;
    $("said", HTMLInputElement).value = sentence;
    this.#say(sentence);
  }

  async #say(sentence: string): Promise<void> {
    if (!this.#planner) {
      this.#pending = sentence;
      this.#tell("Load the language model: it reads instructions, and will then read this one.", true);
      $("load").focus();
      return;
    }
    this.#tell("Reading.");
    let program;
    try {
      program = await this.#planner.read(sentence);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#tell(`The language model failed: ${error.message}.`, true);
      return;
    }
    this.#pursue(parse(program));
  }

  async #load(): Promise<void> {
    const [load, loading] = [$("load", HTMLButtonElement), $("loading", HTMLProgressElement)];
    load.disabled = true;
    loading.hidden = false;
    try {
      this.#planner = await Planner.load((share) => (loading.value = share));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      load.disabled = false;
      this.#tell(`The language model cannot be loaded: ${error.message}.`, true);
      return;
    }
    $("model").hidden = true;
    this.#tell("The language model is loaded.");
    if (this.#pending) this.#say(this.#pending);
    this.#pending = "";
  }

  #pursue({ goals, refusal, reason }: Program): void {
    if (refusal) {
      this.#tell(`Refused: ${reason}.`, true);
      return;
    }
    this.robot.pursue(goals);
    this.scene.mark(null);
    this.#tell("Understood.");
  }

  #goTo(x: number, y: number): void {
    const [ahead, left] = this.robot.seenFromBody(x, y);
    const farthest = Number(G.AMOUNTS.place.at(-1));
    if (Math.max(Math.abs(ahead), Math.abs(left)) > farthest) {
      this.#tell(`That is too far: click within ${farthest} meters of the robot.`, true);
      return;
    }
    this.#pursue({ goals: [new PlaceGoal(ahead, left, choice("speed"), this.#posture).onGrid()], refusal: null });
    this.scene.mark([x, y]);
  }

  #pick(name: string): void {
    this.#ask("Loading the agent. Its language model is converted first, which takes a while.", async () => {
      show(await findAgent(name));
      return "The agent is loaded.";
    });
  }

  #film(): void {
    $("clip").hidden = true;
    this.#ask("Drawing the clip.", async () => {
      Object.assign($("clip"), { href: URL.createObjectURL(await this.#recorder.clip()), hidden: false });
      return "The clip is ready.";
    });
  }

  // Show a request to the server, send it, and show the result.
  async #ask(words: string, action: () => Promise<string>): Promise<void> {
    const buttons = document.querySelectorAll<HTMLButtonElement>("#server button");
    buttons.forEach((button) => (button.disabled = true));
    $("answer").classList.remove("refused");
    $("answer").textContent = words;
    try {
      $("answer").textContent = await action();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      $("answer").textContent = error.message;
      $("answer").classList.add("refused");
    }
    buttons.forEach((button) => (button.disabled = false));
  }

  get #posture(): Posture {
    return { height: choice("height"), arms: choice("arms") };
  }

  #shove() {
    const direction = 2 * Math.PI * Math.random();
    this.physics.shove(SHOVE, direction);
    this.#tell(`Shoved ${DIRECTIONS[Math.round(direction / (Math.PI / 2)) % 4]} by ${SHOVE} m/s.`);
  }

  #report(event: RobotEvent): void {
    if (event === "fell") this.#tell("It fell. It will be put back on its feet.");
    if (event === "stands") this.#tell("It fell and stands again. Tell it what to do.");
    if (event !== "done") return;
    const { outcomes } = this.robot.pursuit;
    const late = outcomes.findIndex(({ timedOut }) => timedOut);
    this.#tell(
      late < 0
        ? `Done: ${outcomes.length === 1 ? "the goal is" : `all ${outcomes.length} goals are`} reached.`
        : `Done: goal ${late + 1} of ${outcomes.length} was given up after ${outcomes[late].seconds.toFixed(1)} s.`,
    );
  }

  #tell(text: string, refused = false): void {
    $("notice").textContent = text;
    $("notice").classList.toggle("refused", refused);
  }

  #showProgram() {
    const { goals, pursuit } = this.robot;
    const reached = pursuit.outcomes.length;
    if (goals === this.#shown.goals && reached === this.#shown.reached) return;
    this.#shown = { goals, reached };
    $("program").replaceChildren(
      ...goals.map((goal, place) => {
        const item = document.createElement("li");
        item.textContent = goal.text;
        item.classList.toggle("done", place < reached);
        if (place === reached) item.setAttribute("aria-current", "step");
        return item;
      }),
    );
  }

  #showPace(frames: number, pace: number): void {
    Object.assign($("picture").dataset, { frames, pace, seconds: this.robot.seconds });
    $("pace").textContent = `${Math.round(frames)} fps, ${pace.toFixed(2)} × real time.`;
  }

  #fillIn() {
    const options = (id: string, names: string[], chosen: string) =>
      $(id).append(...names.map((name) => new Option(said(name), name, name === chosen, name === chosen)));
    options("speed", G.SPEEDS, "normal");
    options("height", body.heights, "normal");
    options("arms", body.arms, "rest");
    const skills = [...Object.keys(G.SKILLS), "go_home", "face_start"];
    $("skills").append(
      ...skills.map((skill) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: said(skill) });
        // Parsing the goal's text applies the limits of the robot.
        button.onclick = () => this.#pursue(parse(skillGoal(skill, choice("speed"), this.#posture).text));
        return button;
      }),
    );
    const robots = $("robots", HTMLSelectElement);
    const found = agents.map((each) => {
      const only = agents.filter(({ body }) => body === each.body).length === 1;
      return new Option(only ? each.body : `${each.body} of ${each.agent}`, each.folder);
    });
    robots.append(...found);
    robots.value = folder;
    robots.labels[0].hidden = agents.length === 1;
    $("server").hidden = !server;
    $("alone").hidden = server; // a clip is drawn by the server
    $("sentence").hidden = !tables.planner_bytes;
    $("size").textContent = String(Math.round(tables.planner_bytes / 1e6));
  }

  #listen() {
    const onSubmit = (id: string, action: () => void) =>
      $(id).addEventListener("submit", (event) => {
        event.preventDefault();
        action();
      });
    onSubmit("sentence", () => this.#say(typed("said")));
    onSubmit("written", () => this.#pursue(parse(typed("goals").trim())));
    onSubmit("pick", () => this.#pick(typed("agent").trim()));
    $("film").onclick = () => this.#film();
    $("robots").onchange = () => show(choice("robots"));
    $("load").onclick = () => this.#load();
    $("shove").onclick = () => this.#shove();
    $("link").onclick = () => {
      history.replaceState(null, "", `#${SAY}=${encodeURIComponent(typed("said"))}`); // which does not trigger hashchange
      this.#tell("The address of this page now carries the instruction. Copy it to share it.");
    };
    addEventListener("hashchange", () => this.followLink());
  }
}

// An element of the page.
function $(id: string): HTMLElement;
function $<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind;
function $(id: string, kind: new () => HTMLElement = HTMLElement): HTMLElement {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} with the id ${id}`);
  return found;
}

// What a field and a list hold.
const typed = (id: string) => $(id, HTMLInputElement).value;
const choice = (id: string) => $(id, HTMLSelectElement).value;

// Load the page with another agent.
const show = (folder: string) => (location.search = `?agent=${folder}`);

// Whether a graphics card draws. WebGL in software takes many times longer than FlatScene.
function hasGraphicsCard(): boolean {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  const names = gl?.getExtension("WEBGL_debug_renderer_info");
  return gl !== null && !SOFTWARE.test(gl.getParameter(names?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
}
