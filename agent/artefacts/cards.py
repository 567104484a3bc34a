"""Model and dataset cards, which the Hub shows. All have the same sections in the same order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev

from huggingface_hub import DatasetCardData, EvalResult, ModelCard, ModelCardData

from agent.artefacts import runs
from agent.goals import GOAL_VERSION

LICENSE = "apache-2.0"
TAGS = ("robotics", "mujoco", "gymnasium")
REPLAY = "replay.mp4"


@dataclass(frozen=True)
class Card:
    """The texts of a card; `use` is Python, the others are Markdown. The command that made the artefact comes from its
    provenance.
    """

    data: ModelCardData | DatasetCardData
    title: str
    what: str
    use: str
    results: str
    limits: str


def model_data(
    name: str,
    results: Mapping[str, float | str | None],
    *,
    measured_on: str,
    pipeline_tag: str = "reinforcement-learning",
    tags: tuple[str, ...] = (),
) -> ModelCardData:
    """The metadata of a model's card.

    Args:
        name: of the repo or folder.
        results: the model-index; measures that are None are left out.
        measured_on: the env or the data of the results.
        pipeline_tag: the task, as the Hub names it.
        tags: in addition to TAGS.
    """
    return ModelCardData(
        license=LICENSE,
        library_name="transformers",
        pipeline_tag=pipeline_tag,
        tags=[pipeline_tag, *TAGS, *tags],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type=pipeline_tag,
                dataset_type=measured_on,
                dataset_name=measured_on,
                metric_type=metric,
                metric_name=metric.replace("_", " "),
                metric_value=value if isinstance(value, str) else round(value, 4),
            )
            for metric, value in results.items()
            if value is not None
        ]
        or None,
    )


def write_card(folder: Path, card: Card, provenance: Mapping) -> None:
    """Write the README.md of an artefact; `provenance` is what `runs.record_provenance` returned, or empty."""
    sections = {
        "Use": f"```python\n{card.use.strip()}\n```",
        "Results": card.results.strip(),
        "Reproduce": reproduction(provenance) if provenance else "See the cards of its parts.",
        "Limits": card.limits.strip(),
        "License": LICENSE,
    }
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items())
    with runs.replacing(folder / "README.md") as new:
        new.write_text(f"---\n{card.data.to_yaml()}\n---\n\n# {card.title}\n\n{card.what.strip()}\n\n{body}\n")


def read_results(folder: Path) -> dict[str, float | str]:
    """The model-index of the card in a folder, by metric, as passed to `model_data`; empty if there is none."""
    if not (folder / "README.md").is_file():
        return {}
    results = ModelCard.load(folder / "README.md").data.eval_results or []
    return {result.metric_type: result.metric_value for result in results}


def show_replay(folder: Path) -> None:
    """Mention the replay, which is filmed last, in the card of an artefact."""
    text = (folder / "README.md").read_text()
    with runs.replacing(folder / "README.md") as new:
        new.write_text(text.replace("\n\n## Use", f"\n\n`{REPLAY}` shows it.\n\n## Use", 1))


def reproduction(provenance: Mapping) -> str:
    """The command that made an artefact, with seed, versions and upstream artefacts."""
    versions = ", ".join(f"{name} {version}" for name, version in provenance["libraries"].items())
    processes = provenance.get("processes", 1)
    parts = [
        f"```bash\n{'python' if processes == 1 else 'accelerate launch'} {provenance['command']}\n```",
        f"Seed {provenance['arguments']['seed']}; {processes} process{'es' * (processes > 1)}; "
        f"Python {provenance['python']}, {versions}. All arguments are in `{runs.PROVENANCE}`.",
    ]
    if provenance["upstream"]:
        parts.append("\n".join(f"- {name}: `{value}`" for name, value in provenance["upstream"].items()))
    return "\n\n".join(parts)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows as a Markdown table; the first row is the header."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-" if value is None else str(value)


def write_policy_card(
    folder: Path,
    *,
    name: str,
    body: str,
    env_id: str,
    observation_size: int,
    controls: str,
    native: bool,
    stage: str,
    steps: int,
    seconds: float,
    evaluation: Mapping,
) -> None:
    """Write the card of a motor policy.

    Args:
        folder: of the policy, with its provenance.
        name: of the repo or folder.
        body: name of the robot.
        env_id: of the env that it was measured in.
        observation_size: numbers of the body state.
        controls: its output, in words.
        native: whether it was trained for the native reward of the body, without goals.
        stage: goal-blind or goal-conditioned.
        steps: env steps of the training.
        seconds: duration of the training.
        evaluation: rows and their mean, of the commands suite or the native one.
    """
    rows, mean = evaluation["rows"], evaluation["mean"]
    columns = [column for column in rows[0] if column != "episodes"]
    cells = [[row.get(column) for column in columns] for row in (mean | {columns[0]: "mean"}, *rows)]
    cells = [["" if cell is None else cell for cell in row] for row in cells]
    results = {metric: value for metric, value in mean.items() if metric not in ("episodes", "native_return")}
    returns = [row["native_return"] for row in rows if row.get("native_return") is not None]
    if returns:
        results["mean_reward"] = f"{fmean(returns):.2f} +/- {pstdev(returns):.2f}"
    what, use, measured, limits = (
        (NATIVE_WHAT, NATIVE_USE, NATIVE_RESULTS, NATIVE_LIMITS) if native else (WHAT, USE, RESULTS, LIMITS)
    )
    card = Card(
        data=model_data(name, results, measured_on=env_id, tags=(body, "ppo")),
        title=f"Motor policy for {env_id}",
        what=what.format(
            env_id=env_id, size=observation_size, controls=controls, stage=stage, steps=steps, hours=seconds / 3600
        ),
        use=use.format(name=name, body=body),
        results=measured.format(episodes=rows[0].get("episodes"), table=table([columns, *cells])),
        limits=limits,
    )
    write_card(folder, card, runs.read_json(folder / runs.PROVENANCE))


WHAT = """
A mirror-symmetric Gaussian policy: heading-frame observation [{size}] and command in, {controls} out. A command is a
velocity (forward, sideways, yaw rate), a height and a pose of the arms. Trained {stage} by PPO: {steps:,} steps in
{hours:.2f} hours. `curves.png` shows the training.
"""
USE = """
from agent import Goal, MotorPolicy, make_env

