"""Teach a causal language model to turn instructions into goal programs, and assemble the agent around it.

Reads   a base language model (--base_model) or a planner to continue from (--init_from); with neither, a small Llama
        is trained from scratch first
Writes  a Planner (motor_agent.py, play.py), and with --agent_dir the whole MotorAgent

    accelerate launch finetune_llm.py --config configs/llm/humanoid.yaml --output_dir runs/planner
    accelerate launch finetune_llm.py --config configs/llm/tinyllama.yaml --output_dir runs/planner
    python finetune_llm.py --config configs/llm/feedback.yaml --output_dir runs/feedback

The planner is a LoRA adapter, trained by TRL and PEFT on generated instructions; the loss is on the program alone.
Held-out instructions are generated with another seed, and none of them is trained on. With --stage feedback a planner
gets a second adapter, in feedback/, that assesses and corrects what a body did and proposes what it should practice;
it reads instructions as before. That adapter fits only the weights it was trained on, so continuing from its planner
drops it.
"""

import itertools
import shutil
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import DistributedType, parse_flag_from_env, set_seed
from datasets import Dataset
from huggingface_hub.dataclasses import strict
from peft import LoraConfig, PeftModel
from transformers import ProgressCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from agent.artefacts import arguments, cards, hub, runs
from agent.artefacts.arguments import option
from agent.artefacts.callbacks import ProgressBar, SealedCheckpoints, StopOnSignal, checkpoint_step, last_checkpoint
from agent.feedback import lessons, proposals
from agent.feedback.outcomes import GoalOutcome
from agent.language import feedback_training
from agent.language.corpus.generator import Instruction, generate, prompt
from agent.language.planner import (
    FEEDBACK,
    Planner,
    copy_planner,
    load_language_model,
    load_tokenizer,
    model_files,
    score,
    spare_token_ids,
)
from agent.language.small_llama import HEAD_SIZE, small_llama, train_tokenizer
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.motor_agent import MotorAgent, describe
from agent.simulation.video import film

EXAMPLES_FOR_TOKENIZER = 20_000
PHASES = ("base", "adapter")
# Each stage with its phases; the checkpoints of one are in PHASE_training/.
STAGES = {"instructions": PHASES, "feedback": (FEEDBACK,)}
Grade = Callable[[Planner], dict[str, float]]  # measures of a planner in training, by name
START = ("base_model", "init_from")  # weights that a run starts from
PARTS = {"policy": MotorPolicy, "decision_transformer": GoalDecisionTransformer}  # of the agent, with the planner
HELD_OUT_SEED, CALIBRATION_SEED = 1_000_003, 2_000_003  # added to the seed
UNSURE = 0.01  # share of right programs that may be refused for low confidence
# Arguments that may differ when a run is resumed. The weights it started from are recognized by their content.
FREE = {*START, "base_revision", "eval_examples", "eval_steps", "save_steps", "agent_dir", *PARTS}
FREE |= arguments.ALWAYS_FREE


