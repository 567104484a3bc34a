"""Train a Decision Transformer, or an MLP baseline, to imitate the policies that collected the datasets.

Reads   datasets of trajectories      (collect_dataset.py, or one of the layouts in agent/data/episodes.py)
Writes  a GoalDecisionTransformer     (finetune_llm.py, evaluate.py, play.py)

    accelerate launch train_decision_transformer.py --config configs/decision_transformer/agent.yaml \
        --dataset runs/rollouts runs/g1_rollouts --output_dir runs/dt
    accelerate launch train_decision_transformer.py --init_from pretrained/agent/decision_transformer \
        --dataset runs/rollouts runs/proposed runs/relabelled --output_dir runs/again

Datasets of several bodies train one model for all of them, on equally many windows of each. The output folder holds
the best model by evaluation in simulation, or by its training loss if the dataset is from another project. last/ holds
the newest model. checkpoint/ holds what --resume continues from. The windows of an update depend only on the seed and
its number, so a run that is resumed, or split over processes, sees the same ones.

Shapes: B windows of an update over all processes, K steps of context.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, set_seed
from huggingface_hub.dataclasses import strict
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm
from transformers import get_linear_schedule_with_warmup

from agent.artefacts import arguments, cards, checkpoints, hub, runs
from agent.artefacts.arguments import option
from agent.bodies import BODIES
from agent.data.windows import Steps, data_files, open_bodies, sample_windows, take_windows
from agent.evaluation.suites import COMMANDS, measure_commands, tracking_score
from agent.models.decision_transformer import GoalDecisionTransformer, GoalMLP
from agent.simulation.env import env_id
from agent.simulation.video import film

GOAL_PROMPTS = ("prefix", "state")
MODELS: dict[str, Any] = {"transformer": GoalDecisionTransformer, "mlp": GoalMLP}
Model = GoalDecisionTransformer | GoalMLP
# Arguments that are also in a model's config.
OWN = {
    "transformer": ("context_length", "hidden_size", "n_layer", "n_head", "goal_prompt", "return_horizon"),
    "mlp": ("hidden_size", "n_layer"),
}
TARGET_QUANTILE = 0.9  # of the dataset's returns-to-go, which the transformer is conditioned on
MEASURED = {"survival": "", "velocity_error": " m/s", "yaw_error": " rad/s"}  # in simulation, with units
LOSS_WINDOWS = 1024  # of an evaluation without simulation
MAX_SKIPPED = 10  # updates with a non-finite gradient that a run may skip
# Arguments that may differ when a run is resumed: the location of its dataset, its reports.
FREE = {"init_from", "dataset", "evaluate_every", "checkpoint_every", "log_every"}
FREE |= arguments.ALWAYS_FREE


@strict
@dataclass
class Arguments(arguments.TrainingArguments):
    dataset: list[str] = field(
        default_factory=list, metadata={"help": "folder or Hub repo of the dataset; several are combined"}
    )
    output_dir: str = option("runs/dt", "folder of the model, its checkpoint and its curves")
    init_from: str = option("", "folder or Hub repo of a model to start from")
    resume: bool = option(False, "continue from the checkpoint in output_dir")
    seed: int = 0

    model: str = option("transformer", "transformer, or mlp for plain behavior cloning")
    context_length: int = option(20, "steps in a window")
    hidden_size: int = 128
    n_layer: int = 3
    n_head: int = 4
    goal_prompt: str = option("prefix", "prefix: goal tokens first; state: the goal is added to every state")
    return_horizon: int = option(0, "coming steps whose mean reward is the return-to-go; 0: no return-to-go")

    updates: int = 6000
    batch_size: int = option(64, "windows per update, over all processes and bodies")
    learning_rate: float = option(6e-4, "after the warm-up; it decays to 0 at the end of the run")
    warmup_updates: int = 300
    weight_decay: float = 1e-4
    max_grad_norm: float = 1.0
    average_decay: float = option(0.99, "decay per update of the average of the weights, which is evaluated and saved")
    evaluate_every: int = option(1000, "updates between evaluations on the commands suite")
    evaluation_episodes: int = option(2, "episodes of each command in an evaluation")
    checkpoint_every: int = option(500, "updates between checkpoints")
    log_every: int = option(50, "updates between rows of metrics")

    def validate_numbers(self):
        arguments.check_counts(
            self,
            *("context_length", "hidden_size", "n_layer", "n_head", "updates", "batch_size"),
            *("evaluate_every", "evaluation_episodes", "checkpoint_every", "log_every"),
        )
        arguments.check_decay(self)
        if self.model == "transformer" and self.hidden_size % self.n_head:
            raise ValueError(f"hidden_size={self.hidden_size} must be a multiple of n_head={self.n_head}")

    def validate_choices(self):
        if self.goal_prompt not in GOAL_PROMPTS:
            raise ValueError(f"goal_prompt={self.goal_prompt!r} is unknown: choose {' or '.join(GOAL_PROMPTS)}")
        if self.model not in MODELS:
            raise ValueError(f"model={self.model!r} is unknown: choose one of {', '.join(MODELS)}")
        if not self.dataset or not all(self.dataset):
            raise ValueError("--dataset is missing: give the folder or Hub repo of a dataset")
        if self.resume and self.init_from:
            raise ValueError("--resume goes on from output_dir and --init_from starts anew: give one of them")


def main(args: Arguments) -> None:
    accelerator = Accelerator(
        log_with=None if args.report_to == "none" else args.report_to, project_dir=Path(args.output_dir) / "runs"
    )
    processes, rank = accelerator.num_processes, accelerator.process_index
    args.check_processes(processes)
    set_seed(args.seed)
    with accelerator.main_process_first():
        folders = [hub.folder(name, repo_type="dataset") for name in args.dataset]
        source = hub.folder(args.init_from) if args.init_from else None
        bodies = open_bodies(*folders)
    if args.batch_size % (shares := processes * len(bodies)):
        raise ValueError(f"batch_size={args.batch_size} must be a multiple of {shares}: processes times bodies")
    upstream = {
        "dataset": ", ".join(map(hub.origin, args.dataset, folders)),
        "dataset_sha256": ", ".join(runs.fingerprint(each, data_files(each)) for each in folders),
    }
    checkpoint = Path(args.output_dir) / checkpoints.FOLDER
    found = find_checkpoint(args, upstream) if args.resume else None
    progress: dict = runs.read_json(found / "progress.json") if found else {}
    model = build_model(args, bodies, source, progress.get("config")).to(accelerator.device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(args.average_decay)).eval()
    averaged: Any = average.module
    modules = {"model": model, "average": average}
    groups = [{"params": model.parameters(), "initial_lr": args.learning_rate}]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, weight_decay=args.weight_decay)
    if found:
        checkpoints.load(found, accelerator, modules, optimizer)
    else:
        progress = {"update": 0, "skipped": 0, "best_score": None, "seconds": 0.0, "config": model.config.to_dict()}
    last = progress["update"] - 1
    schedule = get_linear_schedule_with_warmup(optimizer, args.warmup_updates, args.updates, last_epoch=last)
    ddp_model, ddp_optimizer = accelerator.prepare(model.train(), optimizer)
    if accelerator.is_main_process:
        metrics = runs.Metrics(args.output_dir, progress["update"] if found else None)
        if source:
            upstream["init_from"] = hub.origin(args.init_from, source)
        if not args.resume:
            runs.discard(Path(args.output_dir), checkpoints.FOLDER)  # from a different run
            runs.record_provenance(args.output_dir, args, upstream)
        if args.init_from:
            # The model that the training starts from is the one to beat.
            metrics.add(0, keep_if_best(averaged, args, bodies, progress))
    accelerator.init_trackers("decision_transformer", config=vars(args) | {"dataset": " ".join(args.dataset)})

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
            rng = np.random.default_rng([args.seed, progress["update"]])
            batches = {}
            for name, steps in bodies.items():
                first = sample_windows(rng, steps, args.batch_size // len(bodies), args.context_length)
                batches[name] = take(args, steps, first.reshape(processes, -1)[rank], accelerator.device)
            taken = time.perf_counter()
            row = {"policy/learning_rate": schedule.get_last_lr()[0]}
            row |= update(args, accelerator, ddp_model, ddp_optimizer, batches)
            schedule.step()
            average.update_parameters(model)
            progress["skipped"] += int(row["loss/skipped"])
            if progress["skipped"] > MAX_SKIPPED:
                raise ValueError(
                    f"the gradients of more than {MAX_SKIPPED} updates were not finite: start again, --init_from the "
                    "best model so far, with a lower learning_rate"
                )
            progress["update"] += 1
            seconds = time.perf_counter() - started
            progress["seconds"] += seconds
            row |= {"time/updates_per_second": 1 / seconds, "time/model_share": 1 - (taken - started) / seconds}
            recent.append(row)
            bar.update()

            done = progress["update"] == args.updates
            row = {}
            if done or progress["update"] % args.log_every == 0:
                names = dict.fromkeys(name for each in recent for name in each)  # skipped updates lack some
                row = {name: float(np.mean([each[name] for each in recent if name in each])) for name in names}
                row["time/hours"] = progress["seconds"] / 3600
                recent.clear()
                bar.set_postfix_str(f"loss {row.get('loss/action', np.nan):.5f}")
            evaluated = done or progress["update"] % args.evaluate_every == 0
            if accelerator.is_main_process and evaluated:
                row |= keep_if_best(averaged, args, bodies, progress)
            if row and accelerator.is_main_process:
                metrics.add(progress["update"], row)
                if evaluated:
                    metrics.draw()
                accelerator.log(row, step=progress["update"])
            interrupted = max(gather_object([interruption.signal]))
            if done or interrupted or progress["update"] % args.checkpoint_every == 0:
                checkpoints.save(checkpoint, accelerator, modules, optimizer, None, progress)
            if interrupted:
                bar.close()
                raise SystemExit(128 + interrupted)
    bar.close()
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        finish(args, progress)
    # Freed before the process group: DDP as the last owner of the group can wait for gloo's thread for ever.
    ddp_model, ddp_optimizer = accelerator.free_memory(ddp_model, ddp_optimizer)
    accelerator.end_training()


def find_checkpoint(args: Arguments, upstream: dict[str, str]) -> Path:
    """The last complete checkpoint. Raises ValueError if there is none, or if the run had other arguments or data."""
    found = checkpoints.find(args.output_dir, args, FREE)
    before = runs.read_json(Path(args.output_dir) / runs.PROVENANCE)["upstream"]
    if before.get("dataset_sha256") != upstream["dataset_sha256"]:
        raise ValueError(
            f"{' '.join(args.dataset)} is not the data that {args.output_dir}/{runs.PROVENANCE} names, which was in "
            f"{before['dataset']}: give that, or start without --resume"
        )
    return found


def build_model(
    args: Arguments, bodies: Mapping[str, Steps], source: Path | None = None, config: dict | None = None
) -> Model:
    """The model of a `config`, the one in the folder `source`, or a new one with the statistics of the datasets."""
    kind = MODELS[args.model]
    if config:
        return kind(kind.config_class.from_dict(config))
    own = {name: getattr(args, name) for name in OWN[args.model]}
    sizes = {"bodies": list(bodies)}
    sizes["state_dims"], sizes["act_dims"] = map(list, zip(*(each.sizes for each in bodies.values()), strict=True))
    if source:
        model = kind.from_pretrained(source, body=next(iter(bodies)))
        if set(bodies) <= set(model.config.bodies):
            if left_out := set(model.config.bodies) - set(bodies):
                print(f"there is no dataset of {', '.join(sorted(left_out))}: leaving it out", file=sys.stderr)
            model.keep_bodies(list(bodies))
        fits = {name: getattr(model.config, name) for name in sizes}
        if fits != sizes:
            raise ValueError(f"{args.init_from} is for {fits}, the data for {sizes}: give another --init_from")
        for name, asked in own.items():
            found = getattr(model.config, name)
            if found != asked:
                raise ValueError(f"{args.init_from} has {name}={found}, not {asked}: give --{name} {found}")
        return model
    scales = [list(each.action_scale) for each in bodies.values()]
    model = kind(kind.config_class(**sizes, action_scales=scales, **own))
    for name, steps in bodies.items():
        returns = steps.returns_to_go(args.return_horizon)
        moments = returns.mean(), returns.std(), np.quantile(returns, TARGET_QUANTILE)
        model.set_statistics(name, *steps.moments(), *map(float, moments))
    return model


def take(args: Arguments, steps: Steps, first: np.ndarray, device: torch.device) -> dict[str, torch.Tensor]:
    """The windows of a body that begin at rows `first`."""
    windows = take_windows(steps, steps.returns_to_go(args.return_horizon), first, args.context_length)
    return {name: torch.from_numpy(value).to(device) for name, value in windows.items()}


def update(args: Arguments, accelerator: Accelerator, model, optimizer, batches: dict) -> dict[str, float]:
    """Improve the model on the windows of each body in this process; returns what to log.

    The loss is the mean over the counted steps of all bodies and processes, however they are distributed.
    """
    counted = sum(batch["loss_mask"].sum() for batch in batches.values())
    counted = accelerator.reduce(counted, "sum") / accelerator.num_processes  # DDP averages, and this makes it a sum
    loss = sum(model(**batch, loss_steps=counted, body=name).loss for name, batch in batches.items())
    accelerator.backward(loss)
    norm = accelerator.clip_grad_norm_(model.parameters(), args.max_grad_norm)
    finite = bool(norm.isfinite())  # the same in all processes, because gradients are averaged
    if finite:
        optimizer.step()
    optimizer.zero_grad()
    mean = accelerator.reduce(loss.detach(), "mean")
    learned = {"loss/action": float(mean), "policy/gradient_norm": float(norm)} if finite else {}
    return learned | {"loss/skipped": float(not finite)}


def keep_if_best(model: Model, args: Arguments, bodies: Mapping[str, Steps], progress: dict) -> dict[str, float]:
    """Evaluate the model, save it in last/, save it as the best if it is, and return what to log."""
    scores, evaluation = [], {}
    for name, steps in bodies.items():
        model.select_body(name)
        score, found = evaluate(model, args) if name in BODIES else evaluate_loss(model, args, steps)
        scores.append(score)
        evaluation |= {f"{name}/{key}" if len(bodies) > 1 else key: value for key, value in found.items()}
    model.save_pretrained(Path(args.output_dir) / "last")
    score = float(np.mean(scores))
    if progress["best_score"] is None or score > progress["best_score"]:
        progress |= {"best_score": score, "best": evaluation, "best_update": progress["update"]}
        save_with_card(model, args, bodies, progress)
    return {f"evaluation/{name}": value for name, value in evaluation.items()}


def evaluate(model: Model, args: Arguments) -> tuple[float, dict[str, float]]:
    """Score of the model (higher is better), and its measures in simulation on commands within its body's reach."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the cores are for the physics threads
    mean = measure_commands(model, COMMANDS, episodes=args.evaluation_episodes, seed=args.seed)["mean"]
    torch.set_num_threads(threads)
    score = tracking_score(mean, "velocity_error", "yaw_error")
    return score, {name: mean[name] for name in MEASURED if mean[name] is not None}


