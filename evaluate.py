"""Measure an actor in physics: command tracking, falls, switching, gait, language.

Reads   an agent, or a MotorPolicy or GoalDecisionTransformer by itself
Writes  one JSON document, to stdout or --json

    python evaluate.py --agent pretrained/humanoid --actor policy --suite commands --json out.json
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from huggingface_hub.dataclasses import strict

from agent import arguments, evaluation, hub, runs
from agent.decision_transformer import GoalDecisionTransformer
from agent.goals import GoalProgram
from agent.motor_agent import MotorAgent
from agent.motor_policy import MotorPolicy

ACTORS = ("policy", "transformer", "agent")
SUITES = ("commands", "switches", "shoves", "gait", "instructions")
DEFAULT_EPISODES = 20


@strict
@dataclass
class Arguments:
    agent: str = field(
        default="pretrained/humanoid", metadata={"help": "folder or Hub repo of an agent, or of the actor alone"}
    )
    actor: str = field(default="agent", metadata={"help": f"one of {', '.join(ACTORS)}"})
    suite: str = field(default="commands", metadata={"help": f"one of {', '.join(SUITES)}"})
    episodes: int = field(default=DEFAULT_EPISODES, metadata={"help": "per command; of a minute each for switches"})
    seed: int = 0
    json: str = field(default="", metadata={"help": "file to write; stdout without it"})
    instructions_file: str = field(
        default="", metadata={"help": "JSON lines of text and program, for the instructions suite"}
    )
    random_commands: int = field(
        default=0, metadata={"help": "measure this many commands drawn from the trained region instead"}
    )
    num_threads: int = field(default=0, metadata={"help": "threads that step the physics; 0: all cores"})

    def validate_choices(self):
        if self.actor not in ACTORS:
            raise ValueError(f"actor={self.actor!r} is unknown: choose one of {', '.join(ACTORS)}")
        if self.suite not in SUITES:
            raise ValueError(f"suite={self.suite!r} is unknown: choose one of {', '.join(SUITES)}")
        if self.episodes < 1 or self.num_threads < 0 or self.random_commands < 0:
            raise ValueError(
                f"episodes={self.episodes} must be at least 1, num_threads and random_commands at least 0"
            )
        if self.suite == "instructions" and (self.actor != "agent" or not self.instructions_file):
            raise ValueError("suite instructions needs --actor agent and --instructions_file FILE")


def main(args: Arguments) -> None:
    torch.set_num_threads(1)  # the cores belong to the physics
    actor = load_actor(args)
    threads = args.num_threads or None
    commands = evaluation.COMMANDS
    if args.random_commands:
        commands = evaluation.random_commands(args.random_commands, args.seed)
    if args.suite == "commands":
        result = evaluation.measure_commands(actor, commands, args.episodes, args.seed, threads)
    elif args.suite == "switches":
        result = evaluation.measure_switches(actor, args.episodes, args.seed, threads)
    elif args.suite == "shoves":
        result = evaluation.measure_shoves(actor, commands, args.episodes, args.seed, threads)
    elif args.suite == "gait":
        result = evaluation.measure_gait(actor, args.episodes, args.seed, threads)
    else:
        result = evaluation.measure_instructions(actor, read_instructions(args.instructions_file), args.seed)
    result = {"agent": args.agent, "actor": args.actor, "suite": args.suite, "seed": args.seed} | result
    if args.json:
        runs.write_json(args.json, result)
    else:
        print(json.dumps(result, indent=2))


def load_actor(args: Arguments) -> MotorPolicy | GoalDecisionTransformer | MotorAgent:
    if args.actor == "agent":
        return MotorAgent.from_pretrained(args.agent)
    kind, part = {"policy": (MotorPolicy, "policy"), "transformer": (GoalDecisionTransformer, "decision_transformer")}[
        args.actor
    ]
    folder = hub.folder(args.agent)
    return kind.from_pretrained(hub.agent_folder(folder) / part if (folder / part).is_dir() else folder).eval()


def read_instructions(path: str) -> list[tuple[str, GoalProgram]]:
    """Texts and their programs, from JSON lines. Raises ValueError naming the line that is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise ValueError(f"cannot read instructions_file={path}: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append((str(row["text"]), GoalProgram.from_tokens(row["program"])))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}: give a JSON object with text and program (its tokens), "
                f"not {line[:60]!r}: {error}"
            ) from error
    return rows


if __name__ == "__main__":
    arguments.run(main, Arguments)
