"""A page with a robot that moves while you tell it what to do. Every visitor has a robot of their own.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments, hub
from agent.artefacts.arguments import option
from agent.bodies import Body, find_body
from agent.goals import PLACE_SKILLS, SKILLS, SPEEDS, Goal
from agent.live import CLIP_SECONDS, LiveAgent, Moment
from agent.motor_agent import MotorAgent, body_name
from agent.simulation import video

HERE = Path(__file__).parent
IDLE_SECONDS = 600  # after which a robot that nobody tells anything makes room for another visitor
PUSHES = (0.5, 1.0)  # m/s


@strict
@dataclass
class Arguments:
    agent: str = option("pretrained/humanoid", "folder or Hub repo of the agent to begin with")
    body: str = option("", "name of the robot; by default that of the agent")
    visitors: int = option(4, "robots that move at the same time, at most")
    seed: int = 0
    port: int = option(0, "port of the page; 0: the first free one from 7860 on")

    def validate_limits(self):
        if self.body:
            find_body(self.body)
        arguments.check_counts(self, "visitors")
        if self.port > 65535:
            raise ValueError(f"port={self.port} is none: give one from 1 to 65535, or 0 for the first free one")


def main(args: Arguments) -> None:
    check_port(args.port)
    torch.set_num_threads(1)  # steps of one body are small, and the other cores belong to the other visitors
    stage = Stage(args.agent, args.body, args.visitors, args.seed)
    page(stage).launch(
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

    live: LiveAgent
    folder: Path  # of clips


class Stage:
    """The robots of all visitors, and what the page asks of them. Only weights are shared."""

    def __init__(self, agent: str, body: str, limit: int, seed: int):
        body = body or body_name(hub.agent_folder(agent))  # that the page draws, whatever agent moves it
        self.load = functools.lru_cache(maxsize=2)(functools.partial(MotorAgent.from_pretrained, body=body))
        self.agent, self.limit, self.seed = agent, limit, seed
        self.places = threading.BoundedSemaphore(limit)
        self.visits: dict[str | None, Visit] = {}
        self.body = self.load(agent).body

    def watch(self, request: gr.Request) -> Generator[tuple]:
        """What the page shows, until it is closed: the motion, the program and the notice, where these change."""
        if not self.places.acquire(blocking=False):
            full = f"{self.limit} robots are moving, which is all there is room for. Load the page again in a while."
            yield gr.skip(), gr.skip(), {"text": full, "refused": True}
            return
        try:
            with tempfile.TemporaryDirectory() as folder:
                visit = Visit(LiveAgent(self.load(self.agent), self.seed), Path(folder))
                self.visits[request.session_hash] = visit
                yield from self._shown(visit.live)
        finally:
            self.visits.pop(request.session_hash, None)
            self.places.release()

    def _shown(self, live: LiveAgent) -> Generator[tuple]:
        before: tuple = (None, None)
        for moment in live.play():
            words = listed(moment), {"text": moment.notice.text, "refused": moment.notice.refused}
            yield (
                motion(moment, self.body),
                *(gr.skip() if new == old else new for new, old in zip(words, before, strict=True)),
            )
            before = words
            if live.idle_seconds > IDLE_SECONDS:
                break
        text = f"Nothing was asked for {IDLE_SECONDS // 60} minutes, so it has left. Load the page again to go on."
        yield gr.skip(), gr.skip(), {"text": text, "refused": True}

    def instruct(self, text: str, request: gr.Request) -> None:
        self._visit(request).live.instruct(text)

    def practice(self, skill: str, speed: str, height: str, arms: str, request: gr.Request) -> None:
        goal = Goal.from_skill(spelled(skill), speed, height=height, arms=spelled(arms))
        self._visit(request).live.instruct(goal)

    def go_to(self, ahead: float, left: float, speed: str, height: str, arms: str, request: gr.Request) -> None:
        live = self._visit(request).live
        try:
            live.instruct(Goal.to(ahead, left, speed, height=height, arms=spelled(arms)))
        except ValueError as error:
            live.say(f"Refused: {error}.", refused=True)

    def push(self, speed: float, request: gr.Request) -> None:
        self._visit(request).live.push(speed, random.uniform(0, 2 * math.pi))

    def save(self, request: gr.Request) -> gr.File:
        visit = self._visit(request)
        path = visit.folder / f"{self.body.name}-{time.strftime('%H%M%S')}.mp4"
        video.write_video(path, video.draw(self.body, list(visit.live.past)), self.body)
        return gr.File(str(path), visible=True)

    def pick(self, name: str, request: gr.Request) -> None:
        live = self._visit(request).live
        try:
            if name != self.agent and (Path(name).is_absolute() or ".." in Path(name).parts):
                raise ValueError(f"{name} leads elsewhere: give a folder of this project, or a Hub repo")
            live.hand_over(self.load(name), name)
        except ValueError as error:
            live.say(str(error), refused=True)

    def _visit(self, request: gr.Request) -> Visit:
        if request.session_hash not in self.visits:
            raise gr.Error("Your robot is not here: wait a moment, or load the page again.", print_exception=False)
        return self.visits[request.session_hash]


def page(stage: Stage) -> gr.Blocks:
    """Picture and velocity on one side, what can be asked on the other; below each other where it is narrow."""
    with gr.Blocks(title="A robot, by sentence", analytics_enabled=False, delete_cache=(600, 600)) as blocks:
        gr.Markdown("# A robot, by sentence")
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                picture = gr.HTML(
                    {},
                    html_template=(HERE / "web" / "app.html").read_text(),
                    js_on_load=(HERE / "web" / "app.js").read_text(),
                    apply_default_css=False,
                    elem_id="live",
                    **figure(stage.body),
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
                speed = gr.Radio(SPEEDS, value="normal", label="Speed")
                with gr.Row(elem_classes="row"):
                    height = gr.Radio(stage.body.heights, value="normal", label="Height", min_width=120)
                    arms = gr.Radio(
                        [said(each) for each in stage.body.arms], value="rest", label="Arms", min_width=180
                    )
                with gr.Row(elem_id="skills"):
                    names = map(said, (*SKILLS, *PLACE_SKILLS[1:]))
                    skills = [gr.Button(name, size="sm", min_width=100) for name in names]
                with gr.Row(elem_classes="row"):
                    ahead = gr.Number(2, label="Place: meters ahead", step=0.1, min_width=120)
                    left = gr.Number(1, label="and to the left", step=0.1, min_width=120)
                    go_to = gr.Button("Go to it", min_width=90)
                with gr.Row(elem_classes="row"):
                    strength = gr.Slider(*PUSHES, value=0.7, step=0.1, label="Push, m/s", scale=3, min_width=180)
                    push = gr.Button("Push", scale=1, min_width=90)
                with gr.Row(elem_classes="row"):
                    other = gr.Dropdown(
                        agents(stage.agent),
                        value=stage.agent,
                        label="Agent: folder or Hub repo",
                        allow_custom_value=True,
                        scale=3,
                        min_width=260,
                    )
                    pick = gr.Button("Use it", scale=1, min_width=90)
                save = gr.Button(f"Make a clip of the last {CLIP_SECONDS:g} seconds")
                clip = gr.File(label="Clip (MP4)", interactive=False, visible=False)

        # But for `watch`, Gradio calls each for one visitor at a time: one sentence is read, and one clip is drawn.
        silent: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        blocks.load(stage.watch, outputs=[picture, program, notice], concurrency_limit=None, **silent)
        text.submit(stage.instruct, inputs=text, **silent)
        for skill in skills:
            skill.click(stage.practice, inputs=[skill, speed, height, arms], **silent)
        go_to.click(stage.go_to, inputs=[ahead, left, speed, height, arms], **silent)
        push.click(stage.push, inputs=strength, **silent)
        pick.click(stage.pick, inputs=other, **silent)
        save.click(stage.save, outputs=clip, api_visibility="private")
    return blocks


def said(name: str) -> str:
    """A name of agent.goals as the page shows it."""
    return name.replace("_", " ")


def spelled(text: str) -> str:
    """The name of agent.goals that the page shows as `text`."""
    return text.replace(" ", "_")


def figure(body: Body) -> dict[str, Any]:
    """Radius in meters and side of every part of the body."""
    parts = video.Capsules(body.load_model())
    return {"radii": parts.radii.tolist(), "sides": parts.sides}


def motion(moment: Moment, body: Body) -> dict:
    """What web/app.js draws. Poses come in millimeters, which is shorter."""
    return {
        "seconds": moment.seconds,
        "every": video.FRAME_EVERY * body.control_seconds,
        "poses": (1000 * moment.poses).round().astype(int).reshape(len(moment.poses), -1).tolist(),
        "command": moment.command,
        "velocity": moment.velocity,
    }


def listed(moment: Moment) -> list[dict]:
    """The goals of the program in words, and which of them is in force."""
    return [
        {"text": goal.text, "done": number < moment.reached, "now": number == moment.reached}
        for number, goal in enumerate(moment.program.goals)
    ]


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
