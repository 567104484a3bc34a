"""Watch an agent follow an instruction, or see what it understands.

Reads   an agent
Writes  a video, a strip of frames, or one JSON object per instruction on stdout

    python play.py --agent pretrained/agent --instruction "walk forward for 2 seconds" --video out.mp4
    python play.py --instruction "go to the spot 2 m ahead and 1 m left, then come back" --video out.mp4
    python play.py --instruction "walk backwards 2 metres" --feedback --shove_at 3 --strip out.png
    python play.py --agent pretrained/agent --viewer
    python play.py --agent pretrained/agent --parse_only --instruction "turn left 90 degrees"
"""

import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import gymnasium
import numpy as np
from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments, hub
from agent.artefacts.arguments import option
from agent.bodies import find_body
from agent.feedback.outcomes import verdict
from agent.goals import GoalProgram
from agent.language.planner import Planner
from agent.motor_agent import MotorAgent, RunResult, choose_body
from agent.simulation import video
from agent.simulation.env import goal_env

LYING_SECONDS = 1.5  # from a fall until the body is put back on its feet
PATIENCE = 0.5  # s behind real time; a longer delay is not caught up


@strict
@dataclass
class Arguments:
    agent: str = option("pretrained/agent", "folder or Hub repo of an agent")
    body: str = option("", "name of the robot; by default the agent's first")
    instruction: str = option("", "what to do, in a sentence")
    instructions_file: str = option("", "a text file with one instruction per line, for --parse_only")
    parse_only: bool = option(False, "print the goal programs as JSON and move nothing")
    video: str = option("", "MP4 file to write")
    strip: str = option("", "PNG file to write, of frames side by side")
    feedback: bool = option(False, "let the planner assess each goal when it is over, and correct misses")
    max_corrections: int = option(2, "corrections per goal")
    shove_at: float = option(0.0, "seconds after which the body is shoved; 0: never")
    shove_speed: float = option(1.0, "m/s that the shove adds, to the body's left")
    viewer: bool = option(False, "open MuJoCo's viewer, and read more instructions from the terminal")
    seed: int = 0
    max_seconds: float = option(60.0, "simulated seconds after which to stop")

    def validate_instruction(self):
        if self.body:
            find_body(self.body)
        given = bool(self.instruction.strip()), bool(self.instructions_file)
        if all(given):
            raise ValueError("--instruction and --instructions_file are both given: give one of them")
        if not any(given) and not self.viewer:
            raise ValueError(
                "nothing to follow: give --instruction TEXT (not empty), or --instructions_file FILE with --parse_only"
            )
        if self.instructions_file and not self.parse_only:
            raise ValueError("--instructions_file goes with --parse_only: give one --instruction to move")
        if self.viewer and (self.video or self.strip or self.feedback or self.shove_at or self.parse_only):
            raise ValueError(
                "--viewer shows it on the screen: give it without --video, --strip, --feedback, --shove_at and "
                "--parse_only"
            )
        if self.parse_only and (self.video or self.strip or self.feedback or self.shove_at):
            raise ValueError("--parse_only moves nothing: give it without --video, --strip, --feedback and --shove_at")
        for name, suffix in (("video", ".mp4"), ("strip", ".png")):
            if getattr(self, name) and not getattr(self, name).endswith(suffix):
                raise ValueError(f"{name}={getattr(self, name)!r} must end in {suffix}")
        arguments.check_counts(self, "max_corrections")
        if self.max_seconds <= 0:
            raise ValueError(f"max_seconds={self.max_seconds} must be above 0")


def main(args: Arguments) -> None:
    if args.parse_only:
        parse(args)
    elif args.viewer:
        view(args)
    else:
        move(args)


def parse(args: Arguments) -> None:
    texts = [args.instruction]
    if args.instructions_file:
        try:
            texts = Path(args.instructions_file).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read instructions_file={args.instructions_file}: {error}") from error
    folder = hub.agent_folder(args.agent)
    planner = Planner.from_pretrained(folder / "planner", choose_body(folder, args.body, args.agent))
    for text, program in zip(texts, planner.parse_batch(texts), strict=True):
        print(json.dumps({"text": text, **program.to_dict()}))