@torch.no_grad()
def evaluate_loss(model: Model, args: Arguments, steps: Steps) -> tuple[float, dict[str, float]]:
    """As `evaluate`, for a dataset from another project: the error of the actions in LOSS_WINDOWS windows."""
    first = sample_windows(np.random.default_rng(args.seed), steps, LOSS_WINDOWS, args.context_length)
    loss = float(model(**take(args, steps, first, model.device)).loss)
    return -loss, {"action_loss": loss}


def save_with_card(model: Model, args: Arguments, bodies: Mapping[str, Steps], progress: dict) -> None:
    """Save the model, with its card, as the best so far."""
    model.save_pretrained(args.output_dir)
    first, simulated = next(iter(bodies.values())), all(name in BODIES for name in bodies)
    observation_size, action_size = first.sizes
    name = args.push_to_hub or Path(args.output_dir).name
    envs = " and ".join(map(env_id, bodies))
    method = "behavior-cloning" if args.model == "mlp" else "decision-transformer"
    tags = (*cards.TAGS, *bodies, method) if simulated else (method,)
    cards.write_card(
        Path(args.output_dir),
        cards.TRANSFORMER if simulated else cards.FOREIGN_TRANSFORMER,
        cards.model_data(name, progress["best"] if simulated else {}, measured_on=envs, tags=tags),
        name=name,
        model_class=type(model).__name__,
        body=next(iter(bodies)),
        envs=envs,
        motion="motor policies" if len(bodies) > 1 else "a motor policy",
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        steps=sum(map(len, bodies.values())),
        observation_size=observation_size,
        action_size=action_size,
        largest_action=max(first.action_scale),
        update=progress["best_update"],
        measured=args.evaluation_episodes if simulated else LOSS_WINDOWS,
        table=cards.measures(progress["best"]),
    )


def finish(args: Arguments, progress: dict) -> None:
    """Write the summary, and publish the best model."""
    made = f"a {args.model} after {progress['update']:,} updates"
    metric = ", ".join(
        f"{name.replace('_', ' ')} {value:.3g}{MEASURED.get(name.split('/')[-1], '')}"
        for name, value in progress["best"].items()
    )
    runs.write_summary(args.output_dir, stage="transformer", made=made, seconds=progress["seconds"], metric=metric)
    if args.push_to_hub:
        body = progress["config"]["bodies"][0]
        if body in BODIES:
            film(MODELS[args.model].from_pretrained(args.output_dir, body=body), Path(args.output_dir))
        hub.publish(args.output_dir, args.push_to_hub, private=args.private, tag=args.tag)


if __name__ == "__main__":
    arguments.run(main, Arguments)
