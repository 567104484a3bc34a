"""The whole agent: a sentence in, torques out.

The planner turns a sentence into a goal program, the program's goals prompt the Decision Transformer one after
another, and odometry from the observations tells when the next one is due.

Shapes: B bodies (no batch axis for one), S = 45 observation, A = 17 action.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np

from agent.artefacts import cards, hub, runs
from agent.feedback.outcomes import STAND, Correction, GoalOutcome, summarize, verdict
from agent.feedback.pursuit import Pursuit
from agent.goals import GOAL_VERSION, SKILLS, Goal, GoalProgram
from agent.language.planner import Planner
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.simulation.env import (
    ACTION_LIMIT,
    ACTION_SIZE,
    CONTROL_SECONDS,
    MAX_EPISODE_STEPS,
    OBSERVATION_SIZE,
    heading_observation,
    humanoid,
    make_env,
)
from agent.simulation.video import FRAME_EVERY, film

RECORDS = ("README.md", runs.PROVENANCE)  # of how something was made
OPEN_SECONDS = 4.0  # how long `run` pursues a goal that has no end

Prompt = str | Goal | GoalProgram


@dataclass
class RunResult:
    """What came of `MotorAgent.run`."""

    program: GoalProgram
    outcomes: list[GoalOutcome] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)  # of runs with feedback
    frames: list[np.ndarray] = field(default_factory=list)  # RGB [H, W, 3], one per two steps of an env that renders
    goals: list[Goal] = field(default_factory=list)  # in force at each frame

    @property
    def success(self) -> bool:
        """Whether every goal of the program was met."""
        return (
            bool(self.outcomes)
            and len(self.outcomes) == len(self.program.goals)
            and all(outcome.met for outcome in self.outcomes)
        )

    @property
    def summary(self) -> str:
        """One line per goal: what was asked, what was achieved."""
        return summarize(self.outcomes)

    @property
    def feedback(self) -> str:
        """In one sentence, what was corrected, and whether the program was done, and if not, why."""
        if self.program.refused:
            return f"refused: {self.program.reason}"
        said = [f"corrected {correction.text}" for correction in self.corrections]
        return "; ".join([*said, verdict(self.outcomes, len(self.program.goals))])


class MotorAgent:
    """A planner, a Decision Transformer, and the policy that taught it.

    An actor like its parts: `reset()`, `prompt(...)`, `act(observation)`; `prompt` also takes sentences and programs.
    """

    def __init__(self, policy: MotorPolicy, transformer: GoalDecisionTransformer, planner: Planner):
        self.policy, self.transformer, self.planner = policy, transformer, planner
        self.folder: Path | None = None  # what it was loaded from
        self.reset()

    @classmethod
    def from_pretrained(
        cls, path: str | Path, *, revision: str | None = None, device: str = "cpu", token: str | None = None
    ) -> "MotorAgent":
        """Load an agent from a folder or a Hub repo.

        Raises:
            ValueError: there is no such agent, a part of it is missing, or it speaks another goal vocabulary.
        """
        folder = hub.agent_folder(path, revision=revision, token=token)
        policy = MotorPolicy.from_pretrained(folder / "policy").to(device)
        transformer = GoalDecisionTransformer.from_pretrained(folder / "decision_transformer").to(device)
        sizes, limit = (transformer.config.state_dim, transformer.config.act_dim), transformer.config.action_limit
        if (*sizes, limit) != (OBSERVATION_SIZE, ACTION_SIZE, ACTION_LIMIT):
            raise ValueError(
                f"{path} has a decision_transformer for observations and actions of {sizes} numbers, in ±{limit}; "
                f"this body has {(OBSERVATION_SIZE, ACTION_SIZE)}, in ±{ACTION_LIMIT}: give an agent of this body"
            )
        planner = Planner.from_pretrained(folder / "planner", device=device, token=token)
        agent = cls(policy.eval(), transformer.eval(), planner)
        agent.folder = folder
        return agent

    def save_pretrained(self, path: str | Path, name: str = "") -> None:
        """Write the agent's folder: `from_pretrained` gives back one that acts identically. Its card says `name`.

        Results, and the records of how it was made, are those of the folder that the agent was loaded from.
        """
        folder = Path(path)
        for part, model in zip(hub.AGENT_PARTS, (self.policy, self.transformer, self.planner), strict=True):
            model.save_pretrained(folder / part)
        for file in (Path(place, record) for place in (".", *hub.AGENT_PARTS) for record in RECORDS):
            if self.folder and (self.folder / file).is_file():
                (folder / file).write_bytes((self.folder / file).read_bytes())
        describe(folder, name or folder.name, cards.read_results(self.folder) if self.folder else {})

    def push_to_hub(self, repo_id: str, *, private: bool = False, tag: str = "", token: str | None = None) -> str:
        """Publish the agent in one commit, and return its address; it is filmed for that, and forgets its context.

        Raises:
            ValueError: the Hub does not take it.
        """
        with hub.staging() as folder:
            self.save_pretrained(folder, repo_id)
            film(self, folder)
            return hub.push_folder(folder, repo_id, private=private, tag=tag, token=token)

    def twin(self) -> "MotorAgent":
        """Another agent with the same weights and a memory of its own, for another body at the same time."""
        return MotorAgent(self.policy, copy.copy(self.transformer), self.planner)

    def make_env(self, render_mode: str | None = None, max_episode_steps: int = MAX_EPISODE_STEPS) -> gymnasium.Env:
        """The env that this agent acts in: see `agent.make_env`."""
        return make_env(render_mode, max_episode_steps)

    def parse(self, text: str) -> GoalProgram:
        """The goal program that a sentence asks for, or a refusal."""
        return self.planner.parse(text)

    def reset(self) -> None:
        """Forget the context and stand."""
        self.transformer.reset()
        self.prompt(STAND)

    def prompt(self, what: Prompt | Sequence[Prompt]) -> None:
        """Pursue a sentence, a skill, a goal or a program from now on, in place of what runs now; one per body in a
        batch.

        Raises:
            ValueError: a sentence was refused; the message says why, and what ran goes on.
        """
        single = isinstance(what, str | Goal | GoalProgram)
        programs = [self._program(what)] if single else [self._program(each) for each in what]
        self._batched = not single
        self._pursue([Pursuit(program.goals) for program in programs])

    def _pursue(self, pursuits: list[Pursuit]) -> None:
        self._pursuits = pursuits
        self._fresh = True
        self._prompt_transformer()

    @property
    def outcomes(self) -> list[list[GoalOutcome]]:
        """What came of the goals that are over, for each body."""
        return [pursuit.outcomes for pursuit in self._pursuits]

    @property
    def goal(self) -> Goal | list[Goal]:
        """The goal in force now; standing when the program is over. A list with one per body in a batch."""
        goals = [pursuit.goal for pursuit in self._pursuits]
        return goals if self._batched else goals[0]

    @property
    def done(self) -> bool | list[bool]:
        """Whether the program is over. An open goal is never over. A list with one per body in a batch."""
        over = [pursuit.over for pursuit in self._pursuits]
        return over if self._batched else over[0]

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Action [B, A] float32 in ±0.4 for observations [B, S], exactly as the env returned them."""
        rows = observation if observation.ndim == 2 else observation[None]
        if len(rows) != len(self._pursuits):
            raise ValueError(
                f"{len(rows)} bodies were observed, {len(self._pursuits)} were prompted: give one prompt per body"
            )
        self._count(rows)
        return self.transformer.act(observation)

    def run(
        self,
        instruction: Prompt,
        env: gymnasium.Env,
        max_seconds: float = 120.0,
        *,
        feedback: bool = False,
        max_corrections: int = 2,
    ) -> RunResult:
        """Pursue an instruction from where the body of `env` is now, until it is done, fails or `max_seconds` are
        over.

        A goal without an end is pursued for 4 seconds. A refusal moves nothing. With `feedback` the planner assesses
        each goal when it is over; one that was missed is corrected before the next begins, at most `max_corrections`
        times.

        Raises:
            ValueError: the planner was not taught to give feedback.
        """
        program = self._program(instruction, allow_refusal=True)
        result = RunResult(program)
        if program.refused:
            return result
        if feedback:
            self.planner.check_taught()
        self._batched = False
        pursuit = Pursuit(program.goals, judge=self.planner.judge if feedback else None, rounds=max_corrections)
        self._pursue([pursuit])
        data = humanoid(env).data
        observation = heading_observation(data.qpos, data.qvel)
        for step in range(round(max_seconds / CONTROL_SECONDS)):
            self._count(observation[None])
            if not pursuit.over and pursuit.goal.end is None and pursuit.seconds >= OPEN_SECONDS:
                pursuit.advance()
                self._prompt_transformer()
            if pursuit.over:
                break
            observation, _, fell, truncated, _ = env.step(self.transformer.act(observation))
            if env.render_mode == "rgb_array" and step % FRAME_EVERY == 0:
                result.frames.append(np.asarray(env.render()))
                result.goals.append(pursuit.goal)
            if fell or truncated:
                pursuit.add(observation, fell)
                self._prompt_transformer()
                self.transformer.reset()  # the next episode is another past
                break
        if not pursuit.over:
            pursuit.stop()
            self._prompt_transformer()
        result.outcomes, result.corrections = pursuit.outcomes, pursuit.corrections
        return result

    def _program(self, what: Prompt, allow_refusal: bool = False) -> GoalProgram:
        if isinstance(what, Goal):
            return GoalProgram((what,))
        if isinstance(what, str):
            what = GoalProgram((Goal.from_skill(what),)) if what in SKILLS else self.planner.parse(what)
        if what.refused and not allow_refusal:
            raise ValueError(f"refused: {what.reason}")
        return what

    def _count(self, rows: np.ndarray) -> None:
        """Count the step that led to the observations [B, S]; the transformer learns of the goals that changed."""
        if not self._fresh:  # the first observation after a prompt is where the goal begins
            changed = [pursuit.add(row) for pursuit, row in zip(self._pursuits, rows, strict=True)]
            if any(changed):
                self._prompt_transformer()
        self._fresh = False

    def _prompt_transformer(self) -> None:
        self.transformer.prompt(self.goal)


