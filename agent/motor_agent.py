"""The whole agent: a sentence in, actions out.

The planner turns a sentence into a goal program. `Pursuit` follows its goals one after another by odometry from the
observations, and prompts the Decision Transformer with the velocity that the goal in force asks for.

Shapes: N bodies (one body has no such axis), S body state, A actions.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from agent.artefacts import cards, hub, runs
from agent.bodies import Body, find_body
from agent.feedback.outcomes import STAND, Correction, GoalOutcome, summarize, verdict
from agent.feedback.pursuit import Pursuit
from agent.goals import GOAL_VERSION, RETURN_SKILLS, SKILLS, Goal, GoalProgram, Pose, VelocityGoal
from agent.language.program import parse
from agent.simulation.env import env_id, goal_env, make_env
from agent.simulation.heading import check_observation
from agent.simulation.rollouts import Rollout, check_body
from agent.simulation.vector_env import MAX_EPISODE_STEPS
from agent.simulation.video import FRAME_EVERY, film

if TYPE_CHECKING:
    from agent.language.planner import Planner
    from agent.models.decision_transformer import GoalDecisionTransformer
    from agent.models.motor_policy import MotorPolicy

RECORDS = ("README.md", runs.PROVENANCE)  # of how an artifact was made
OPEN_SECONDS = 4.0  # how long `run` pursues a goal that has no end

Instruction = str | Goal | GoalProgram


@dataclass
class RunResult:
    """The result of `MotorAgent.run`."""

    program: GoalProgram
    outcomes: list[GoalOutcome] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)  # of runs with feedback
    frames: list[np.ndarray] = field(default_factory=list)  # RGB [H, W, 3], one per two steps of an env that renders
    goals: list[Goal] = field(default_factory=list)  # in force at each frame

    @property
    def success(self) -> bool:
        """Whether every goal of the program was met."""
        return len(self.outcomes) == len(self.program.goals) > 0 and all(outcome.met for outcome in self.outcomes)

    @property
    def summary(self) -> str:
        """One line per goal: what was asked, what was achieved."""
        return summarize(self.outcomes)

    @property
    def feedback(self) -> str:
        """One sentence: what was corrected, and whether the program was done, and if not, why."""
        if self.program.refused:
            return f"refused: {self.program.reason}"
        corrected = [f"corrected {correction.text}" for correction in self.corrections]
        return "; ".join([*corrected, verdict(self.outcomes, len(self.program.goals))])


class MotorAgent:
    """A planner, a Decision Transformer, and the policies that taught it, one for each robot.

    An actor like its parts: `reset()`, `prompt(...)`, `act(observation)`; `prompt` also takes sentences and programs.
    It moves the robot that the transformer has selected.
    """

    def __init__(self, policies: Sequence["MotorPolicy"], transformer: "GoalDecisionTransformer", planner: "Planner"):
        self.policies = {policy.body.name: policy for policy in policies}
        if set(self.policies) != set(transformer.config.bodies):
            raise ValueError(
                f"the policies move {', '.join(self.policies)}, and the transformer moves "
                f"{', '.join(transformer.config.bodies)}: give one policy for each robot of the transformer"
            )
        self.transformer, self.planner = transformer, planner
        self.folder: Path | None = None  # that it was loaded from
        self.reset()

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        body: str = "",
        *,
        revision: str | None = None,
        device: str = "cpu",
        token: str | None = None,
    ) -> "MotorAgent":
        """Load an agent from a folder or a Hub repo, to move the robot named `body`, by default its first.

        Raises:
            ValueError: there is no such agent, it does not move this robot, a part of it is missing or of another
            robot, or it uses another goal vocabulary.
        """
        # These import transformers, which takes seconds, and loads accelerate if that is installed.
        from agent.language.planner import Planner
        from agent.models.decision_transformer import GoalDecisionTransformer
        from agent.models.motor_policy import MotorPolicy

        folder = hub.agent_folder(path, revision=revision, token=token)
        body = choose_body(folder, body, path)
        policies = []
        for name in hub.agent_bodies(folder):
            policies.append(MotorPolicy.from_pretrained(folder / "policy" / name).to(device))
            check_body(policies[-1], name, f"{path}/policy/{name}")
        transformer = GoalDecisionTransformer.from_pretrained(folder / "decision_transformer", body=body).to(device)
        planner = Planner.from_pretrained(folder / "planner", body, device=device, token=token)
        agent = cls(policies, transformer, planner)
        agent.folder = folder
        return agent

    def save_pretrained(self, path: str | Path, name: str = "") -> None:
        """Write the agent to a folder: `from_pretrained` loads one that acts identically. Its card shows `name`.

        Results, and the records of how it was made, are copied from the folder that the agent was loaded from.
        """
        folder = Path(path)
        parts: dict[str, Any] = {f"policy/{body}": policy for body, policy in self.policies.items()}
        parts |= {"decision_transformer": self.transformer, "planner": self.planner}
        for part, model in parts.items():
            model.save_pretrained(folder / part)
        for file in (Path(place, record) for place in (".", *parts) for record in RECORDS):
            if self.folder and (self.folder / file).is_file():
                (folder / file).write_bytes((self.folder / file).read_bytes())
        describe(folder, name or folder.name, cards.read_results(self.folder) if self.folder else {})

    def push_to_hub(self, repo_id: str, *, private: bool = False, tag: str = "", token: str | None = None) -> str:
        """Publish the agent, with a replay video, in one commit, and return the commit's address. Resets the agent.

        Raises:
            ValueError: the Hub refuses it.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.save_pretrained(folder, repo_id)
            film(self, folder)
            return hub.push_folder(folder, repo_id, private=private, tag=tag, token=token)

    @property
    def body(self) -> Body:
        """The robot that it moves."""
        return self.transformer.body

    @property
    def policy(self) -> "MotorPolicy":
        """The policy that taught the transformer to move this robot."""
        return self.policies[self.body.name]

    def make_env(self, render_mode: str | None = None, max_episode_steps: int = MAX_EPISODE_STEPS) -> gymnasium.Env:
        """The env that this agent acts in: see `agent.make_env`."""
        return make_env(self.body.name, render_mode, max_episode_steps)

    def parse(self, text: str) -> GoalProgram:
        """The goal program that a sentence asks for, or a refusal."""
        return self.planner.parse(text)

    def reset(self) -> None:
        """Forget the context and stand."""
        self.transformer.reset()
        self._pursuits: list[Pursuit] = []
        self.prompt(STAND)

    def prompt(self, instruction: Instruction | Sequence[Instruction]) -> None:
        """Pursue a sentence, a skill (also go_home and face_start), a goal or a program from now on, instead of the
        current program; a sequence has one for each of N bodies. Home is where a program begins. For a program that
        begins with go_home or face_start, it is where the program before it began.

        Raises:
            ValueError: a sentence was refused, or there is no instruction; the message says why, and the current
                program continues.
        """
        single = isinstance(instruction, str | Goal | GoalProgram)
        programs = [self._program(each) for each in ([instruction] if single else instruction)]
        if not programs:
            raise ValueError("there is no instruction: give one, or one for each body")
        starts = self._starts(programs)
        pursuits = [
            Pursuit(program.goals, self.body, start=start) for program, start in zip(programs, starts, strict=True)
        ]
        commands = [pursuit.command for pursuit in pursuits]
        self.transformer.prompt(commands[0] if single else commands)  # raises an error before anything has changed
        self._pursuits, self._batched, self._fresh = pursuits, not single, True

    def _starts(self, programs: Sequence[GoalProgram]) -> list[Pose]:
        """Where each body is, seen from the home of its program."""
        if len(self._pursuits) != len(programs):
            return [Pose()] * len(programs)
        return [
            pursuit.odometry.pose if program.goals[0].skill in RETURN_SKILLS else Pose()
            for pursuit, program in zip(self._pursuits, programs, strict=True)
        ]

    @property
    def outcomes(self) -> list[list[GoalOutcome]]:
        """Outcomes of the finished goals, for each body."""
        return [pursuit.outcomes for pursuit in self._pursuits]

    @property
    def goal(self) -> Goal | list[Goal]:
        """The goal in force now; standing when the program is over. A list with one per body in a batch."""
        goals = [pursuit.goal for pursuit in self._pursuits]
        return goals if self._batched else goals[0]

    @property
    def command(self) -> VelocityGoal | list[VelocityGoal]:
        """The transformer's current prompt: velocity and posture for the goal in force. A list in a batch."""
        commands = [pursuit.command for pursuit in self._pursuits]
        return commands if self._batched else commands[0]

    @property
    def done(self) -> bool | list[bool]:
        """Whether the program is over. An open goal is never over. A list with one per body in a batch."""
        over = [pursuit.over for pursuit in self._pursuits]
        return over if self._batched else over[0]

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Action [N, A] float32 in the env's units for observations [N, S or more], as the env returned them."""
        rows = np.atleast_2d(observation)
        if len(rows) != len(self._pursuits):
            raise ValueError(
                f"{len(rows)} bodies were observed, {len(self._pursuits)} were prompted: give one prompt per body"
            )
        check_observation(observation, self.body.observation_size)  # before the odometry stores it
        # The first observation after a prompt is where the goal begins; each later one ends a step of it.
        if not self._fresh and any([pursuit.add(row) for pursuit, row in zip(self._pursuits, rows, strict=True)]):
            self.transformer.prompt(self.command)
        self._fresh = False
        return self.transformer.act(observation)

    def run(
        self,
        instruction: Instruction,
        env: gymnasium.Env,
        max_seconds: float = 120.0,
        *,
        feedback: bool = False,
        max_corrections: int = 2,
    ) -> RunResult:
        """Pursue an instruction from where the body of `env` is now. Stops when the program is over, the body falls,
        or `max_seconds` or the env's time limit has passed. A missed goal does not stop the program.

        An open goal is pursued for 4 seconds. A refused instruction moves nothing. Home is defined as in `prompt`;
        after a reset of the env it is where the body starts. With `feedback` the planner assesses each goal at its
        end; a missed goal is corrected before the next one begins, at most `max_corrections` times.
        """
        program = self._program(instruction, allow_refusal=True)
        if program.refused:
            return RunResult(program)
        if goal_env(env).episode_steps == 0:
            self.reset()  # a new episode has no history
        judge = self.planner.judge if feedback else None
        pursuit = Pursuit(
            program.goals, self.body, start=self._starts([program])[0], judge=judge, max_corrections=max_corrections
        )
        result = RunResult(program, pursuit.outcomes, pursuit.corrections)
        self._pursuits, self._batched, self._fresh = [pursuit], False, True
        rollout = Rollout(self.transformer, env, goal_env(env).observe())
        rollout.prompt(pursuit.command)
        for number in range(round(max_seconds / self.body.control_seconds)):
            goal, step = pursuit.goal, rollout.step()
            if env.render_mode == "rgb_array" and number % FRAME_EVERY == 0:
                result.frames.append(np.asarray(env.render()))
                result.goals.append(goal)
            changed = pursuit.add(step.observation, step.fell)
            if not pursuit.over and pursuit.goal.open and pursuit.seconds >= OPEN_SECONDS:
                pursuit.advance()
                changed = True
            if changed:
                rollout.prompt(pursuit.command)
            if step.fell or step.truncated:
                self.transformer.reset()  # the next episode has another history
            if pursuit.over or step.truncated:
                break
        if not pursuit.over:
            pursuit.stop()
            rollout.prompt(pursuit.command)
        return result

    def _program(self, instruction: Instruction, allow_refusal: bool = False) -> GoalProgram:
        if isinstance(instruction, Goal):
            return GoalProgram((instruction,))
        if isinstance(instruction, GoalProgram):
            program = instruction
        elif instruction in SKILLS or instruction in RETURN_SKILLS:
            program = parse(instruction.replace("_", " "), self.body)  # within the robot's limits
        else:
            program = self.parse(instruction)
        if program.refused and not allow_refusal:
            raise ValueError(f"refused: {program.reason}")
        return program


