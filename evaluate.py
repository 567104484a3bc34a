"""Evaluate an actor in simulation: a motor policy, a transformer, an MLP, or an agent, which also reads sentences.

The suites measure command tracking, places, postures, falls, gait, language and more. The goals suite can also propose
data to collect.

Reads   an agent, or a MotorPolicy, GoalDecisionTransformer or GoalMLP on its own
Writes  one JSON document (stdout or --json), an HTML report, and proposals   (collect_dataset.py)

    python evaluate.py --agent pretrained/agent --actor policy --suite commands --json out.json
    python evaluate.py --actor transformer --suite places
    python evaluate.py --suite gait --against runs/quickstart/agent --report report.html
    python evaluate.py --suite goals --episodes 8 --json goals.json --proposals runs/proposals.jsonl
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.dataclasses import strict

from agent.artefacts import arguments, hub, runs
from agent.artefacts.arguments import option
from agent.bodies import find_body
from agent.evaluation import journeys, sentences, suites
from agent.feedback import proposals
from agent.goals import GoalProgram, VelocityGoal
from agent.models.decision_transformer import GoalDecisionTransformer, GoalMLP
from agent.models.motor_policy import MotorPolicy
from agent.motor_agent import MotorAgent, choose_body
from agent.simulation.rollouts import check_body

# Actor -> its class, and its subfolder in an agent's folder.
ACTORS: dict[str, tuple[Any, str]] = {
    "policy": (MotorPolicy, "policy/{body}"),
    "transformer": (GoalDecisionTransformer, "decision_transformer"),
    "mlp": (GoalMLP, "."),
    "agent": (MotorAgent, "."),
}
# Suite -> the function that runs it.
SUITES: dict[str, Callable[..., dict]] = {
    "commands": suites.measure_commands,
    "switches": suites.measure_switches,
    "shoves": suites.measure_shoves,
    "gait": suites.measure_gait,
    "places": journeys.measure_places,
    "postures": suites.measure_postures,
    "adapt": journeys.measure_adapt,
    "goals": suites.measure_goals,
    "instructions": sentences.measure_instructions,
    "feedback": sentences.measure_feedback,
    "native": suites.measure_native,
}
PROPOSED = 256  # programs


@strict
@dataclass
class Arguments:
    agent: str = option("pretrained/agent", "folder or Hub repo of an agent, or of the actor alone")
    body: str = option("", "name of the robot; by default the actor's first")
    actor: str = option("agent", f"one of {', '.join(ACTORS)}")
    suite: str = option("commands", f"one of {', '.join(SUITES)}")
    episodes: int = option(
        20,
        "episodes per command, posture, goal or program; places: five random places per episode; switches: episodes "
        "in total, of --minutes each; feedback: instructions; native and adapt: in total (ADAPT's protocol has 2048)",
    )
    minutes: int = option(1, "length of an episode of the switches suite")
    seed: int = 0
    against: list[str] = field(
        default_factory=list, metadata={"help": "more agents, or actors alone, to evaluate in the same way"}
    )
    json: str = option("", "JSON file to write; by default stdout")
    report: str = option("", "HTML file to write: tables, plots, and a clip of each agent")
    proposals: str = option("", "file to write the planner's proposals to, for the goals suite")
    instructions_file: str = option("", "JSON Lines file of texts and programs, for the instructions suite")
    random_commands: int = option(0, "evaluate on this many random commands from the trained region instead")
    num_threads: int = option(0, "threads that step the physics; 0: all cores")

    def validate_choices(self):
        if self.body:
            find_body(self.body)
        for name, known in (("actor", ACTORS), ("suite", SUITES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r} is unknown: choose one of {', '.join(known)}")
        if self.report and not self.report.endswith(".html"):
            raise ValueError(f"report={self.report!r} must end in .html")
        arguments.check_counts(self, "episodes", "minutes")
        if self.proposals and (self.suite != "goals" or self.actor != "agent" or self.against):
            raise ValueError(
                "--proposals needs suite goals and a single agent with a planner: give --suite goals and one agent"
            )
        if self.suite == "native" and self.actor != "policy":
            raise ValueError("suite native measures the body's native reward, without goals: give --actor policy")
        if self.suite == "native" and self.report:
            raise ValueError("a report films goals, and suite native has none: give --json, not --report")
        if self.suite == "feedback" and self.actor != "agent":
            raise ValueError("suite feedback measures an agent's judgments: give --actor agent")
        if self.suite == "instructions" and (self.actor != "agent" or not self.instructions_file):
            raise ValueError("suite instructions needs --actor agent and --instructions_file FILE")
        for name, unset, users in (
            ("minutes", 1, ("switches",)),
            ("instructions_file", "", ("instructions",)),
            ("random_commands", 0, ("commands", "shoves")),
        ):
            if getattr(self, name) != unset and self.suite not in users:
                raise ValueError(f"{name}={getattr(self, name)} is for suite {', '.join(users)}: leave it out")


def main(args: Arguments) -> None:
    torch.set_num_threads(1)  # the cores are for the physics threads
    instructions = []
    if args.suite == "instructions":
        instructions = list(proposals.read_rows(args.instructions_file, "instructions_file", "text"))
    names = [args.agent, *args.against]
    actors = [load_actor(name, args.actor, args.body) for name in names]
    if args.suite == "native" and (lacking := [actor.body.name for actor in actors if not actor.body.native]):
        raise ValueError(f"body {lacking[0]} has no native reward to measure: give another suite")
    results: list[dict[str, Any]] = [
        {"agent": name, "body": actor.body.name, "actor": args.actor, "suite": args.suite, "seed": args.seed}
        | measure(actor, args, instructions)
        for name, actor in zip(names, actors, strict=True)
    ]
    document = results if args.against else results[0]
    if args.json:
        runs.write_json(args.json, document)
    else:
        print(json.dumps(document, indent=2, allow_nan=False))
    if args.proposals:
        table = [proposals.Score(VelocityGoal(*row["command"]), row["met"]) for row in results[0]["rows"]]
        programs = actors[0].planner.propose(table, PROPOSED, args.seed)
        proposals.write_programs(Path(args.proposals), programs)
    if args.report:
        from agent.evaluation import report  # loads matplotlib, which nothing else here needs

        report.write_report(args.report, results, [report.film(actor, args.seed) for actor in actors])


def load_actor(name: str, kind: str, body: str) -> Any:
    """Load the actor; `kind` is a key of ACTORS."""
    if kind == "agent":
        return MotorAgent.from_pretrained(name, body)
    actor, part = ACTORS[kind]
    folder = hub.folder(name)
    if runs.read_json(folder / "config.json").get("model_type") == hub.AGENT_TYPE:
        body = choose_body(hub.agent_folder(name), body, name)
        folder /= part.format(body=body)
    if actor is not MotorPolicy:
        return actor.from_pretrained(folder, body=body or None)
    policy = actor.from_pretrained(folder)
    check_body(policy, body or policy.body.name, name)
    return policy


def measure(actor: Any, args: Arguments, instructions: list[tuple[str, GoalProgram]]) -> dict:
    """Results of the suite for one actor."""
    if args.suite in ("switches", "goals", "places", "adapt") and args.actor == "agent":
        actor = actor.transformer  # each body gets new goals at times of its own, and these suites do the steering
    settings: dict[str, Any] = {"seed": args.seed}
    if args.suite == "instructions":
        settings["rows"] = instructions
    else:
        settings |= {"episodes": args.episodes, "num_threads": args.num_threads or None}
    if args.suite in ("commands", "shoves"):
        drawn = args.random_commands
        settings["commands"] = suites.random_commands(drawn, args.seed, actor.body) if drawn else suites.COMMANDS
    if args.suite == "switches":
        settings["minutes"] = args.minutes
    return SUITES[args.suite](actor, **settings)


if __name__ == "__main__":
    arguments.run(main, Arguments)
