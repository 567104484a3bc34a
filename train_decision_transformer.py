"""Train a Decision Transformer, or an MLP to hold it against, to move as the policy that a dataset was collected from.

Reads   datasets of trajectories      (collect_dataset.py, or one of the layouts in agent/data/episodes.py)
Writes  a GoalDecisionTransformer     (finetune_llm.py, evaluate.py, play.py)

    accelerate launch train_decision_transformer.py --config configs/decision_transformer/humanoid.yaml \
        --dataset runs/rollouts --output_dir runs/dt
    accelerate launch train_decision_transformer.py --init_from pretrained/humanoid/decision_transformer \
        --dataset runs/rollouts runs/proposed runs/relabelled --output_dir runs/again

The folder itself is the best model by evaluation in physics, or by its loss where the dataset is another's;
last/ is the newest one; checkpoint/ is what --resume goes on from. The windows of an update depend only on the seed
and its number, so a run that is resumed, or split over processes, sees the same ones.

Shapes: B windows of an update over all processes, K steps of context.
"""

import shutil
import time
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, set_seed
from huggingface_hub.dataclasses import strict
from safetensors.torch import save_file
from tqdm import tqdm

from agent.artefacts import arguments, cards, hub, runs
from agent.data.windows import Steps, data_files, open_steps, sample_windows, take_windows
from agent.evaluation.suites import COMMANDS, measure_commands, score_commands
from agent.models.decision_transformer import (
    GoalDecisionTransformer,
    GoalDecisionTransformerConfig,
    GoalMLP,
    GoalMLPConfig,
    GoalModelOutput,
)
from agent.simulation.video import film

GOAL_PROMPTS = ("prefix", "state")
MODELS = {"transformer": GoalDecisionTransformer, "mlp": GoalMLP}
Model = GoalDecisionTransformer | GoalMLP
# What a model has of its own that an argument says, too.
OWN = {
    "transformer": ("context_length", "hidden_size", "n_layer", "n_head", "goal_prompt", "return_horizon"),
    "mlp": ("hidden_size", "n_layer"),
}
MEASURED = ("survival", "velocity_error", "yaw_error")
LOSS_WINDOWS = 1024  # of an evaluation without physics
MAX_SKIPPED = 10  # updates of a run without a finite gradient; more than that is no accident
# What may change when a run goes on: where its dataset is, what it reports.
FREE = {"init_from", "dataset", "evaluate_every", "checkpoint_every", "log_every"}
FREE |= arguments.ALWAYS_FREE


