"""A page with a humanoid that moves while you tell it what to do. Every visitor has a humanoid of their own.

Reads   an agent (finetune_llm.py), and others that visitors pick
Writes  nothing but clips for download

    python app.py --agent pretrained/humanoid
"""

import functools
import math
import random
import socket
import tempfile
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
import torch
from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments
from agent.goals import SKILLS, SPEEDS, Goal
from agent.live import CLIP_SECONDS, LiveHumanoid, Moment
from agent.motor_agent import MotorAgent
from agent.simulation import video
from agent.simulation.env import CONTROL_SECONDS, humanoid, make_env

HERE = Path(__file__).parent
IDLE_SECONDS = 600  # after which a humanoid that nobody tells anything makes room for another visitor
PUSHES = (0.5, 1.0)  # m/s


@strict
@dataclass
class Arguments:
    agent: str = field(
        default="pretrained/humanoid", metadata={"help": "folder or Hub repo of the agent to begin with"}
    )
    visitors: int = field(default=4, metadata={"help": "humanoids that move at the same time, at most"})
    seed: int = 0
    port: int = field(default=0, metadata={"help": "port of the page; 0: the first free one from 7860 on"})

    def validate_limits(self):
        if self.visitors < 1:
            raise ValueError(f"visitors={self.visitors} must be at least 1")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port={self.port} is none: give one from 1 to 65535, or 0 for the first free one")


def main(args: Arguments) -> None:
    check_port(args.port)
    torch.set_num_threads(1)  # steps of one body are small, and the other cores belong to the other visitors
    stage = Stage(args.agent, args.visitors, args.seed)
    page(stage, args.agent).launch(
        server_port=args.port or None,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),  # no font from elsewhere
        css_paths=HERE / "web" / "app.css",
        footer_links=[],
        ssr_mode=False,
    )


