"""Watch an agent follow an instruction, or see what it understands.

Reads   an agent
Writes  a video, or one JSON object per instruction on stdout

    python play.py --agent pretrained/humanoid --instruction "walk forward for 2 seconds" --video out.mp4
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

from huggingface_hub.dataclasses import strict

from agent import arguments, hub, video
from agent.env import CONTROL_SECONDS
from agent.motor_agent import MotorAgent
from agent.planner import Planner


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
        if self.viewer and (self.video or self.parse_only):
            raise ValueError("--viewer shows it on the screen: give it without --video and --parse_only")
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
    from agent.video import FRAME_EVERY

    humanoid = LiveHumanoid(MotorAgent.from_pretrained(args.agent), args.seed)
    if args.instruction:
        humanoid.instruct(args.instruction)
    threading.Thread(target=lambda: [humanoid.instruct(line) for line in sys.stdin], daemon=True).start()
    said = None
    with mujoco.viewer.launch_passive(humanoid.model, humanoid.data) as window:
        window.cam.type, window.cam.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING, humanoid.model.body("torso").id
        for moment in humanoid.play(FRAME_EVERY):
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
    env = video.make_rendering_env(max_episode_steps) if args.video else agent.make_env(None, max_episode_steps)
    env.reset(seed=args.seed)
    result = agent.run(program, env, args.max_seconds)
    env.close()
    if args.video:
        video.write_video(args.video, result.frames)
    print(result.summary)
    print(result.feedback, file=sys.stderr)


if __name__ == "__main__":
    arguments.run(main, Arguments)
