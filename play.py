"""Watch an agent follow an instruction, or see what it understands.

Reads   an agent
Writes  a video, a strip of frames, or one JSON object per instruction on stdout

    python play.py --agent pretrained/humanoid --instruction "walk forward for 2 seconds" --video out.mp4
    python play.py --instruction "walk backwards 2 metres" --feedback --shove_at 3 --strip out.png
    python play.py --agent pretrained/humanoid --viewer
    python play.py --agent pretrained/humanoid --parse_only --instruction "turn left 90 degrees"
"""

import json
import math
import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np
from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments, hub
from agent.feedback.outcomes import asked
from agent.language.planner import Planner
from agent.motor_agent import MotorAgent, RunResult
from agent.simulation import video
from agent.simulation.env import CONTROL_SECONDS, humanoid, yaw


@strict
@dataclass
class Arguments:
    agent: str = field(default="pretrained/humanoid", metadata={"help": "folder or Hub repo of an agent"})
    instruction: str = field(default="", metadata={"help": "what to do, in a sentence"})
    instructions_file: str = field(
        default="", metadata={"help": "a text file with one instruction per line, for --parse_only"}
    )
    parse_only: bool = field(default=False, metadata={"help": "print the goal programs as JSON and move nothing"})
    video: str = field(default="", metadata={"help": "MP4 file to write"})
    strip: str = field(default="", metadata={"help": "PNG file to write, of frames side by side"})
    feedback: bool = field(
        default=False, metadata={"help": "let the planner assess each goal when it is over, and correct it"}
    )
    max_corrections: int = field(default=2, metadata={"help": "of one goal"})
    shove_at: float = field(default=0.0, metadata={"help": "seconds after which the body is shoved; 0: never"})
    shove_speed: float = field(default=1.0, metadata={"help": "m/s to its left that the shove adds"})
    viewer: bool = field(
        default=False, metadata={"help": "open MuJoCo's viewer, and read more instructions from the terminal"}
    )
    seed: int = 0
    max_seconds: float = field(default=60.0, metadata={"help": "simulated seconds after which to stop"})

    def validate_what_to_do(self):
        given = bool(self.instruction.strip()) + bool(self.instructions_file)
        if given > 1 or (given == 0 and not self.viewer):
            raise ValueError(
                "nothing to follow: give --instruction TEXT (not empty), or --instructions_file FILE with --parse_only"
            )
        if self.instructions_file and not self.parse_only:
            raise ValueError("--instructions_file goes with --parse_only: give one --instruction to move")
        if self.viewer and (self.video or self.strip or self.feedback or self.parse_only):
            raise ValueError(
                "--viewer shows it on the screen: give it without --video, --strip, --feedback and --parse_only"
            )
        if self.strip and not self.strip.endswith(".png"):
            raise ValueError(f"strip={self.strip!r} must end in .png")
        if self.max_corrections < 1 or self.shove_at < 0:
            raise ValueError(
                f"max_corrections={self.max_corrections} must be at least 1, shove_at={self.shove_at} at least 0"
            )
        if self.video and not self.video.endswith(".mp4"):
            raise ValueError(f"video={self.video!r} must end in .mp4")
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
        except OSError as error:
            raise ValueError(f"cannot read instructions_file={args.instructions_file}: {error.strerror}") from error
    planner = Planner.from_pretrained(hub.agent_folder(args.agent) / "planner")
    for text, program in zip(texts, planner.parse_batch(texts), strict=True):
        print(json.dumps({"text": text, **program.to_dict()}))


def view(args: Arguments) -> None:
    """Show the body in MuJoCo's viewer, where a mouse can pull it about, until the window is closed."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        raise ValueError(
            "--viewer needs a display, and there is none: give --video out.mp4, or see it by python app.py"
        )
    import mujoco.viewer

    from agent.live import LiveHumanoid
    from agent.motor_agent import MotorAgent
    from agent.simulation.video import FRAME_EVERY

    live = LiveHumanoid(MotorAgent.from_pretrained(args.agent), args.seed)
    if args.instruction:
        live.instruct(args.instruction)
    threading.Thread(target=lambda: [live.instruct(line) for line in sys.stdin], daemon=True).start()
    said = None
    with mujoco.viewer.launch_passive(live.model, live.data) as window:
        window.cam.type, window.cam.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING, live.model.body("torso").id
        for moment in live.play(FRAME_EVERY):
            if not window.is_running():
                break
            window.sync()
            if moment.notice.text != said:
                said = moment.notice.text
                print(said, file=sys.stderr)


def move(args: Arguments) -> None:
    agent = MotorAgent.from_pretrained(args.agent)
    program = agent.parse(args.instruction)
    if program.refused:
        raise ValueError(f"{args.instruction!r} was refused: {program.reason}")
    max_episode_steps = math.ceil(args.max_seconds / CONTROL_SECONDS)
    filmed = args.video or args.strip
    env = video.make_rendering_env(max_episode_steps) if filmed else agent.make_env(None, max_episode_steps)
    if args.shove_at:
        env = Shoved(env, args.shove_at, args.shove_speed)
    env.reset(seed=args.seed)
    result = agent.run(program, env, args.max_seconds, feedback=args.feedback, max_corrections=args.max_corrections)
    env.close()
    if args.video:
        video.write_video(args.video, result.frames)
    if args.strip:
        video.write_strip(args.strip, result.frames, captions(result))
    print(result.summary)
    print(result.feedback, file=sys.stderr)


class Shoved(gymnasium.Wrapper):
    """Shoves the whole body once: `speed` m/s to its left, after so many seconds."""

    def __init__(self, env: gymnasium.Env, seconds: float, speed: float):
        super().__init__(env)
        self.steps_left, self.speed = round(seconds / CONTROL_SECONDS), speed

    def step(self, action):
        self.steps_left -= 1
        if self.steps_left == 0:
            data = humanoid(self).data
            left = float(yaw(data.qpos)) + math.pi / 2
            data.qvel[:2] += self.speed * np.array([math.cos(left), math.sin(left)])
        return super().step(action)


def captions(result: RunResult) -> list[str]:
    """When each frame was, and the goal in force."""
    seconds = [place * video.FRAME_EVERY * CONTROL_SECONDS for place in range(len(result.frames))]
    return [f"{at:.1f} s\n{asked(goal)}" for at, goal in zip(seconds, result.goals, strict=True)]


if __name__ == "__main__":
    arguments.run(main, Arguments)