def check_port(port: int) -> None:
    """Raise ValueError where the page cannot be had at `port`, which Gradio does not explain."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Gradio does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ValueError(
                f"port={port} cannot be used ({error.strerror}): give another, or 0 for the first free one"
            ) from error


@dataclass(frozen=True)
class Visit:
    """What a visitor has, until the page is closed."""

    humanoid: LiveHumanoid
    folder: Path  # of clips


class Stage:
    """The humanoids of all visitors, and what the page asks of them. Only weights are shared."""

    def __init__(self, agent: str, limit: int, seed: int):
        self.load = functools.lru_cache(maxsize=2)(MotorAgent.from_pretrained)
        self.agent, self.limit, self.seed = agent, limit, seed
        self.places = threading.BoundedSemaphore(limit)
        self.visits: dict[str | None, Visit] = {}
        self.load(agent)

    def watch(self, request: gr.Request) -> Generator[tuple]:
        """What the page shows, until it is closed: the motion, the program and the notice, where these change."""
        if not self.places.acquire(blocking=False):
            full = (
                f"{self.limit} humanoids are moving, which is all there is room for. Load the page again in a while."
            )
            yield gr.skip(), gr.skip(), {"text": full, "refused": True}
            return
        try:
            with tempfile.TemporaryDirectory() as folder:
                visit = Visit(LiveHumanoid(self.load(self.agent), self.seed), Path(folder))
                self.visits[request.session_hash] = visit
                yield from self._shown(visit.humanoid)
        finally:
            self.visits.pop(request.session_hash, None)
            self.places.release()

    def _shown(self, humanoid: LiveHumanoid) -> Generator[tuple]:
        before: tuple = (None, None)
        for moment in humanoid.play():
            words = listed(moment), {"text": moment.notice.text, "refused": moment.notice.refused}
            yield motion(moment), *(gr.skip() if new == old else new for new, old in zip(words, before, strict=True))
            before = words
            if humanoid.idle_seconds > IDLE_SECONDS:
                break
        text = f"Nothing was asked for {IDLE_SECONDS // 60} minutes, so it has left. Load the page again to go on."
        yield gr.skip(), gr.skip(), {"text": text, "refused": True}

    def instruct(self, text: str, request: gr.Request) -> None:
        self._visit(request).humanoid.instruct(text)

    def practice(self, skill: str, speed: str, request: gr.Request) -> None:
        self._visit(request).humanoid.instruct(Goal.from_skill(skill.replace(" ", "_"), speed))

    def push(self, speed: float, request: gr.Request) -> None:
        self._visit(request).humanoid.push(speed, random.uniform(0, 2 * math.pi))

    def save(self, request: gr.Request) -> gr.File:
        visit = self._visit(request)
        path = visit.folder / f"humanoid-{time.strftime('%H%M%S')}.mp4"
        video.write_video(path, video.draw(list(visit.humanoid.past)))
        return gr.File(str(path), visible=True)

    def pick(self, name: str, request: gr.Request) -> None:
        humanoid = self._visit(request).humanoid
        try:
            if name != self.agent and (Path(name).is_absolute() or ".." in Path(name).parts):
                raise ValueError(f"{name} leads elsewhere: give a folder of this project, or a Hub repo")
            humanoid.hand_over(self.load(name), name)
        except ValueError as error:
            humanoid.say(str(error), refused=True)

    def _visit(self, request: gr.Request) -> Visit:
        if request.session_hash not in self.visits:
            raise gr.Error("Your humanoid is not here: wait a moment, or load the page again.", print_exception=False)
        return self.visits[request.session_hash]


def page(stage: Stage, agent: str) -> gr.Blocks:
    """Picture and velocity on one side, what can be asked on the other; below each other where it is narrow."""
    with gr.Blocks(title="Humanoid, by sentence", analytics_enabled=False, delete_cache=(600, 600)) as blocks:
        gr.Markdown("# Humanoid, by sentence")
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                picture = gr.HTML(
                    {},
                    html_template=(HERE / "web" / "app.html").read_text(),
                    js_on_load=(HERE / "web" / "app.js").read_text(),
                    apply_default_css=False,
                    elem_id="live",
                    **figure(),
                )
            with gr.Column(scale=2, min_width=320):
                text = gr.Textbox(
                    label="Instruction",
                    placeholder="walk forward 2 metres, then turn left",
                    submit_btn="Do it",
                    lines=1,
                )
                notice = gr.HTML(
                    {}, html_template=NOTICE, js_on_load="element.setAttribute('role', 'status')", elem_id="notice"
                )
                program = gr.HTML([], html_template=PROGRAM, elem_id="program")
                speed = gr.Radio(SPEEDS, value="normal", label="Speed of the skills")
                with gr.Row(elem_id="skills"):
                    skills = [gr.Button(spoken(skill), size="sm", min_width=100) for skill in SKILLS]
                with gr.Row(elem_classes="beside"):
                    strength = gr.Slider(*PUSHES, value=0.7, step=0.1, label="Push, m/s", scale=3, min_width=180)
                    push = gr.Button("Push", scale=1, min_width=90)
                with gr.Row(elem_classes="beside"):
                    other = gr.Dropdown(
                        agents(agent),
                        value=agent,
                        label="Agent: folder or Hub repo",
                        allow_custom_value=True,
                        scale=3,
                        min_width=260,
                    )
                    pick = gr.Button("Use it", scale=1, min_width=90)
                save = gr.Button(f"Make a clip of the last {CLIP_SECONDS:g} seconds")
                clip = gr.File(label="Clip (MP4)", interactive=False, visible=False)

        # But for `watch`, Gradio calls each for one visitor at a time: one sentence is read, and one clip is drawn.
        silent = {"show_progress": "hidden", "api_visibility": "private"}
        blocks.load(stage.watch, outputs=[picture, program, notice], concurrency_limit=None, **silent)
        text.submit(stage.instruct, inputs=text, **silent)
        for skill in skills:
            skill.click(stage.practice, inputs=[skill, speed], **silent)
        push.click(stage.push, inputs=strength, **silent)
        pick.click(stage.pick, inputs=other, **silent)
        save.click(stage.save, outputs=clip, api_visibility="private")
    return blocks


def figure() -> dict[str, list]:
    """Radius in meters and side of every part of the body."""
    model = humanoid(make_env()).model
    names = [model.geom(part).name for part in range(1, model.ngeom)]
    sides = [next((side for side in ("left", "right") if name.startswith(side)), "middle") for name in names]
    return {"radii": model.geom_size[1:, 0].tolist(), "sides": sides}


def motion(moment: Moment) -> dict:
    """What web/app.js draws. Poses come in millimeters, which is shorter."""
    return {
        "seconds": moment.seconds,
        "every": video.FRAME_EVERY * CONTROL_SECONDS,
        "poses": (1000 * moment.poses).round().astype(int).reshape(len(moment.poses), -1).tolist(),
        "command": moment.command,
        "velocity": moment.velocity,
    }


def listed(moment: Moment) -> list[dict]:
    """The goals of the program in words, and which of them is in force."""
    return [
        {"text": described(goal), "done": number < moment.reached, "now": number == moment.reached}
        for number, goal in enumerate(moment.program.goals)
    ]


def described(goal: Goal) -> str:
    speed = "" if goal.speed == "normal" else f" {goal.speed}"
    kind, amount = goal.end or ("", 0.0)
    end = f"for {amount:g} {kind.removesuffix('s') if amount == 1 else kind}" if kind else "until told otherwise"
    return f"{spoken(goal.skill)}{speed} {end}"


def spoken(skill: str) -> str:
    return skill.replace("_", " ")


def agents(first: str) -> list[str]:
    """The agent to begin with, the one that ships, and those that were made here."""
    found = [
        path.parent.relative_to(HERE)
        for pattern in ("pretrained/*/planner", "runs/*/agent/planner")
        for path in HERE.glob(pattern)
    ]
    return list(dict.fromkeys([first, *map(str, sorted(found))]))


NOTICE = '<p{{#if value.refused}} class="refused"{{/if}}>{{value.text}}</p>'
PROGRAM = """
<h2>Goal program</h2>
<ol>
{{#each value}}
<li {{#if this.done}}class="done"{{/if}} {{#if this.now}}aria-current="step"{{/if}}>{{this.text}}</li>
{{/each}}
</ol>
"""

if __name__ == "__main__":
    arguments.run(main, Arguments)