@strict
@dataclass
class Arguments(arguments.TrainingArguments):
    output_dir: str = option("runs/planner", "folder of the planner, its checkpoints and its curves")
    stage: str = option("instructions", f"what to learn: one of {', '.join(STAGES)}")
    dataset: str = option("", "folder or Hub repo of a dataset of trajectories, for the feedback stage")
    base_model: str = option("", "folder or Hub repo of a causal LM; empty: a small Llama is trained first")
    base_revision: str = option("", "revision of the Hub repo in base_model")
    init_from: str = option("", "folder or Hub repo of a planner to continue from")
    resume: bool = option(False, "continue from the last checkpoint in output_dir")
    seed: int = 0

    hidden_size: int = option(256, "of the small Llama")
    num_hidden_layers: int = option(4, "of the small Llama")
    vocab_size: int = option(1536, "of the small Llama's tokenizer")
    base_examples: int = option(100_000, "instructions that the small Llama is trained on, before the adapter")
    base_learning_rate: float = 1.5e-3

    train_examples: int = option(20_000, "instructions that the adapter is trained on")
    learning_rate: float = 3e-4
    lora_rank: int = 16
    per_device_train_batch_size: int = 64
    gradient_accumulation_steps: int = 1
    bf16: bool = False
    gradient_checkpointing: bool = False

    eval_examples: int = option(500, "held-out instructions at the end; a fifth of them during training")
    eval_steps: int = option(250, "updates between evaluations")
    save_steps: int = option(250, "updates between checkpoints")

    agent_dir: str = option("", "folder to assemble the agent in, from the planner and the two parts below")
    policy: str = option("", "folder or Hub repo of a MotorPolicy, for agent_dir")
    decision_transformer: str = option("", "folder or Hub repo of a GoalDecisionTransformer, for agent_dir")

    def validate_numbers(self):
        arguments.check_counts(
            self, "hidden_size", "num_hidden_layers", "base_examples", "train_examples", "lora_rank"
        )
        arguments.check_counts(self, "per_device_train_batch_size", "gradient_accumulation_steps")
        arguments.check_counts(self, "eval_examples", "eval_steps", "save_steps")
        if self.hidden_size % HEAD_SIZE:
            raise ValueError(f"hidden_size={self.hidden_size} must be a multiple of {HEAD_SIZE}, the size of a head")
        if self.vocab_size < 512:
            raise ValueError(f"vocab_size={self.vocab_size} must be at least 512: bytes and goal tokens come first")

    def validate_stage(self):
        if self.stage not in STAGES:
            raise ValueError(f"stage={self.stage!r} is unknown: choose one of {', '.join(STAGES)}")
        if (self.stage == "feedback") != bool(self.dataset):
            raise ValueError("--stage feedback and --dataset go together: give both, or neither")
        if self.stage == "feedback" and (not self.init_from or self.agent_dir or self.push_to_hub):
            raise ValueError(
                "--stage feedback adds to a planner: give --init_from, and no --agent_dir or --push_to_hub"
            )

    def validate_sources(self):
        if self.base_model and self.init_from:
            raise ValueError("--base_model and --init_from both name where to start: give one of them")
        if self.agent_dir and not (self.policy and self.decision_transformer):
            raise ValueError("--agent_dir assembles an agent: give --policy and --decision_transformer too")

    def check_processes(self, started: int, *, may_shard: bool = False) -> None:
        super().check_processes(started, may_shard=may_shard)
        if self.stage == "feedback" and started > 1:
            raise ValueError(f"--stage feedback is for one process, {started} work on this: launch it by python")

    @property
    def examples_in_full(self) -> int:
        """Instructions that the whole model is trained on; 0 where only an adapter is."""
        return 0 if self.base_model or self.init_from else max(self.base_examples, self.train_examples)


def main(args: Arguments) -> None:
    started = time.perf_counter()
    process = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))  # only Accelerator reads it by itself
    on_gpus = process.distributed_type not in (DistributedType.NO, DistributedType.MULTI_CPU)
    args.check_processes(process.num_processes, may_shard=on_gpus)
    args, sources, upstream = find_sources(args)
    set_seed(args.seed)
    if args.stage == "feedback":
        with runs.claim(args.output_dir):
            teach_feedback(args, sources, upstream, started)
    else:
        teach_instructions(args, sources, upstream, started)
    process.wait_for_everyone()
    process.destroy_process_group()


def find_sources(args: Arguments) -> tuple[Arguments, dict[str, Path], dict[str, str]]:
    """The arguments with the base model's Hub name, the folder of each artefact that they name, and their origins.

    Raises:
        ValueError: one of them is missing or not what it should be.
    """
    base_model = hub.by_name(args.base_model)
    args = replace(
        args, base_model=base_model, base_revision=args.base_revision if base_model == args.base_model else ""
    )
    asked = {name: getattr(args, name) for name in (*START, "dataset", *PARTS) if getattr(args, name)}
    with PartialState().main_process_first():
        sources = {
            name: hub.folder(
                value,
                revision=(args.base_revision or None) if name == "base_model" else None,
                repo_type="dataset" if name == "dataset" else "model",
            )
            for name, value in asked.items()
        }
    if args.push_to_hub and args.base_model and Path(args.base_model).is_dir():
        raise ValueError(f"base_model={args.base_model} is a local folder: give a Hub repo to publish an adapter for")
    overwritten = Path(args.output_dir).resolve() == sources.get("init_from", Path()).resolve()
    if args.init_from and overwritten and args.stage == "instructions":
        raise ValueError(f"init_from={args.init_from} would be overwritten: give another --output_dir")
    for name in PARTS.keys() & sources.keys():
        PARTS[name].from_pretrained(sources[name])
    upstream = {name: hub.origin(value, sources[name]) for name, value in asked.items()}
    for name in START:
        if name in sources:
            upstream[f"{name}_sha256"] = runs.fingerprint(sources[name], model_files(sources[name]))
    return args, sources, upstream