goal = Goal(vx=1.0, wz=0.4)  # m/s ahead, rad/s to the left
policy, env = MotorPolicy.from_pretrained("{name}"), make_env("{body}")
policy.prompt(goal)
observation, _ = env.reset(seed=0, options={{"goal": goal}})
for _ in range(1000):
    observation, *_ = env.step(policy.act(observation))
"""
RESULTS = """
Each command was measured in {episodes} episodes of 15 seconds with the deterministic policy. Errors are mean absolute
differences between the command and the velocity averaged over a sliding second (m/s and rad/s). Survival is the share
of steps before a fall. `native_return` is the return under the reward of Gymnasium's own env of this robot, if there
is one; the card's metadata also has its standard deviation between commands. The height was normal and the arms were
at rest; `evaluate.py --suite postures` measures the other postures.

{table}
"""
LIMITS = """
It walks on flat ground and sees nothing. It follows commands; places and straight lines need the steering of
`agent.feedback.pursuit`. It was trained and measured in simulation only.
"""
NATIVE_WHAT = """
A Gaussian policy for the native reward of {env_id}. Its input is the observation of that env [{size}], without the
optional `include_*` parts. Its output is {controls}. Its gait clock does not run. Trained by PPO: {steps:,} steps in
{hours:.2f} hours. `curves.png` shows the training.
"""
NATIVE_USE = """
from agent import MotorPolicy, make_vector_env

policy = MotorPolicy.from_pretrained("{name}")
envs = make_vector_env(1, body="{body}", reward="native", frame="world")
observations, _ = envs.reset(seed=0)
for _ in range(1000):
    observations, *_ = envs.step(policy.act(observations))
"""
NATIVE_RESULTS = """
One row per episode of 1,000 steps with the deterministic policy, by `evaluate.py --actor policy --suite native`:
survival is the share of the episode before a fall, the speed is along the world's x axis (m/s), and the return is the
sum of the native rewards.