@strict
@dataclass
class Arguments(arguments.TrainingArguments):
    dataset: list[str] = field(
        default_factory=list, metadata={"help": "folder or Hub repo of the dataset; several are taken together"}
    )
    output_dir: str = field(default="runs/dt", metadata={"help": "folder of the model, its checkpoint and its curves"})
    init_from: str = field(default="", metadata={"help": "folder or Hub repo of a model to start from"})
    resume: bool = field(default=False, metadata={"help": "go on from the checkpoint in output_dir"})
    seed: int = 0

    model: str = field(default="transformer", metadata={"help": "transformer, or mlp for plain behavior cloning"})
    context_length: int = field(default=20, metadata={"help": "steps in a window"})
    hidden_size: int = 128
    n_layer: int = 3
    n_head: int = 4
    goal_prompt: str = field(default="prefix", metadata={"help": "prefix, or state: add the goal to every state"})
    return_horizon: int = field(
        default=60, metadata={"help": "steps whose mean reward is the return-to-go; 0: it is always nothing"}
    )
    target_quantile: float = field(default=0.9, metadata={"help": "which of the dataset's returns-to-go to ask for"})
    next_state_weight: float = field(default=0.0, metadata={"help": "weight of predicting the next state, too"})

    updates: int = 6000
    batch_size: int = field(default=64, metadata={"help": "windows of an update, over all processes"})
    gradient_accumulation_steps: int = field(default=1, metadata={"help": "parts that a process takes its windows in"})
    learning_rate: float = 6e-4
    warmup_updates: int = 300
    weight_decay: float = 1e-4
    max_grad_norm: float = 1.0
    ema_decay: float = field(default=0.99, metadata={"help": "of the averaged weights, which are what is evaluated"})
    evaluate_every: int = field(default=1000, metadata={"help": "updates between evaluations on the commands suite"})
    evaluation_episodes: int = field(default=2, metadata={"help": "episodes of each command in an evaluation"})
    checkpoint_every: int = field(default=500, metadata={"help": "updates between checkpoints"})
    log_every: int = field(default=50, metadata={"help": "updates between rows of metrics"})

    def validate_numbers(self):
        for name in (
            *("context_length", "hidden_size", "n_layer", "n_head", "updates", "batch_size"),
            *("gradient_accumulation_steps", "evaluate_every", "evaluation_episodes", "checkpoint_every", "log_every"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.next_state_weight < 0:
            raise ValueError(f"next_state_weight={self.next_state_weight} must be at least 0")
        if self.hidden_size % self.n_head:
            raise ValueError(f"hidden_size={self.hidden_size} must be a multiple of n_head={self.n_head}")
        if self.goal_prompt not in GOAL_PROMPTS:
            raise ValueError(f"goal_prompt={self.goal_prompt!r} is unknown: choose {' or '.join(GOAL_PROMPTS)}")
        for name in ("target_quantile", "ema_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)} must be from 0 to 1")
        if self.model not in MODELS:
            raise ValueError(f"model={self.model!r} is unknown: choose one of {', '.join(MODELS)}")

    def validate_sources(self):
        if not self.dataset or not all(self.dataset):
            raise ValueError("--dataset is missing: give the folder or Hub repo of a dataset")
        if self.resume and self.init_from:
            raise ValueError("--resume goes on from output_dir and --init_from starts anew: give one of them")
        if self.init_from and self.target_quantile != type(self).target_quantile:
            raise ValueError(
                f"target_quantile={self.target_quantile} is for a new model, {self.init_from} keeps its target: "
                "leave it out"
            )


def main(args: Arguments) -> None:
    accelerator = Accelerator(
        log_with=None if args.report_to == "none" else args.report_to,
        project_dir=Path(args.output_dir) / "runs",
        gradient_accumulation_steps=args.gradient_accumulation_steps,
    )
    args.check_processes(accelerator.num_processes)
    parts = accelerator.num_processes * args.gradient_accumulation_steps
    if args.batch_size % parts:
        raise ValueError(
            f"batch_size={args.batch_size} does not divide into {parts} parts: choose a multiple of {parts}"
        )
    set_seed(args.seed)
    with accelerator.main_process_first():
        datasets = [hub.folder(name, repo_type="dataset") for name in args.dataset]
        source = hub.folder(args.init_from) if args.init_from else None
        steps = open_steps(*datasets)
    returns_to_go = steps.returns_to_go(args.return_horizon)
    checkpoint = Path(args.output_dir) / "checkpoint"
    ema = build_model(args, steps, returns_to_go, source, checkpoint).to(accelerator.device).eval()
    upstream = {
        "dataset": ", ".join(map(hub.origin, args.dataset, datasets)),
        "dataset_sha256": ", ".join(runs.fingerprint(each, data_files(each)) for each in datasets),
    }
    if args.resume:
        check_dataset(args, upstream)
    model = deepcopy(ema).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, weight_decay=args.weight_decay)
    model, optimizer = accelerator.prepare(model, optimizer)
    progress: dict = {"update": 0, "skipped": 0, "best_score": None, "seconds": 0.0}
    if args.resume:
        progress = load_checkpoint(checkpoint, accelerator)
    if accelerator.is_main_process:
        metrics = runs.Metrics(args.output_dir, progress["update"] if args.resume else None)
        if source:
            upstream["init_from"] = hub.origin(args.init_from, source)
        if not args.resume:
            shutil.rmtree(checkpoint, ignore_errors=True)  # of another run
            runs.record_provenance(args.output_dir, args, upstream)
        provenance = runs.read_json(Path(args.output_dir) / runs.PROVENANCE)
    if accelerator.log_with:
        told = vars(args) | {"dataset": " ".join(args.dataset)}  # trackers take no lists
        accelerator.init_trackers("decision_transformer", config=told)

    if accelerator.is_main_process and args.init_from:
        # What it starts from stays the best until something is better.
        judge(ema, args, steps, returns_to_go, progress, provenance)
    context = args.context_length
    recent: list[dict[str, float]] = []
    bar = tqdm(
        total=args.updates,
        initial=progress["update"],
        unit="update",
        disable=None if accelerator.is_main_process else True,
    )
    with runs.interruptible() as interruption:
        while progress["update"] < args.updates:
            started = time.perf_counter()
            first = sample_windows(
                np.random.default_rng([args.seed, progress["update"]]), steps, args.batch_size, context
            )
            mine = first.reshape(args.gradient_accumulation_steps, accelerator.num_processes, -1)[
                :, accelerator.process_index
            ]
            batches = [
                {
                    name: torch.from_numpy(value).to(accelerator.device)
                    for name, value in take_windows(steps, returns_to_go, part, context).items()
                }
                for part in mine
            ]
            taken = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(progress["update"], args)
            row = train(accelerator, model, optimizer, batches, args)
            progress["skipped"] += int(row["loss/skipped"])
            if progress["skipped"] > MAX_SKIPPED:
                stop_with(batches, args)
            progress["update"] += 1
            update_average(ema, accelerator.unwrap_model(model), progress["update"], args.ema_decay)
            now = time.perf_counter()
            progress["seconds"] += now - started
            recent.append(
                row
                | {"time/updates_per_second": 1 / (now - started), "time/model_share": (now - taken) / (now - started)}
            )
            bar.update()

            done = progress["update"] == args.updates
            row = {}
            if done or progress["update"] % args.log_every == 0:
                row = {name: float(np.mean([one[name] for one in recent])) for name in recent[0]}
                row |= {
                    "policy/learning_rate": optimizer.param_groups[0]["lr"],
                    "time/hours": progress["seconds"] / 3600,
                }
                recent.clear()
                bar.set_postfix_str(f"loss {row['loss/action']:.5f}")
            evaluated = done or progress["update"] % args.evaluate_every == 0
            if accelerator.is_main_process and evaluated:
                row |= judge(ema, args, steps, returns_to_go, progress, provenance)
            if row and accelerator.is_main_process:
                metrics.add(progress["update"], row)
                if evaluated:
                    metrics.draw()
            if row and accelerator.log_with:
                accelerator.log(row, step=progress["update"])
            interrupted = max(gather_object([interruption.signal]))
            if done or interrupted or progress["update"] % args.checkpoint_every == 0:
                save_checkpoint(checkpoint, accelerator, ema, progress)
            if interrupted:
                bar.close()
                raise SystemExit(128 + interrupted)
    bar.close()
    if accelerator.is_main_process:
        finish(args, progress)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def build_model(
    args: Arguments, steps: Steps, returns_to_go: np.ndarray, source: Path | None, checkpoint: Path
) -> Model:
    """The model to train: a new one with the dataset's statistics, that in `source`, or that of the checkpoint."""
    kind = MODELS[args.model]
    if args.resume:
        found = runs.newest(checkpoint)
        if found is None:
            raise ValueError(f"no checkpoint in {checkpoint}: start without --resume")
        runs.check_resume(args.output_dir, args, FREE)
        return kind.from_pretrained(found / "average")
    if source:
        model = kind.from_pretrained(source)
        sizes = model.config.state_dim, model.config.act_dim
        if sizes != steps.sizes:
            raise ValueError(
                f"{args.init_from} is for observations and actions of {sizes} numbers, "
                f"{' '.join(args.dataset)} has {steps.sizes}"
            )
        for name in OWN[args.model]:
            found, asked = getattr(model.config, name), getattr(args, name)
            if found != asked:
                raise ValueError(f"{args.init_from} has {name}={found}, not {asked}: give --{name} {found}")
        if args.model == "transformer" and model.config.next_state_weight != args.next_state_weight:
            changed = model.config.to_dict() | {"next_state_weight": args.next_state_weight}
            weights, model = model.state_dict(), kind(kind.config_class.from_dict(changed))
            model.load_state_dict(weights, strict=False)  # the head that predicts states comes, or goes
        return model
    body = dict(zip(("state_dim", "act_dim"), steps.sizes, strict=True)) | {"action_limit": steps.action_limit}
    if args.model == "mlp":
        model = GoalMLP(GoalMLPConfig(hidden_size=args.hidden_size, n_layer=args.n_layer, **body))
    else:
        config = GoalDecisionTransformerConfig(
            context_length=args.context_length,
            hidden_size=args.hidden_size,
            n_layer=args.n_layer,
            n_head=args.n_head,
            goal_prompt=args.goal_prompt,
            return_horizon=args.return_horizon,
            target_return=float(np.quantile(returns_to_go, args.target_quantile)),
            next_state_weight=args.next_state_weight,
            **body,
        )
        model = GoalDecisionTransformer(config)
    model.set_statistics(*steps.moments(), float(returns_to_go.mean()), float(returns_to_go.std()))
    return model


def check_dataset(args: Arguments, upstream: dict[str, str]) -> None:
    """Raise ValueError where the run that goes on was trained on other steps than those of the dataset."""
    before = runs.read_json(Path(args.output_dir) / runs.PROVENANCE)["upstream"]
    if before.get("dataset_sha256") != upstream["dataset_sha256"]:
        raise ValueError(
            f"{' '.join(args.dataset)} is not the data that {args.output_dir}/{runs.PROVENANCE} has, which was in "
            f"{before['dataset']}: give that, or start without --resume"
        )


def learning_rate(update: int, args: Arguments) -> float:
    """Learning rate of an update: a linear warm-up, then a linear decay to nothing."""
    warm = min(1.0, (update + 1) / max(1, args.warmup_updates))
    left = (args.updates - update) / max(1, args.updates - args.warmup_updates)
    return args.learning_rate * min(warm, left)


def train(accelerator: Accelerator, model, optimizer, batches: list[dict], args: Arguments) -> dict[str, float]:
    """One update on the windows of this process; returns what to log.

    The loss is a mean over the counted steps of all processes and parts, however these share them.
    """
    counted = accelerator.reduce(sum(batch["loss_mask"].sum() for batch in batches), "sum")
    share = counted / (len(batches) * accelerator.num_processes)
    losses: dict[str, torch.Tensor] = {}
    for batch in batches:
        with accelerator.accumulate(model):
            output: GoalModelOutput = model(**batch, loss_steps=share)
            accelerator.backward(output.loss)
            if accelerator.sync_gradients:
                norm = accelerator.clip_grad_norm_(model.parameters(), args.max_grad_norm)
                finite = bool(norm.isfinite())
                if finite:
                    optimizer.step()
            optimizer.zero_grad()
        for name, loss in (("loss/action", output.action_loss), ("loss/next_state", output.state_loss)):
            if loss is not None:
                losses[name] = losses.get(name, 0) + loss.detach() / len(batches)
    means = accelerator.reduce(torch.stack([*losses.values()]), "mean")
    row = dict(zip(losses, means.tolist(), strict=True))
    return row | {"policy/gradient_norm": float(norm), "loss/skipped": float(not finite)}


def stop_with(batches: list[dict], args: Arguments) -> NoReturn:
    """Keep the windows whose gradients are not finite for a look at them, and end the run."""
    path = Path(args.output_dir) / "not_finite.safetensors"
    save_file(
        {f"{name}.{part}": value.cpu() for part, batch in enumerate(batches) for name, value in batch.items()}, path
    )
    raise ValueError(
        f"the gradients of more than {MAX_SKIPPED} updates were not finite: look at {path}, "
        "then start anew, --init_from what is the best so far, with a lower learning_rate"
    )


@torch.no_grad()
def update_average(average: Model, model: Model, update: int, decay: float) -> None:
    """Move the averaged weights towards those of the model; quickly at first, when there is little to average."""
    decay = min(decay, (1 + update) / (10 + update))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)