def view(args: Arguments) -> None:
    """Show the body in MuJoCo's viewer, where the mouse can pull its limbs, until the window is closed."""
    if not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        raise ValueError("--viewer needs a display, and there is none: give --video out.mp4, or run python app.py")
    import mujoco.viewer

    agent, programs = MotorAgent.from_pretrained(args.agent, args.body), SimpleQueue[GoalProgram]()
    env = agent.make_env()
    observation, _ = env.reset(seed=args.seed)
    steps = live(agent, env, observation, programs)
    if args.instruction:
        listen(agent, [args.instruction], programs)
    threading.Thread(target=listen, args=(agent, sys.stdin, programs), daemon=True).start()
    model, data = goal_env(env).model, goal_env(env).data
    due = time.monotonic()
    with mujoco.viewer.launch_passive(model, data) as window:
        window.cam.type, window.cam.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING, model.jnt_bodyid[0]
        while window.is_running():
            for _ in range(video.FRAME_EVERY):
                next(steps)
            window.sync()
            due += video.FRAME_EVERY * agent.body.control_seconds
            late = time.monotonic() - due
            if late > PATIENCE:
                due += late
            time.sleep(max(0.0, -late))


def listen(agent: MotorAgent, texts: Iterable[str], programs: SimpleQueue[GoalProgram]) -> None:
    """Queue the program of each text. If one is refused, say why on stderr."""
    for text in texts:
        program = agent.parse(text)
        if program.refused:
            print(f"Refused: {program.reason}.", file=sys.stderr)
        else:
            programs.put(program)


def live(
    agent: MotorAgent, env: gymnasium.Env, observation: np.ndarray, programs: SimpleQueue[GoalProgram]
) -> Iterator[None]:
    """Move without end, one control step per item. Each new program takes over from the body's current state. After a
    fall the body lies for a moment and is put back on its feet. Events are printed to stderr.
    """
    while True:
        while not programs.empty():
            agent.prompt(programs.get())
        over = agent.done
        observation, _, fell, *_ = env.step(agent.act(observation))
        if fell:
            print("It fell. It will stand up and wait.", file=sys.stderr)
            for _ in range(round(LYING_SECONDS / agent.body.control_seconds)):
                yield
                env.step(np.zeros_like(agent.body.scale))
            agent.reset()
            observation, _ = env.reset()
            print("It fell, and stands again. Tell it what to do.", file=sys.stderr)
        elif agent.done and not over:
            (outcomes,) = agent.outcomes
            print(f"It stands: {verdict(outcomes, len(outcomes))}.", file=sys.stderr)
        yield


def move(args: Arguments) -> None:
    agent = MotorAgent.from_pretrained(args.agent, args.body)
    program = agent.parse(args.instruction)
    if program.refused:
        raise ValueError(f"{args.instruction!r} was refused: {program.reason}")
    seconds = agent.body.control_seconds
    steps = math.ceil(args.max_seconds / seconds)
    filmed = args.video or args.strip
    env = video.make_rendering_env(agent.body.name, steps) if filmed else agent.make_env(max_episode_steps=steps)
    if args.shove_at:
        env = Shoved(env, round(args.shove_at / seconds), args.shove_speed)
    env.reset(seed=args.seed)
    result = agent.run(program, env, args.max_seconds, feedback=args.feedback, max_corrections=args.max_corrections)
    env.close()
    if args.video:
        video.write_video(args.video, result.frames, agent.body)
    if args.strip:
        video.write_strip(args.strip, result.frames, captions(result, seconds))
    print(result.summary)
    print(result.feedback, file=sys.stderr)


class Shoved(gymnasium.Wrapper):
    """Shoves the whole body once: `speed` m/s to its left, after `step` control steps."""

    def __init__(self, env: gymnasium.Env, step: int, speed: float):
        super().__init__(env)
        self.steps_left, self.speed = step, speed

    def step(self, action):
        if self.steps_left == 0:
            goal_env(self).push(self.speed, math.pi / 2)
        self.steps_left -= 1
        return super().step(action)


def captions(result: RunResult, control_seconds: float) -> list[str]:
    """The time of each frame, and the goal in force."""
    return [
        f"{number * video.FRAME_EVERY * control_seconds:.1f} s\n{goal.text}"
        for number, goal in enumerate(result.goals)
    ]


if __name__ == "__main__":
    arguments.run(main, Arguments)