{table}
"""
NATIVE_LIMITS = """
It runs along the world's x axis and follows no goals. It was trained and measured in simulation only.
"""


def write_planner_card(folder: Path, *, name: str, base: str, examples: int, results: Mapping[str, float]) -> None:
    """Write the card of a planner.

    Args:
        folder: of the planner, with its provenance.
        name: of the repo or folder.
        base: language model under the adapter, in words.
        examples: development sentences that it was measured on.
        results: shares of them, by measure.
    """
    card = Card(
        data=model_data(
            name,
            results,
            measured_on="development sentences",
            pipeline_tag="text-generation",
            tags=("planner", "lora"),
        ),
        title="Planner",
        what=PLANNER_WHAT.format(base=base, version=GOAL_VERSION),
        use=PLANNER_USE.format(name=name),
        results=PLANNER_RESULTS.format(examples=examples, table=_shares(results)),
        limits=PLANNER_LIMITS,
    )
    write_card(folder, card, runs.read_json(folder / runs.PROVENANCE))


def _shares(results: Mapping[str, float | str]) -> str:
    return table([["measure", "share"], *([measure.replace("_", " "), share] for measure, share in results.items())])


PLANNER_WHAT = """
Turns an English sentence into a goal program for a simulated robot, and judges and corrects what the robot did. A
LoRA adapter on {base}. Decoding follows a grammar, so the answer is always a valid program or a refusal with a reason.
Goal vocabulary: {version}.
"""
PLANNER_USE = """
from agent import Planner

planner = Planner.from_pretrained("{name}")
print(planner.parse("go to the spot 3 m ahead and 1 m left, then wave").text)
"""
PLANNER_RESULTS = """
Shares of {examples} development sentences, which were not used for training. Settings were chosen on them, so expect
slightly lower results on unseen sentences:

{table}
"""
PLANNER_LIMITS = """
It reads English only. It refuses what refers to surroundings, objects or people, because the robot sees nothing.
"""


def write_agent_card(
    folder: Path,
    *,
    name: str,
    bodies: Sequence[str],
    envs: Mapping[str, str],
    results: Mapping[str, float | str],
) -> None:
    """Write the card of a whole agent.

    Args:
        folder: of the agent, with its provenance if there is one.
        name: of the repo or folder.
        bodies: names of its robots.
        envs: id of the env of each robot, and the output of the transformer there, in words.
        results: of its planner on development sentences; may be empty.
    """
    texts = [AGENT_SHARES.format(table=_shares(results)).strip()] if results else []
    texts += [AGENT_RESULTS] if (folder / "decision_transformer" / "README.md").is_file() else []
    other = f'  # or body="{bodies[1]}"' if len(bodies) > 1 else ""
    card = Card(
        data=model_data(name, results, measured_on="development sentences", tags=(*bodies, "decision-transformer")),
        title="A motor agent that follows English instructions",
        what=AGENT_WHAT.format(
            envs=" and ".join(f"`{env}`" for env in envs),
            controls=" or ".join(dict.fromkeys(envs.values())),
            version=GOAL_VERSION,
        ),
        use=AGENT_USE.format(name=name, other=other),
        results="\n\n".join(texts) or "Not measured.",
        limits=AGENT_LIMITS,
    )
    provenance = folder / runs.PROVENANCE
    write_card(folder, card, runs.read_json(provenance) if provenance.is_file() else {})


AGENT_WHAT = """
Moves the robots of {envs}. A language model turns a sentence into a goal program. A controller steers toward the
current goal by odometry, and prompts a Decision Transformer with velocity commands. The transformer moves the joints.
Goal vocabulary: {version}.

| part | what it is |
|---|---|
| `planner/` | the LoRA adapter of the language model, which decodes under a grammar of goal programs |
| `decision_transformer/` | command and last steps in, {controls} out |
| `policy/` | for each robot, the PPO policy that collected the transformer's training data |
"""
AGENT_USE = """
from agent import MotorAgent