def judge(
    model: Model, args: Arguments, steps: Steps, returns_to_go: np.ndarray, progress: dict, provenance: dict
) -> dict[str, float]:
    """Measure the model, save it as the last one and, if none was better, as the best."""
    score, evaluation = evaluate(model, args) if steps.ours else evaluate_loss(model, args, steps, returns_to_go)
    model.save_pretrained(Path(args.output_dir) / "last")
    if progress["best_score"] is None or score > progress["best_score"]:
        progress |= {"best_score": score, "best": evaluation | {"update": progress["update"]}}
        publish(model, args, steps, progress, provenance)
    return evaluation


def evaluate(model: Model, args: Arguments) -> tuple[float, dict[str, float]]:
    """Score of the model, the greater the better, and its measurements in physics."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the cores belong to the physics
    mean = measure_commands(model, COMMANDS, episodes=args.evaluation_episodes, seed=args.seed)["mean"]
    torch.set_num_threads(threads)
    measured = {f"evaluation/{name}": mean[name] for name in MEASURED if mean[name] is not None}
    return score_commands(mean), measured


@torch.no_grad()
def evaluate_loss(
    model: Model, args: Arguments, steps: Steps, returns_to_go: np.ndarray
) -> tuple[float, dict[str, float]]:
    """As `evaluate`, for a dataset of others: the error of its actions in a thousand windows."""
    first = sample_windows(np.random.default_rng(args.seed), steps, LOSS_WINDOWS, args.context_length)
    windows = take_windows(steps, returns_to_go, first, args.context_length)
    output: GoalModelOutput = model(
        **{name: torch.from_numpy(value).to(model.device) for name, value in windows.items()}
    )
    assert output.action_loss is not None, "windows have labels"
    loss = float(output.action_loss)
    return -loss, {"evaluation/action_loss": loss}


def publish(model: Model, args: Arguments, steps: Steps, progress: dict, provenance: dict) -> None:
    """Save the model, with its card, as the best so far."""
    model.save_pretrained(args.output_dir)
    name, kind = args.push_to_hub or Path(args.output_dir).name, type(model).__name__
    results = {metric.removeprefix("evaluation/"): value for metric, value in progress["best"].items()}
    data = cards.model_data(name, {each: results.get(each) for each in MEASURED}, tags=("decision-transformer",))
    if not steps.ours:
        data.tags = [tag for tag in data.tags or () if tag not in cards.TAGS]
    observation_size, action_size = steps.sizes
    facts = {
        "kind": kind,
        "name": name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": len(steps),
        "version": model.config.goal_version,
        "observation_size": observation_size,
        "action_size": action_size,
        "limit": model.config.action_limit,
        "windows": LOSS_WINDOWS,
        "episodes": args.evaluation_episodes,
        "table": cards.table([["measure", "value"], *map(list, results.items())]),
    }
    texts = HUMANOID if steps.ours else OTHERS
    card = cards.Card(data=data, **{part: text.format(**facts) for part, text in texts.items()})
    cards.write_card(Path(args.output_dir), card, provenance)


# What the card says of a model that moves the humanoid.
HUMANOID = {
    "title": "{kind} for Humanoid-v5",
    "what": """
{parameters:,} parameters. Imitates a goal-conditioned motor policy from {steps:,} steps of it; speaks goal vocabulary
{version}. The statistics of its observations are inside.
""",
    "use": """