def teach_instructions(args: Arguments, sources: dict[str, Path], upstream: dict[str, str], started: float) -> None:
    """Train the adapter that reads instructions, measure it, and assemble the agent."""
    process, output = PartialState(), Path(args.output_dir)
    metrics = begin(args, output, upstream)
    process.wait_for_everyone()
    held_out = draw(args.seed + HELD_OUT_SEED, args.eval_examples)
    count = max(args.examples_in_full, args.train_examples)
    examples = draw(args.seed, count, excluded={prompt(each.text) for each in held_out})
    planner = base_planner(args, metrics, sources, examples, held_out)
    if process.is_main_process and not args.base_model:
        planner.save_pretrained(output)  # a base that is on no Hub is stored with its adapter

    rows, grade = tokenized(planner, examples[: args.train_examples]), partial(evaluate, examples=fifth(held_out))
    planner, weights = train(args, "adapter", planner, rows, grade, metrics, lora(args))
    if not process.is_main_process:
        return
    planner.save_pretrained(output, weights)
    planner = Planner.from_pretrained(output, device=str(process.device))  # measure what users will load
    planner.least_confidence = calibrate(planner, draw(args.seed + CALIBRATION_SEED, args.eval_examples))
    planner.save_config(output)
    results = evaluate(planner, held_out)
    provenance = runs.record_provenance(output, args, upstream)
    name = args.push_to_hub or Path(args.agent_dir or output).name
    base = upstream.get("base_model", "a small Llama trained from scratch")
    cards.write_planner_card(output, name=name, base=base, examples=len(held_out), results=results)
    assert metrics
    metrics.draw()
    metric = f"{results['exact']:.1%} exact, {results['refusals_right']:.1%} refusals right, held out"
    print(metric)
    if args.agent_dir:
        parts = {part: sources[part] for part in PARTS} | {"planner": output}
        assemble(Path(args.agent_dir), parts, name, results, provenance)
        if args.push_to_hub:
            film(MotorAgent.from_pretrained(args.agent_dir), Path(args.agent_dir))
    made = f"planner on {upstream.get('base_model') or upstream.get('init_from') or 'a small Llama'}"
    runs.write_summary(output, stage="language", made=made, seconds=time.perf_counter() - started, metric=metric)
    if args.push_to_hub:
        hub.publish(args.agent_dir or args.output_dir, args.push_to_hub, private=args.private, tag=args.tag)


def teach_feedback(args: Arguments, sources: dict[str, Path], upstream: dict[str, str], started: float) -> None:
    """Train the second adapter of a planner, in the folder feedback/, on outcomes from a dataset."""
    output, folder = Path(args.output_dir), Path(args.output_dir) / FEEDBACK

    def outcomes(count: int, seed: int, held_out: bool = False) -> list[GoalOutcome]:
        return lessons.draw(sources["dataset"], count, args.seed + seed, held_out)

    planner = Planner.from_pretrained(sources["init_from"])
    held_out = outcomes(args.eval_examples, HELD_OUT_SEED, held_out=True)
    tables = list(itertools.islice(proposals.draw_tables(args.seed + HELD_OUT_SEED), args.eval_examples))
    rows = as_rows(*feedback_training.examples(planner, outcomes(args.train_examples, 0), args.seed))
    metrics = begin(args, folder, upstream)
    assert metrics, "this is the only process"

    def grade(planner: Planner) -> dict[str, float]:
        planner.feedback = planner.model
        return feedback_training.grade(planner, fifth(held_out), fifth(tables))

    planner.model.requires_grad_(True)  # a merged adapter leaves its base frozen
    adapter = lora(args)
    if planner.feedback_folder:  # continue with the adapter that is there
        planner.model = PeftModel.from_pretrained(planner.model, planner.feedback_folder, is_trainable=True)
        adapter = None
    planner, weights = train(args, FEEDBACK, planner, rows, grade, metrics, adapter)
    planner.save_feedback(folder, weights)
    if output.resolve() != sources["init_from"].resolve():
        copy_planner(sources["init_from"], output)
    planner = Planner.from_pretrained(output)  # measure what users will load
    planner.miss_threshold = feedback_training.calibrate(planner, outcomes(args.eval_examples, CALIBRATION_SEED))
    planner.save_feedback_config(folder)
    results = feedback_training.grade(planner, held_out, tables)
    runs.record_provenance(folder, args, upstream)
    metrics.draw()
    metric = (
        f"{results['verdict']:.1%} of the verdicts, {results['repair']:.1%} of the repairs exact, "
        f"{results['proposal']:.1%} of the proposals practice what is weak, held out"
    )
    print(metric)
    made = f"feedback adapter of {upstream['init_from']}"
    runs.seal(folder)
    runs.write_summary(folder, stage="feedback", made=made, seconds=time.perf_counter() - started, metric=metric)