agent = MotorAgent.from_pretrained("{name}"){other}
env = agent.make_env()
env.reset(seed=0)
print(agent.run("go to the spot 2 metres ahead and 1 metre left, then wave", env).summary)
"""
AGENT_SHARES = """
The planner, on development sentences:

{table}
"""
AGENT_RESULTS = "Each part has its own card, with its measurements and the command that made it."
AGENT_LIMITS = """
It moves on flat ground and sees nothing. It understands English instructions to stand, walk, run, sidestep, turn, walk
curves, go to a place, return, face the way it started, crouch, and raise, spread or wave its arms. It refuses the
rest.
"""


def write_dataset_card(
    folder: Path,
    *,
    name: str,
    env_id: str,
    step_seconds: float,
    film_seconds: float,
    numbers: Mapping[str, float],
    columns: Sequence[Sequence[str]],
) -> None:
    """Write the card of a dataset.

    Args:
        folder: of the dataset, with its provenance.
        name: of the repo or folder.
        env_id: of the env that it was collected in.
        step_seconds: from one row to the next.
        film_seconds: maximum length of the video.
        numbers: measures of the whole dataset, by name.
        columns: name, type and meaning of each column.
    """
    provenance = runs.read_json(folder / runs.PROVENANCE)
    arguments = provenance["arguments"]
    goals = DATASET_PROPOSED if arguments["proposals"] else DATASET_GOALS
    what = DATASET_RELABELED if arguments["relabel"] else DATASET_WHAT + goals
    measures = [
        [measure.replace("_", " "), f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"]
        for measure, value in numbers.items()
    ]
    card = Card(
        data=DatasetCardData(
            license=LICENSE,
            pretty_name=f"{env_id} following goals",
            task_categories=["reinforcement-learning", "robotics"],
            tags=["LeRobot", "humanoid", *TAGS],
            configs=[{"config_name": "default", "data_files": "data/*/*.parquet"}],
        ),
        title=f"{env_id} following goals",
        what=what.format(env_id=env_id, **arguments),
        use=DATASET_USE.format(name=name),
        results=DATASET_RESULTS.format(
            numbers=table([["measure", "value"], *measures]),
            columns=table([["column", "type", "meaning"], *([f"`{first}`", *rest] for first, *rest in columns)]),
            replay=REPLAY,
            version=GOAL_VERSION,
            milliseconds=1000 * step_seconds,
            film_seconds=film_seconds,
        ),
        limits=DATASET_LIMITS,
    )
    write_card(folder, card, provenance)


DATASET_WHAT = """
Steps of `{env_id}` under a goal-conditioned motor policy. The policy is executed with Gaussian noise, whose standard
deviation is one of {noise_levels} of the action range for a few seconds at a time. The label of a step is the policy's
mean action in the same state. Bodies are shoved by up to {push_speed} m/s, and {recovery_share:.0%} of the episodes
start disturbed.
"""
DATASET_GOALS = """
Goals change within episodes: {posture_share:.0%} of them have a crouch or an arm pose, and in {correction_share:.0%}
of the episodes short corrections interrupt them.
"""
DATASET_PROPOSED = """
The goals are those of programs that a planner proposed, to practice what an agent does worst.
"""
DATASET_RELABELED = """
The steps of `{relabel}` with goals in hindsight: the goal of each stretch of about a second is the mean velocity that
was achieved in it, and rewards and instructions are those of that goal. The label is the policy's action for the goal
that it was given.
"""
DATASET_USE = """
from datasets import load_dataset

steps = load_dataset("{name}", split="train", streaming=True)
print(next(iter(steps)))
"""
DATASET_RESULTS = """
{numbers}

<video src="{replay}" controls muted></video>

[{replay}]({replay}) shows up to {film_seconds:g} seconds of the longest episode in the first file, drawn from its
rows.

One row per step of {milliseconds:g} ms, episode after episode:

{columns}

