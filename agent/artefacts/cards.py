"""Model and dataset cards, which the Hub shows. All have the same sections in the same order.

A card is made from one of the templates below. Its `use` is Python, its other parts are Markdown, and its fields are
facts that `write_card` is given.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev

from huggingface_hub import DatasetCardData, EvalResult, ModelCard, ModelCardData

from agent.artefacts import runs
from agent.goals import GOAL_VERSION

LICENSE = "apache-2.0"
TAGS = ("robotics", "mujoco", "gymnasium")
REPLAY = "replay.mp4"
SENTENCES = "development sentences"  # what planners are measured on


def write_card(
    folder: Path, template: Mapping[str, str], data: ModelCardData | DatasetCardData, **facts: object
) -> None:
    """Write the README.md of the artefact in `folder`, with the metadata `data`.

    The `template` has the text of each part, and `facts` the values of its fields, except `version` and `replay`. The
    folder's provenance may be missing if the template has a text for `reproduce`.
    """
    facts |= {"version": GOAL_VERSION, "replay": REPLAY}
    parts = {part: text.format(**facts).strip() for part, text in template.items()}
    provenance = folder / runs.PROVENANCE
    if provenance.is_file() or "reproduce" not in parts:
        parts["reproduce"] = reproduction(runs.read_json(provenance))
    sections = {
        "Use": f"```python\n{parts['use']}\n```",
        "Results": parts["results"],
        "Reproduce": parts["reproduce"],
        "Limits": parts["limits"],
        "License": LICENSE,
    }
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items())
    with runs.replacing(folder / "README.md") as new:
        new.write_text(f"---\n{data.to_yaml()}\n---\n\n# {parts['title']}\n\n{parts['what']}\n\n{body}\n")


def model_data(
    name: str,
    results: Mapping[str, float | str | None],
    *,
    measured_on: str,
    pipeline_tag: str = "reinforcement-learning",
    tags: tuple[str, ...] = (),
) -> ModelCardData:
    """The metadata of the card of a model in the repo or folder `name`.

    The `results` become its model-index, without those that are None; `measured_on` is the env or the data that they
    are from. The `tags` are added to `pipeline_tag`, the task as the Hub names it.
    """
    return ModelCardData(
        license=LICENSE,
        library_name="transformers",
        pipeline_tag=pipeline_tag,
        tags=[pipeline_tag, *tags],
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


def dataset_data(env_id: str, body: str) -> DatasetCardData:
    """The metadata of the card of a dataset that was collected in an env."""
    return DatasetCardData(
        license=LICENSE,
        pretty_name=f"{env_id} following goals",
        task_categories=["reinforcement-learning", "robotics"],
        tags=["LeRobot", body, *TAGS],
        configs=[{"config_name": "default", "data_files": "data/*/*.parquet"}],
    )


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


def measures(values: Mapping[str, object], heading: str = "value") -> str:
    """Values by name as a Markdown table."""
    return table([["measure", heading], *([name.replace("_", " "), value] for name, value in values.items())])


def policy_results(evaluation: Mapping) -> tuple[dict[str, float | str | None], str]:
    """The model-index and the table of a motor policy, from rows and their mean, of the commands suite or the native
    one.
    """
    rows, mean = evaluation["rows"], evaluation["mean"]
    columns = [column for column in rows[0] if column != "episodes"]
    cells = [[row.get(column) for column in columns] for row in (mean | {columns[0]: "mean"}, *rows)]
    cells = [["" if cell is None else cell for cell in row] for row in cells]
    results = {metric: value for metric, value in mean.items() if metric != "native_return"}
    returns = [row["native_return"] for row in rows if row.get("native_return") is not None]
    if returns:
        results["mean_reward"] = f"{fmean(returns):.2f} +/- {pstdev(returns):.2f}"
    return results, table([columns, *cells])


def agent_results(folder: Path, shares: Mapping[str, float | str]) -> str:
    """The results in an agent's card: the shares of its planner, and a pointer to the cards of its parts."""
    texts = [f"The planner, on development sentences:\n\n{measures(shares, 'share')}"] if shares else []
    if (folder / "decision_transformer" / "README.md").is_file():
        texts += ["Each part has its own card, with its measurements and the command that made it."]
    return "\n\n".join(texts) or "Not measured."