from agent.models.decision_transformer import {kind}
from agent import Goal, make_env

model, env = {kind}.from_pretrained("{name}").eval(), make_env()
model.prompt(Goal(vx=1.0))
observation, _ = env.reset(seed=0)
for _ in range(1000):
    observation, *_ = env.step(model.act(observation))
""",
    "results": """
Measured during training, {episodes} episodes of 1,000 steps for each command of the commands suite; errors in m/s and
rad/s, survival as the share of steps before a fall.

{table}
""",
    "limits": """
It does what the policy in its data did, and nothing else: velocities on flat ground, in simulation. It sees nothing.
""",
}
# And of one that learned from episodes of others.
OTHERS = {
    "title": "{kind} of a dataset of others",
    "what": """
{parameters:,} parameters. Imitates {steps:,} steps of episodes that were not collected here: {observation_size}
numbers in an observation, {action_size} in an action, each of these within ±{limit:.3g}. The goal is always the same.
The statistics of its observations are inside.
""",
    "use": """
import numpy as np

from agent.models.decision_transformer import {kind}

model = {kind}.from_pretrained("{name}").eval()
observation = np.zeros({observation_size}, dtype=np.float32)  # as the body's own environment returns it
action = model.act(observation)
""",
    "results": """
Measured on {windows:,} windows of the steps it was trained on: the mean squared error of its actions, in shares of
their range. It was not tried in physics.