`meta/stats.json` has the statistics of every column. `meta/episodes` has, for each episode, where its rows are, the
goals in words, and how each goal was followed. Layout and names follow LeRobot v3.0. Goal vocabulary: {version}.
"""
DATASET_LIMITS = """
One robot on flat ground in simulation, moved by one policy. The data lacks what that policy cannot do.
"""


def write_transformer_card(
    folder: Path,
    *,
    name: str,
    model_class: str,
    bodies: Sequence[str],
    envs: Sequence[str],
    parameters: int,
    steps: int,
    observation_size: int,
    action_size: int,
    largest_action: float,
    results: Mapping[str, float],
    update: int,
    measured: int,
) -> None:
    """Write the card of a Decision Transformer, or of the MLP that it is compared with.

    Args:
        folder: of the model, with its provenance.
        name: of the repo or folder.
        model_class: GoalDecisionTransformer or GoalMLP.
        bodies: names of the robots; empty if they are not simulated here.
        envs: ids of the envs that it was measured in, if it was.
        parameters: their number.
        steps: number of steps that it was trained on.
        observation_size: numbers of the body state.
        action_size: numbers of an action.
        largest_action: in the env's units.
        results: measures, by name.
        update: number of updates before the evaluation.
        measured: number of episodes per command, or of windows of the data, in the evaluation.
    """
    texts = TRANSFORMER if bodies else FOREIGN_TRANSFORMER
    env_ids = " and ".join(envs)
    method = "behavior-cloning" if model_class == "GoalMLP" else "decision-transformer"
    data = model_data(name, results if bodies else {}, measured_on=env_ids, tags=(*bodies, method))
    if not bodies:
        data.tags = [tag for tag in data.tags or () if tag not in TAGS]
    facts = {
        **{"name": name, "model_class": model_class, "envs": env_ids, "version": GOAL_VERSION},
        **{"body": bodies[0] if bodies else "", "motion": "motor policies" if len(bodies) > 1 else "a motor policy"},
        **{"parameters": parameters, "steps": steps, "largest_action": largest_action, "update": update},
        **{"observation_size": observation_size, "action_size": action_size, "measured": measured},
        "table": table([["measure", "value"], *([measure, value] for measure, value in results.items())]),
    }
    card = Card(data=data, **{part: text.format(**facts) for part, text in texts.items()})
    write_card(folder, card, runs.read_json(folder / runs.PROVENANCE))


TRANSFORMER = {
    "title": "{model_class} for {envs}",
    "what": """
{parameters:,} parameters. Imitates {motion} from {steps:,} recorded steps. A command prompts it: a velocity, a height
and a pose of the arms. The statistics of its observations are part of the model.
Goal vocabulary: {version}.
""",
    "use": """
from agent.models.decision_transformer import {model_class}
from agent import Goal, make_env

model, env = {model_class}.from_pretrained("{name}", body="{body}").eval(), make_env("{body}")
model.prompt(Goal(vx=1.0))
observation, _ = env.reset(seed=0, options={{"goal": Goal(vx=1.0)}})
for _ in range(1000):
    observation, *_ = env.step(model.act(observation))
""",
    "results": """
Measured after {update:,} updates, in {measured} episodes of 15 seconds for each command of the commands suite. Errors
are in m/s and rad/s. Survival is the share of steps before a fall.

{table}
""",
    "limits": """
It does what the policy in its data did: it follows commands on flat ground, in simulation, and sees nothing.
""",
}
FOREIGN_TRANSFORMER = {
    "title": "{model_class} of a dataset from another project",
    "what": """
{parameters:,} parameters. Imitates {steps:,} steps of episodes that were not collected here: {observation_size}
numbers in an observation, {action_size} in an action, each of these within ±{largest_action:.3g}. The goal is always
the same. The statistics of its observations are part of the model.
""",
    "use": """
import numpy as np

from agent.models.decision_transformer import {model_class}

model = {model_class}.from_pretrained("{name}").eval()
observation = np.zeros({observation_size}, dtype=np.float32)  # as the robot's own environment returns it
action = model.act(observation)
""",
    "results": """
Measured after {update:,} updates on {measured:,} windows of the steps it was trained on: the mean squared error of its
actions, which are scaled to ±1. It was not tried in physics.

{table}
""",
    "limits": """
It does what is in its data. It follows no goals, and its robot is not simulated here.
""",
}