def choose_body(folder: Path, body: str, name: str | Path) -> str:
    """The robot to move with the agent `name` in a folder: `body`, or if it is empty, the agent's first one.

    Raises:
        ValueError: there is no such robot, or the agent does not move it.
    """
    bodies = hub.agent_bodies(folder)
    if body and find_body(body).name not in bodies:
        raise ValueError(f"{name} does not move body={body!r}: choose one of {', '.join(bodies)}")
    return body or bodies[0]


def replaceable(folder: Path) -> bool:
    """Whether a folder is missing or empty, or holds an agent."""
    config = folder / "config.json"
    if config.is_file():
        return runs.read_json(config).get("model_type") == hub.AGENT_TYPE
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def assemble(folder: Path, parts: dict[str, Path], name: str, results: dict[str, float], provenance: dict) -> None:
    """Write the agent: a folder per part, without files that only its training needed."""
    with runs.replacing(folder) as new:
        for part, source in parts.items():
            for file in hub.published_files(source):
                if Path(file).name != runs.METRICS:
                    (new / part / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / file, new / part / file)
            runs.seal(new / part, runs.read_manifest(source))
        runs.write_json(new / runs.PROVENANCE, provenance)
        describe(new, name, results)


def describe(folder: Path, name: str, results: Mapping[str, float | str]) -> None:
    """Turn a folder with the three parts into an agent: write its config.json and card.

    Args:
        folder: of the agent, with the record of how it was made, if there is one.
        name: the name to load it by.
        results: of its planner on held-out instructions.
    """
    bodies = runs.read_json(folder / "decision_transformer" / "config.json")["bodies"]
    with runs.placing(folder) as new:
        config = {"model_type": hub.AGENT_TYPE, "goal_version": GOAL_VERSION, "bodies": bodies}
        runs.write_json(new / "config.json", config)
    tags = (*cards.TAGS, *bodies, "decision-transformer")
    cards.write_card(
        folder,
        cards.AGENT,
        cards.model_data(name, results, measured_on=cards.SENTENCES, tags=tags),
        name=name,
        envs=" and ".join(f"`{env_id(body)}`" for body in bodies),
        controls=" or ".join(dict.fromkeys(find_body(body).controls for body in bodies)),
        other=f'  # or body="{bodies[1]}"' if len(bodies) > 1 else "",
        results=cards.agent_results(folder, results),
    )