def begin(args: Arguments, folder: Path, upstream: dict[str, str]) -> runs.Metrics | None:
    """Claim the folder of a run and record its arguments; its metrics, on the main process alone.

    Raises:
        ValueError: another run is in it, or the one to resume had other arguments or started from other weights.
    """
    if args.resume:
        runs.check_resume(folder, args, FREE)
        before = runs.read_json(folder / runs.PROVENANCE)["upstream"]
        for name in START:
            if before.get(f"{name}_sha256") != upstream.get(f"{name}_sha256"):
                raise ValueError(
                    f"{folder} cannot be resumed: it started from {name}={before.get(name, '')}, and the weights of "
                    f"{name}={upstream.get(name, '')} differ: give what it started from"
                )
    if not PartialState().is_main_process:
        return None
    metrics = runs.Metrics(folder, resumed_step(args))
    if not args.resume:
        for phase in STAGES[args.stage]:
            shutil.rmtree(Path(args.output_dir) / f"{phase}_training", ignore_errors=True)  # of an earlier run
        runs.record_provenance(folder, args, upstream)
    return metrics


def first_adapter_step(args: Arguments) -> int:
    """Updates before the adapter's first: those of the model in full."""
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * PartialState().num_processes
    return -(-args.examples_in_full // batch)


def resumed_step(args: Arguments) -> int | None:
    """The update that --resume continues from; None where a run starts anew."""
    if not args.resume:
        return None
    for phase in reversed(STAGES[args.stage]):
        if checkpoint := last_checkpoint(Path(args.output_dir) / f"{phase}_training"):
            return checkpoint_step(checkpoint) + (first_adapter_step(args) if phase == "adapter" else 0)
    return 0


def draw(seed: int, count: int, excluded: Container[str | None] = ()) -> list[Instruction]:
    """Generated instructions whose prompt is not `excluded`."""
    return list(itertools.islice((each for each in generate(seed) if prompt(each.text) not in excluded), count))


def fifth(examples: list) -> list:
    """The first fifth of what is held out, for evaluation during training."""
    return examples[: -(-len(examples) // 5)]


def base_planner(
    args: Arguments,
    metrics: runs.Metrics | None,
    sources: dict[str, Path],
    examples: list[Instruction],
    held_out: list[Instruction],
) -> Planner:
    """The language model that the adapter is for, as a planner that may not know anything yet."""
    if args.base_model:
        folder = sources["base_model"]
        model = load_language_model(folder, args.base_model, torch.bfloat16 if args.bf16 else torch.float32)
        tokenizer = load_tokenizer(folder, args.base_model)
        from_hub = not Path(args.base_model).is_dir()
        name, revision = hub.origin(args.base_model, folder).split("@") if from_hub else (args.base_model, "")
        ids = spare_token_ids(tokenizer, model.config.vocab_size)
        return Planner(model, tokenizer, ids, base_model=name, base_revision=revision)
    trained = Path(args.output_dir) / "base_training" / "planner"
    if args.examples_in_full and not (args.resume and runs.newest(trained)):
        texts = [prompt(each.text) or "" for each in examples[:EXAMPLES_FOR_TOKENIZER] if each.category != "unclear"]
        tokenizer = train_tokenizer(texts, args.vocab_size)
        model = small_llama(tokenizer, args.hidden_size, args.num_hidden_layers)
        planner = Planner(model, tokenizer, spare_token_ids(tokenizer, len(tokenizer)))
        grade = partial(evaluate, examples=fifth(held_out))
        planner, weights = train(args, "base", planner, tokenized(planner, examples), grade, metrics)
        if PartialState().is_main_process:
            with runs.replacing(trained) as new:
                planner.save_pretrained(new, weights)
        PartialState().wait_for_everyone()
    planner = Planner.from_pretrained(
        runs.newest(trained) or trained if args.examples_in_full else sources["init_from"]
    )
    planner.base_model = planner.base_revision = ""  # an adapter is merged into it, so it is stored with the next one
    return planner


def lora(args: Arguments) -> LoraConfig:
    """An adapter for every linear layer. Embeddings and head stay as they are, so it is small."""
    return LoraConfig(
        r=args.lora_rank, lora_alpha=2 * args.lora_rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def tokenized(planner: Planner, examples: list[Instruction]) -> Dataset:
    """Instructions with their programs as token ids."""
    texts = [prompt(each.text) or "" for each in examples]
    programs = [planner.completion_ids(each.program, text) for each, text in zip(examples, texts, strict=True)]
    return as_rows([planner.prompt_ids(text) for text in texts], programs)


def as_rows(prompts: list[list[int]], completions: list[list[int]]) -> Dataset:
    """Prompts and completions as token ids; the loss is on the latter."""
    return Dataset.from_dict(
        {
            "input_ids": [p + c for p, c in zip(prompts, completions, strict=True)],
            "completion_mask": [[0] * len(p) + [1] * len(c) for p, c in zip(prompts, completions, strict=True)],
        }
    )


def train(
    args: Arguments,
    phase: str,
    planner: Planner,
    rows: Dataset,
    grade: Grade,
    metrics: runs.Metrics | None,
    adapter: LoraConfig | None = None,
) -> tuple[Planner, dict[str, torch.Tensor]]:
    """The planner, with its language model trained on the completions of `rows`, and the weights of that model.

    Under FSDP the model stays in shards; the main process gets the weights of all of them.
    """
    folder = Path(args.output_dir) / f"{phase}_training"
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=args.per_device_train_batch_size,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        num_train_epochs=1,
        learning_rate=args.base_learning_rate if phase == "base" else args.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.01,
        completion_only_loss=True,
        max_length=None,
        train_sampling_strategy="group_by_length",
        bf16=args.bf16,
        use_cpu=str(PartialState().device) == "cpu",
        activation_checkpointing=args.gradient_checkpointing,
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=20,
        save_steps=args.save_steps,
        save_total_limit=2,  # the last one stays until the new one is sealed
        report_to=args.report_to,
        seed=args.seed,
    )
    trainer = SFTTrainer(
        model=planner.model,
        args=config,
        train_dataset=rows,
        processing_class=planner.tokenizer,
        peft_config=adapter,
        callbacks=[Evaluation(args, phase, planner, grade, metrics)],
    )
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(ProgressBar)
    trainer.add_callback(SealedCheckpoints(trainer))
    checkpoint = last_checkpoint(folder) if args.resume else None
    with runs.interruptible() as interruption:
        trainer.add_callback(StopOnSignal(interruption))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if interruption.signal:
        raise SystemExit(128 + interruption.signal)
    accelerator = trainer.accelerator
    return planner.with_model(accelerator.unwrap_model(trainer.model)), accelerator.get_state_dict(trainer.model)


class Evaluation(TrainerCallback):
    """Every `eval_steps` updates: the planner's grade. Keeps what the trainer logs."""

    def __init__(self, args: Arguments, phase: str, planner: Planner, grade: Grade, metrics: runs.Metrics | None):
        self.args, self.phase, self.planner, self.grade, self.metrics = args, phase, planner, grade, metrics
        self.first_step = first_adapter_step(args) if phase == "adapter" else 0

    def on_step_end(self, args, state, control, model: Any = None, **kwargs):
        # Every process has a part of a sharded model, so all of them evaluate.
        sharded = PartialState().distributed_type == DistributedType.FSDP
        if state.global_step % self.args.eval_steps == 0 and (sharded or self.metrics):
            self.add(state, self.grade(self.planner.with_model(model)))
            model.train()

    def on_log(self, args, state, control, logs: Any = None, **kwargs):
        if "loss" in logs:
            self.add(state, {name: logs[name] for name in ("loss", "grad_norm", "learning_rate")})

    def add(self, state, values: dict[str, float]) -> None:
        if self.metrics is not None:
            row = {f"{self.phase}/{name}": value for name, value in values.items()}
            self.metrics.add(self.first_step + state.global_step, row)


def evaluate(planner: Planner, examples: list[Instruction]) -> dict[str, float]:
    """How well the planner understands `examples`."""
    return score(planner.parse_batch([each.text for each in examples]), [each.program for each in examples])


def calibrate(planner: Planner, examples: list[Instruction]) -> float:
    """The confidence that all but one in a hundred of the right programs have."""
    parses = planner.parse_with_confidence([each.text for each in examples])
    right = [
        parse.confidence
        for parse, each in zip(parses, examples, strict=True)
        if parse.program == each.program and not each.program.refused
    ]
    return float(np.quantile(right, UNSURE)) if right else 0.0


def assemble(folder: Path, parts: dict[str, Path], name: str, results: dict[str, float], provenance: dict) -> None:
    """Write the agent: a folder per part, without what only served its training."""
    with runs.replacing(folder) as new:
        for part, source in parts.items():
            for file in hub.published_files(source):
                if Path(file).name != runs.METRICS:
                    (new / part / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / file, new / part / file)
            runs.seal(new / part, runs.read_manifest(source))
        runs.write_json(new / runs.PROVENANCE, provenance)
        describe(new, name, results)


if __name__ == "__main__":
    arguments.run(main, Arguments)