{table}
""",
    "limits": """
It does what is in its data, and nothing else. It follows no goals, and its body is not simulated here.
""",
}


def save_checkpoint(folder: Path, accelerator: Accelerator, average: Model, progress: dict) -> None:
    """Write all that --resume needs, every process its part, and put it in the old one's place when it is whole."""
    beside = folder.with_name("checkpoint.part")
    size = 4 * sum(value.nbytes for value in average.state_dict().values())  # model, two moments, average
    with runs.writing(folder, size):
        accelerator.save_state(str(beside))
    if accelerator.is_main_process:
        average.save_pretrained(beside / "average")
        runs.write_json(beside / "progress.json", progress)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        with runs.replacing(folder) as whole:
            beside.rename(whole)


def load_checkpoint(folder: Path, accelerator: Accelerator) -> dict:
    """Put everything back as `save_checkpoint` found it; returns the progress."""
    found = runs.newest(folder)
    assert found, "build_model has found it"
    accelerator.load_state(str(found))
    return runs.read_json(found / "progress.json")


def finish(args: Arguments, progress: dict) -> None:
    """Write the summary, and publish the best model."""
    best = progress["best"]
    units = {"survival": "", "velocity_error": " m/s", "yaw_error": " rad/s", "action_loss": ""}
    measured = [
        f"{name.replace('_', ' ')} {best[f'evaluation/{name}']:.3g}{unit}"
        for name, unit in units.items()
        if f"evaluation/{name}" in best
    ]
    made, metric = f"a {args.model} after {progress['update']:,} updates", ", ".join(measured)
    runs.write_summary(args.output_dir, stage="transformer", made=made, seconds=progress["seconds"], metric=metric)
    if args.push_to_hub:
        if "evaluation/survival" in best:  # in physics
            film(MODELS[args.model].from_pretrained(args.output_dir).eval(), Path(args.output_dir))
        hub.publish(args.output_dir, args.push_to_hub, private=args.private, tag=args.tag)


if __name__ == "__main__":
    arguments.run(main, Arguments)
