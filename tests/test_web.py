"""The page's JavaScript gives what the Python code gives. It needs node, and what `make web` installs and exports.

This file records what Python does; the tests in web/tests read the records and compare, in node.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from agent.bodies.humanoid import HUMANOID
from agent.feedback.pursuit import Pursuit
from agent.feedback.trials import random_place, random_posture, random_program
from agent.goals import ARMS, GRID, HEIGHTS, SKILLS, SPEEDS, Goal, GoalProgram, Progress, VelocityGoal
from agent.goals import Pose
from agent.language.program import parse
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig
from agent.simulation.env import make_env, goal_env
from agent.simulation.heading import heading_observation

WEB = ROOT / "web"
EXPORTED = WEB / "generated"
STEPS = 600  # of a track

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and (WEB / "node_modules").is_dir() and (EXPORTED / "transformer.onnx").is_file()),
    reason="the page is not built: make web",
)


def spoken_programs(rng: np.random.Generator) -> list[str]:
    """Readable programs of all kinds of goal, and some that are beyond the robot or make no sense."""
    amounts = ["2 meters", "half a metre", "six feet", "5 feet 6 inches", "1,5 m", "three quarters of a minute", "90 degrees"]
    amounts += ["a quarter turn", "one and a half turns", "two hundred ten degrees", "a couple of steps", "4 s", "1/2 minute"]
    amounts += ["point five metres", "two point five seconds", "1,000 cm", "a mile", "0.01 m", "1 minute and 30 seconds"]
    speeds = ["3 km/h", "0.8 m/s", "thirty degrees per second", "1 m/s forward and 0.6 rad/s left", "9 m/s", "0.4 rad/s"]
    postures = ["", ", low", ", arms up", ", wave left", ", low, arms out"]
    motions = [skill.replace("_", " ") for skill in SKILLS]
    texts = ["refuse: unclear", "refuse: limit", "dance", "", "go home fast, wave right", "face start, low", "stand at 1 m/s"]
    for _ in range(400):
        goals = []
        for _ in range(rng.integers(1, 4)):
            posture = rng.choice(postures)
            if rng.random() < 0.2:
                place = f"{rng.uniform(0, 25):.1f} m {rng.choice(['ahead', 'behind'])} 2 feet {rng.choice(['left', 'right'])}"
                goals.append(f"go to {place}{posture}")
                continue
            pace = rng.choice(["", " slow", " fast"])
            amount = f" {rng.choice(amounts)}" if rng.random() < 0.8 else ""
            speed = f" at {rng.choice(speeds)}" if rng.random() < 0.4 else ""
            goals.append(f"{rng.choice(motions)}{pace}{amount}{speed}{posture}")
        texts.append("; ".join(goals))
    return texts


def program_record(text: str) -> dict:
    program = parse(text, HUMANOID)
    return {"text": text, "tokens": program.tokens, "spoken": program.text, "reason": program.reason}


def random_goals(rng: np.random.Generator) -> list[Goal]:
    goals = [goal for _ in range(150) for goal in random_program(rng, HUMANOID)]
    for _ in range(150):
        velocity = [float(rng.uniform(points[0], points[-1])) for points in GRID.values()]
        goals.append(VelocityGoal(*velocity, **random_posture(rng, HUMANOID), seconds=float(rng.uniform(0.1, 600))))
    possible = [goal for goal in goals if not parse(goal.on_grid().text, HUMANOID).refused]
    assert len(possible) > len(goals) / 2
    return possible


def goal_record(goal: Goal) -> dict:
    """A goal, and what it wants at a random place of its way."""
    near = goal.on_grid()
    return {
        "text": near.text,
        "tokens": GoalProgram((near,)).tokens,
        "command": near.command_ids if isinstance(near, VelocityGoal) else None,
    }


def record_track(rng: np.random.Generator, goals: tuple[Goal, ...]) -> tuple[dict, np.ndarray]:
    """A body that follows what it is told loosely, and what `Pursuit` tells it: observations [T, S]."""
    size, first = HUMANOID.observation_size, 5 + len(HUMANOID.joints)
    pursuit, velocity = Pursuit(goals, HUMANOID), np.zeros(3)
    observations, commands, reached = np.zeros((STEPS, size), dtype=np.float32), [], []
    for observation in observations:
        velocity += 0.05 * (np.array(pursuit.goal.velocity) - velocity) + rng.normal(0, 0.02, 3)
        tilt = rng.normal(0, 0.03, 3)
        observation[0] = 1.25
        observation[1:5] = np.array([1, *tilt]) / math.hypot(1, *tilt)
        observation[first : first + 2], observation[first + 5] = velocity[:2], velocity[2]
        observation[first + 3 : first + 5] = rng.normal(0, 0.2, 2)
        pursuit.add(observation)
        goal = pursuit.goal
        commands.append([*goal.velocity, HEIGHTS.index(goal.height), ARMS.index(goal.arms)])
        reached.append(len(pursuit.outcomes))
    return {"program": "; ".join(goal.text for goal in goals), "commands": commands, "reached": reached}, observations


def record_motion(agent: Path, goal: VelocityGoal) -> dict:
    """Half a second of the shipped transformer in the simulator."""
    transformer = GoalDecisionTransformer.from_pretrained(agent / "decision_transformer", body=HUMANOID.name)
    env = make_env(HUMANOID.name)
    observation, _ = env.reset(seed=0)
    data = goal_env(env).data
    start = {"qpos": data.qpos.tolist(), "qvel": data.qvel.tolist()}
    transformer.prompt(goal)
    observations, actions = [], []
    for _ in range(round(0.5 / HUMANOID.control_seconds)):
        action = transformer.act(observation)
        observation, *_ = env.step(action)
        actions.append(action.tolist())
        observations.append(heading_observation(data.qpos, data.qvel).tolist())
    return {"goal": goal.text, **start, "actions": actions, "observations": observations}


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("records")
    texts = spoken_programs(rng)
    tracks = [record_track(rng, program) for program in (random_program(rng, HUMANOID, 3) for _ in range(20))]
    write = lambda name, value: (folder / name).write_text(json.dumps(value))  # noqa: E731
    write("programs.json", [program_record(text) for text in texts])
    write("goals.json", [goal_record(goal) for goal in random_goals(rng)])
    write("tracks.json", [track for track, _ in tracks])
    np.concatenate([observations for _, observations in tracks]).tofile(folder / "tracks.bin")
    agent = Path(json.loads((EXPORTED / "tables.json").read_text())["agent"])
    write("motions.json", [record_motion(agent, goal) for goal in (Goal(), Goal(1.0), Goal(0.6, 0, 0.4))])
    return folder


def test_the_tables_are_those_of_this_code():
    sys.path.insert(0, str(WEB))
    from export import body_table, code_tables

    exported = json.loads((EXPORTED / "tables.json").read_text())
    for name, table in (code_tables() | {"body": body_table(HUMANOID)}).items():
        assert exported[name] == json.loads(json.dumps(table)), f"{name} of the page is stale: make web"


@pytest.mark.parametrize("name", ["goals", "program", "pursuit", "physics"])
def test_javascript_gives_what_python_gives(name, records):
    command = ["node", "--test", str(WEB / "tests" / f"{name}.test.js")]
    result = subprocess.run(command, env={**os.environ, "RECORDS": str(records)}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_exported_graph_computes_what_the_transformer_does():
    sys.path.insert(0, str(WEB))
    from graphs import TransformerGraph

    torch.manual_seed(0)
    model = GoalDecisionTransformer(GoalDecisionTransformerConfig()).eval()
    ...
