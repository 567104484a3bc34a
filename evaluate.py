"""Measure an actor in physics: command tracking, falls, switching, gait, language; propose what to collect.

Reads   an agent, or a MotorPolicy or GoalDecisionTransformer by itself
Writes  one JSON document, to stdout or --json, a page to look at, and proposals   (collect_dataset.py)

    python evaluate.py --agent pretrained/humanoid --actor policy --suite commands --json out.json
    python evaluate.py --suite gait --against runs/quickstart/agent --report report.html
    python evaluate.py --suite goals --episodes 8 --json goals.json --proposals runs/proposals.jsonl
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments, hub, runs
from agent.evaluation import report, suites
from agent.feedback import proposals
from agent.goals import Goal, GoalProgram
from agent.models.decision_transformer import GoalDecisionTransformer, GoalMLP
from agent.models.motor_policy import MotorPolicy
from agent.motor_agent import MotorAgent

ACTORS = ("policy", "transformer", "mlp", "agent")
SUITES = ("commands", "switches", "shoves", "gait", "goals", "instructions", "feedback", "native")
DEFAULT_EPISODES = 20
PROPOSED = 256  # programs


@strict
@dataclass
class Arguments:
    agent: str = field(
        default="pretrained/humanoid", metadata={"help": "folder or Hub repo of an agent, or of the actor alone"}
    )
    actor: str = field(default="agent", metadata={"help": f"one of {', '.join(ACTORS)}"})
    suite: str = field(default="commands", metadata={"help": f"one of {', '.join(SUITES)}"})
    episodes: int = field(
        default=DEFAULT_EPISODES,
        metadata={
            "help": "per command or goal; of --minutes each for switches; instructions for feedback; in all for native"
        },
    )
    minutes: int = field(default=1, metadata={"help": "length of an episode of the switches suite"})
    seed: int = 0
    against: list[str] = field(
        default_factory=list, metadata={"help": "more agents, or actors alone, to measure in the same way"}
    )
    json: str = field(default="", metadata={"help": "file to write; stdout without it"})
    report: str = field(default="", metadata={"help": "HTML file to write: tables, plots, and a clip of each agent"})
    proposals: str = field(
        default="", metadata={"help": "file to write, for the goals suite: what the planner proposes to collect"}
    )
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
        if self.report and not self.report.endswith(".html"):
            raise ValueError(f"report={self.report!r} must end in .html")
        if min(self.episodes, self.minutes) < 1 or min(self.num_threads, self.random_commands) < 0:
            raise ValueError(
                f"episodes={self.episodes} and minutes={self.minutes} must be at least 1, "
                f"num_threads={self.num_threads} and random_commands={self.random_commands} at least 0"
            )
        if self.proposals and (self.suite != "goals" or self.actor != "agent" or self.against):
            raise ValueError(
                "--proposals is what one agent's planner makes of suite goals: give --suite goals, one agent"
            )
        if self.suite == "native" and self.actor != "policy":
            raise ValueError("suite native is Humanoid-v5's own reward, without goals: give --actor policy")
        if self.suite == "native" and self.report:
            raise ValueError("a report films goals, and suite native has none: give --json in place of --report")
        if self.suite == "feedback" and self.actor != "agent":
            raise ValueError("suite feedback is about what an agent judges: give --actor agent")
        if self.suite == "instructions" and (self.actor != "agent" or not self.instructions_file):
            raise ValueError("suite instructions needs --actor agent and --instructions_file FILE")


def main(args: Arguments) -> None:
    torch.set_num_threads(1)  # the cores belong to the physics
    names = [args.agent, *args.against]
    actors = [load_actor(name, args.actor) for name in names]
    if args.proposals or args.suite == "feedback":
        for actor in actors:
            actor.planner.check_taught()
    results = [
        {"agent": name, "actor": args.actor, "suite": args.suite, "seed": args.seed} | measure(actor, args)
        for name, actor in zip(names, actors, strict=True)
    ]
    if args.proposals:
        table = [proposals.Score(Goal(*row["command"]), row["met"]) for row in results[0]["rows"]]
        programs = actors[0].planner.propose(table, PROPOSED, args.seed)
        proposals.write_programs(Path(args.proposals), programs)
    if args.report:
        report.write_report(args.report, results, [report.film(actor, args.seed) for actor in actors])
    document = results if args.against else results[0]
    if args.json:
        runs.write_json(args.json, document)
    else:
        print(json.dumps(document, indent=2))


def load_actor(name: str, kind: str) -> MotorPolicy | GoalDecisionTransformer | GoalMLP | MotorAgent:
    if kind == "agent":
        return MotorAgent.from_pretrained(name)
    actor, part = {
        "policy": (MotorPolicy, "policy"),
        "transformer": (GoalDecisionTransformer, "decision_transformer"),
        "mlp": (GoalMLP, "mlp"),
    }[kind]
    folder = hub.folder(name)
    whole = (folder / part / "config.json").is_file()  # a folder of logs may be called as a part is
    return actor.from_pretrained(hub.agent_folder(folder) / part if whole else folder).eval()


def measure(actor: MotorPolicy | GoalDecisionTransformer | GoalMLP | MotorAgent, args: Arguments) -> dict:
    """What the suite measures of one actor."""
    threads = args.num_threads or None
    commands = suites.COMMANDS
    if args.random_commands:
        commands = suites.random_commands(args.random_commands, args.seed)
    if args.suite == "commands":
        return suites.measure_commands(actor, commands, args.episodes, args.seed, threads)
    if args.suite == "switches":
        return suites.measure_switches(actor, args.episodes, args.seed, threads, args.minutes)
    if args.suite == "shoves":
        return suites.measure_shoves(actor, commands, args.episodes, args.seed, threads)
    if args.suite == "gait":
        return suites.measure_gait(actor, args.episodes, args.seed, threads)
    if args.suite == "goals":
        return suites.measure_goals(actor, args.episodes, args.seed, threads)
    if args.suite == "native":
        return suites.measure_native(actor, args.episodes, args.seed, threads)
    if args.suite == "feedback":
        return suites.measure_feedback(actor, args.episodes, args.seed, threads)
    return suites.measure_instructions(actor, read_instructions(args.instructions_file), args.seed)


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