POLICY = {
    "title": "Motor policy for {env_id}",
    "what": """
A mirror-symmetric Gaussian policy: heading-frame observation [{size}] and command in, {controls} out. A command is a
velocity (forward, sideways, yaw rate), a height and a pose of the arms. Trained {stage} by PPO: {steps:,} steps in
{hours:.2f} hours. `curves.png` shows the training.
""",
    "use": """
from agent import Goal, MotorPolicy, make_env

goal = Goal(vx=1.0, wz=0.4)  # m/s ahead, rad/s to the left
policy, env = MotorPolicy.from_pretrained("{name}"), make_env("{body}")
policy.prompt(goal)
observation, _ = env.reset(seed=0, options={{"goal": goal}})
for _ in range(1000):
    observation, *_ = env.step(policy.act(observation))
""",
    "results": """
Each command was measured in {episodes} episodes of 15 seconds with the deterministic policy. Errors are mean absolute
differences between the command and the velocity averaged over a sliding second (m/s and rad/s). Survival is the share
of steps before a fall. `native_return` is the return under the reward of Gymnasium's own env of this robot, if there
is one; the card's metadata also has its standard deviation between commands. The height was normal and the arms were
at rest; `evaluate.py --suite postures` measures the other postures.

{table}
""",
    "limits": """
It walks on flat ground and sees nothing. It follows commands; places and straight lines need the steering of
`agent.feedback.pursuit`. It was trained and measured in simulation only.
""",
}
NATIVE_POLICY = {
    "title": "Motor policy for {env_id}",
    "what": """
A Gaussian policy for the native reward of {env_id}. Its input is the observation of that env [{size}], without the
optional `include_*` parts. Its output is {controls}. Its gait clock does not run. Trained by PPO: {steps:,} steps in
{hours:.2f} hours. `curves.png` shows the training.
""",
    "use": """
from agent import MotorPolicy, make_vector_env

policy = MotorPolicy.from_pretrained("{name}")
envs = make_vector_env(1, body="{body}", reward="native", frame="world")
observations, _ = envs.reset(seed=0)
for _ in range(1000):
    observations, *_ = envs.step(policy.act(observations))
""",
    "results": """
One row per episode of 1,000 steps with the deterministic policy, by `evaluate.py --actor policy --suite native`:
survival is the share of the episode before a fall, the speed is along the world's x axis (m/s), and the return is the
sum of the native rewards.

{table}
""",
    "limits": """
It runs along the world's x axis and follows no goals. It was trained and measured in simulation only.
""",
}
PLANNER = {
    "title": "Planner",
    "what": """
Turns an English sentence into a goal program for a simulated robot, and judges and corrects what the robot did. A
LoRA adapter on {base}. Decoding follows a grammar, so the answer is always a valid program or a refusal with a reason.
Goal vocabulary: {version}.
""",
    "use": """
from agent import Planner

planner = Planner.from_pretrained("{name}")
print(planner.parse("go to the spot 3 m ahead and 1 m left, then wave").text)
""",
    "results": """
Shares of {examples} development sentences, which were not used for training. Settings were chosen on them, so expect
slightly lower results on unseen sentences:

{table}
""",
    "limits": """
It reads English only. It refuses what refers to surroundings, objects or people, because the robot sees nothing.
""",
}
AGENT = {
    "title": "A motor agent that follows English instructions",
    "what": """
Moves the robots of {envs}. A language model turns a sentence into a goal program. A controller steers toward the
current goal by odometry, and prompts a Decision Transformer with velocity commands. The transformer moves the joints.
Goal vocabulary: {version}.

| part | what it is |
|---|---|
| `planner/` | the LoRA adapter of the language model, which decodes under a grammar of goal programs |
| `decision_transformer/` | command and last steps in, {controls} out |
| `policy/` | for each robot, the PPO policy that collected the transformer's training data |
""",
    "use": """
from agent import MotorAgent

agent = MotorAgent.from_pretrained("{name}"){other}
env = agent.make_env()
env.reset(seed=0)
print(agent.run("go to the spot 2 metres ahead and 1 metre left, then wave", env).summary)
""",
    "results": "{results}",
    "reproduce": "See the cards of its parts.",
    "limits": """
It moves on flat ground and sees nothing. It understands English instructions to stand, walk, run, sidestep, turn, walk
curves, go to a place, return, face the way it started, crouch, and raise, spread or wave its arms. It refuses the
rest.
""",
}
COLLECTED = """
Steps of `{env_id}` under a goal-conditioned motor policy. The policy is executed with Gaussian noise, whose standard
deviation is one of {noise_levels} of the action range for a few seconds at a time. The label of a step is the policy's
mean action in the same state. Bodies are shoved by up to {push_speed} m/s, and {recovery_share:.0%} of the episodes
start disturbed.
"""
DATASET = {
    "title": "{env_id} following goals",
    "what": COLLECTED
    + """
Goals change within episodes: {posture_share:.0%} of them have a crouch or an arm pose, and in {correction_share:.0%}
of the episodes short corrections interrupt them.
""",
    "use": """
from datasets import load_dataset

steps = load_dataset("{name}", split="train", streaming=True)
print(next(iter(steps)))
""",
    "results": """
{numbers}

<video src="{replay}" controls muted></video>

[{replay}]({replay}) shows up to {film_seconds:g} seconds of the longest episode in the first file, drawn from its
rows.

One row per step of {milliseconds:g} ms, episode after episode:

{columns}

`meta/stats.json` has the statistics of every column. `meta/episodes` has, for each episode, where its rows are, the
goals in words, and how each goal was followed. Layout and names follow LeRobot v3.0. Goal vocabulary: {version}.
""",
    "limits": """
One robot on flat ground in simulation, moved by one policy. The data lacks what that policy cannot do.
""",
}
PROPOSED_DATASET = DATASET | {
    "what": COLLECTED
    + """
The goals are those of programs that a planner proposed, to practice what an agent does worst.
""",
}
RELABELED_DATASET = DATASET | {
    "what": """
The steps of `{relabel}` with goals in hindsight: the goal of each stretch of about a second is the mean velocity that
was achieved in it, and rewards and instructions are those of that goal. The label is the policy's action for the goal
that it was given.
""",
}
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

model, env = {model_class}.from_pretrained("{name}", body="{body}"), make_env("{body}")
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

model = {model_class}.from_pretrained("{name}")
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