def describe(folder: Path, name: str, results: Mapping[str, float | str]) -> None:
    """Write what makes the folder of the three parts an agent: config.json and the card.

    Args:
        folder: of the agent, with the record of how it was made, where there is one.
        name: by which it is loaded.
        results: of its planner on held-out instructions.
    """
    with runs.placing(folder) as beside:
        runs.write_json(beside / "config.json", {"model_type": hub.AGENT_TYPE, "goal_version": GOAL_VERSION})
    rows = [["measure", "share"], *([key.replace("_", " "), value] for key, value in results.items())]
    texts = [cards.table(rows)] if results else []
    texts += [RESULTS] if (folder / "policy" / "README.md").is_file() else []
    card = cards.Card(
        data=cards.model_data(name, results, measured_on="generated instructions", tags=("decision-transformer",)),
        title="A humanoid that does what a sentence says",
        what=WHAT.format(version=GOAL_VERSION),
        use=USE.format(name=name),
        results="\n\n".join(texts) or "Not measured.",
        limits=LIMITS,
    )
    made = folder / runs.PROVENANCE
    cards.write_card(folder, card, runs.read_json(made) if made.is_file() else {})


WHAT = """
Gymnasium's `Humanoid-v5`, driven by a Decision Transformer that is prompted with the goal tokens of a language
planner. Goal vocabulary {version}.

| part | what it is |
|---|---|
| `planner/` | a causal language model that turns a sentence into a goal program, under the grammar of goals |
| `decision_transformer/` | goal tokens and the last steps in, 17 torques out |
| `policy/` | the PPO policy that taught it |
"""
USE = """
from agent import MotorAgent

agent = MotorAgent.from_pretrained("{name}")
env = agent.make_env()
env.reset(seed=0)
print(agent.run("walk forward for 2 seconds, then turn left", env).summary)
"""
RESULTS = "Each part has a card of its own, with its measurements and the command that made it."
LIMITS = """
It walks on flat ground, sees nothing, and understands English instructions to stand, walk, run, sidestep, turn and
walk curves; it refuses the rest.
"""
