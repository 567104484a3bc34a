"""Fine-tune a causal language model with LoRA to turn instructions into goal programs, and assemble the agent.

Reads   a base language model, or a planner to continue from (--init_from); with --dataset, a dataset of trajectories;
        with --agent_dir, a MotorPolicy for each robot and a GoalDecisionTransformer
Writes  a Planner (motor_agent.py, play.py), and with --agent_dir the whole MotorAgent

    accelerate launch finetune_llm.py --config configs/llm/smollm2.yaml --output_dir runs/planner
    accelerate launch finetune_llm.py --config configs/llm/tinyllama.yaml --output_dir runs/planner

One LoRA adapter learns every task as a chat turn. It learns to read sentences, both hand-written and generated. With
--dataset it also learns to assess outcomes and to correct missed goals, from stretches of the trajectories, and to
propose what to practice, from random tables of scores. The loss covers only the answers. Training uses TRL and PEFT.
The planner is evaluated on the development sentences, which are never trained on.
"""

import gc
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import DistributedType, parse_flag_from_env
from datasets import Dataset
from huggingface_hub.dataclasses import strict
from peft import LoraConfig, PeftModel
from transformers import ProgressCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from agent.artefacts import arguments, cards, hub, runs
from agent.artefacts.arguments import option
from agent.artefacts.callbacks import ProgressBar, SealedCheckpoints, StopOnSignal, checkpoint_step, last_checkpoint
from agent.data.windows import data_files
from agent.feedback import lessons, proposals
from agent.feedback.outcomes import GoalOutcome, cause, repairs
from agent.goals import GoalProgram
from agent.language.base_model import PACKAGED, base_folder, load_language_model, load_tokenizer, model_files
from agent.language.corpus import generator, written
from agent.language.corpus.written import Sentence
from agent.language.planner import ASSESS, CORRECT, DTYPES, PROPOSE, READ, Planner, Task, report_text, table_text
from agent.language.program import parse, score
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.motor_agent import MotorAgent, assemble, replaceable
from agent.simulation.video import film

START = ("base_model", "init_from")  # weights that a run starts from
CHECKPOINTS = "checkpoints"
# Arguments that may differ when a run is resumed. Weights it started from and data are recognized by their content.
FREE = {*START, "dataset", "eval_examples", "eval_steps", "save_steps"}
FREE |= {"agent_dir", "policy", "decision_transformer"} | arguments.ALWAYS_FREE


@strict
@dataclass
class Arguments(arguments.TrainingArguments):
    output_dir: str = option("runs/planner", "folder of the planner, its checkpoints and its curves")
    base_model: str = option(PACKAGED, "folder or Hub repo of a causal LM; by default the one installed as a package")
    init_from: str = option("", "folder or Hub repo of a planner to continue from")
    dataset: str = option("", "folder or Hub repo of a dataset of trajectories, to learn feedback from")
    resume: bool = option(False, "continue from the last checkpoint in output_dir")
    seed: int = 0

    written_epochs: int = option(4, "epochs over the hand-written sentences")
    generated_examples: int = option(12_000, "number of generated sentences")
    feedback_examples: int = option(
        0, "outcomes to assess, and to correct if missed; plus a quarter as many tables of scores to propose from"
    )
    learning_rate: float = 8e-4
    lora_rank: int = option(16, "rank of a new adapter; that of init_from keeps its own")
    per_device_train_batch_size: int = 16
    dtype: str = option(
        "bfloat16", f"data type of the weights: one of {', '.join(DTYPES)}; a CPU without AVX-512 computes in float32"
    )
    gradient_checkpointing: bool = False

    eval_examples: int = option(200, "development sentences in the final evaluation; half of them during training")
    eval_steps: int = option(250, "updates between evaluations")
    save_steps: int = option(250, "updates between checkpoints")

    agent_dir: str = option("", "folder to assemble the agent in, from planner, policy and decision_transformer")
    policy: list[str] = field(
        default_factory=list,
        metadata={"help": "folders or Hub repos of a MotorPolicy for each robot, for agent_dir: --policy A B"},
    )
    decision_transformer: str = option("", "folder or Hub repo of a GoalDecisionTransformer, for agent_dir")

    def validate_numbers(self):
        arguments.check_counts(self, "lora_rank", "per_device_train_batch_size")
        arguments.check_counts(self, "eval_examples", "eval_steps", "save_steps")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r} is unknown: choose one of {', '.join(DTYPES)}")
        if not self.written_epochs + self.generated_examples + self.feedback_examples:
            raise ValueError("nothing to train on: give --written_epochs, --generated_examples or --feedback_examples")

    def validate_sources(self):
        if self.init_from and self.base_model != PACKAGED:
            raise ValueError("--init_from brings its own base model: leave out --base_model")
        if bool(self.dataset) != bool(self.feedback_examples):
            raise ValueError("--dataset and --feedback_examples go together: give both, or neither")
        if self.agent_dir and not (self.policy and self.decision_transformer):
            raise ValueError("--agent_dir assembles an agent: give --policy and --decision_transformer too")
        if not self.agent_dir and (self.policy or self.decision_transformer):
            raise ValueError("--policy and --decision_transformer are parts of an agent: give --agent_dir too")


class Sources(NamedTuple):
    """What a run starts from."""

    start: Path  # folder of the base model, or of the planner to continue from
    dataset: Path | None
    parts: dict[str, Path]  # subfolder of the agent, as policy/humanoid -> folder to copy it from
    upstream: dict[str, str]  # origins of all of them, for the provenance


class Turn(NamedTuple):
    """One example of a task."""

    task: Task
    text: str
    answer: str


def main(args: Arguments) -> None:
    started = time.perf_counter()
    process = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))  # PartialState ignores this variable
    on_gpus = process.distributed_type not in (DistributedType.NO, DistributedType.MULTI_CPU)
    args.check_processes(process.num_processes, may_shard=on_gpus)
    sources = find_sources(args)
    output = Path(args.output_dir)
    metrics = begin(args, output, sources.upstream)
    process.wait_for_everyone()

    planner = base_planner(args, sources.start)
    rows = tokenized(planner, training_turns(args, sources.dataset))
    development = written.sentences("development", args.eval_examples)
    weights = train(args, planner, rows, Evaluation(args, planner, development[::2], metrics))
    if process.is_main_process:
        assert metrics
        planner.save_pretrained(output, weights)
        planner = Planner.from_pretrained(output, device=str(process.device))  # measure what users will load
        results = evaluate(planner, development)
        finish(args, sources, len(development), results, started)
        metrics.draw()
    process.wait_for_everyone()
    gc.collect()  # the trainer: its DDP as the last owner of the process group can wait for gloo's thread for ever
    process.destroy_process_group()


def find_sources(args: Arguments) -> Sources:
    """The artefacts that the arguments name. Raises ValueError if one of them is missing or not what it should be, or
    if the outputs would replace something else.
    """
    with PartialState().main_process_first():
        start = hub.folder(args.init_from) if args.init_from else base_folder(args.base_model)
        dataset = hub.folder(args.dataset, repo_type="dataset") if args.dataset else None
        transformer = hub.folder(args.decision_transformer) if args.agent_dir else None
        policies = [hub.folder(name) for name in args.policy]
    check_outputs(args, start)
    parts = agent_parts(transformer, policies) if transformer else {}

    upstream = record(args, "init_from" if args.init_from else "base_model", start, model_files(start))
    if dataset:
        upstream |= record(args, "dataset", dataset, data_files(dataset))
    if transformer:
        upstream["decision_transformer"] = hub.origin(args.decision_transformer, transformer)
        upstream["policy"] = ", ".join(map(hub.origin, args.policy, policies))
    return Sources(start, dataset, parts, upstream)


def check_outputs(args: Arguments, start: Path) -> None:
    """Raise ValueError if the outputs cannot be published, or would replace something else."""
    base_model, output, agent = args.base_model, Path(args.output_dir).resolve(), Path(args.agent_dir)
    if args.init_from:
        base_model = Planner.read_config(start, args.init_from)["base_model"]
    if args.push_to_hub and base_model != PACKAGED and Path(base_model).is_dir():
        raise ValueError(f"base_model={base_model} is a local folder: give a Hub repo to publish an adapter for")
    if output == start.resolve():
        raise ValueError(f"{args.init_from or args.base_model} would be overwritten: give another --output_dir")
    if args.agent_dir and (output.is_relative_to(agent.resolve()) or not replaceable(agent)):
        raise ValueError(
            f"agent_dir={agent} would be replaced, with all that is in it: give a new folder, or that of an agent"
        )


def agent_parts(transformer: Path, policies: list[Path]) -> dict[str, Path]:
    """Subfolder of the agent -> artefact to copy there: the transformer, and a policy for each of its robots. Raises
    ValueError if there is not exactly one policy for each of them, or an artefact is damaged.
    """
    needed = GoalDecisionTransformer.from_pretrained(transformer).config.bodies
    found = [MotorPolicy.from_pretrained(folder).body.name for folder in policies]
    if sorted(found) != sorted(needed):
        raise ValueError(
            f"--policy names policies for {', '.join(found)}, and the transformer moves {', '.join(needed)}: give one "
            "policy for each of its robots"
        )
    named = {f"policy/{body}": folder for body, folder in zip(found, policies, strict=True)}
    return {"decision_transformer": transformer} | named


def record(args: Arguments, name: str, folder: Path, files: list[Path]) -> dict[str, str]:
    """Origin and content of the artefact in argument `name`, for the provenance."""
    return {name: hub.origin(getattr(args, name), folder), f"{name}_sha256": runs.fingerprint(folder, files)}


def begin(args: Arguments, folder: Path, upstream: dict[str, str]) -> runs.Metrics | None:
    """Lock the folder of a run and record its arguments. Returns its metrics on the main process, elsewhere None.
    Raises ValueError if another run is using it, or if the run to resume had other arguments, weights or data.
    """
    if args.resume:
        runs.check_resume(folder, args, FREE)
        before = runs.read_json(folder / runs.PROVENANCE)["upstream"]
        for name in (*START, "dataset"):
            if before.get(f"{name}_sha256") != upstream.get(f"{name}_sha256"):
                kind = "data" if name == "dataset" else "weights"
                raise ValueError(
                    f"{folder} cannot be resumed: it started from {name}={before.get(name, '')}, and the {kind} of "
                    f"{name}={upstream.get(name, '')} differ: give what it started from"
                )
    if not PartialState().is_main_process:
        return None
    if args.resume:
        checkpoint = last_checkpoint(folder / CHECKPOINTS)
        return runs.Metrics(folder, checkpoint_step(checkpoint) if checkpoint else 0)
    metrics = runs.Metrics(folder)
    runs.discard(folder, CHECKPOINTS, runs.SUMMARY)  # from an earlier run
    runs.record_provenance(folder, args, upstream)
    return metrics


def base_planner(args: Arguments, start: Path) -> Planner:
    """The language model, with the adapter of the planner to continue from. If there is none, `train` adds one."""
    if args.init_from:
        config = Planner.read_config(start, args.init_from)
        base_model, base_revision = config["base_model"], config["base_revision"]
        folder = base_folder(base_model, base_revision)
    else:
        base_model, base_revision, folder = args.base_model, "", start
        if not Path(base_model).is_dir():
            base_model, _, base_revision = base_model.partition("@")
    model = load_language_model(folder, base_model, args.dtype, str(PartialState().device))
    tokenizer = load_tokenizer(folder, base_model)
    planner = Planner(model, tokenizer, base_model=base_model, base_revision=base_revision, dtype=args.dtype)
    if args.init_from:
        planner.model = PeftModel.from_pretrained(model, start, is_trainable=True)
        planner.model.peft_config["default"].base_model_name_or_path = str(folder)  # or PEFT searches the Hub for it
    return planner


def training_turns(args: Arguments, dataset: Path | None) -> list[Turn]:
    """The training examples, shuffled: sentences with their programs, and feedback."""
    sentences = written.sentences("train") * args.written_epochs
    generated = generator.examples(args.generated_examples, args.seed)
    sentences += [each for each in generated if written.plain(each.text) not in written.held_out()]
    turns = [Turn(READ, each.text, each.program) for each in sentences]
    if dataset:
        outcomes = lessons.draw(dataset, args.feedback_examples, args.seed)
        turns += feedback_turns(outcomes, args.seed)
    random.Random(args.seed).shuffle(turns)
    return turns


def feedback_turns(outcomes: Sequence[GoalOutcome], seed: int) -> list[Turn]:
    """The verdict on each outcome, the repair of each missed one, and a quarter as many proposals for random tables.
    The answers are made by rules.
    """
    turns = []
    for outcome in outcomes:
        assessment = ": ".join(filter(None, (outcome.judged, cause(outcome))))
        turns.append(Turn(ASSESS, report_text(outcome.report, outcome.off), assessment))
        if found := repairs(outcome):
            turns.append(Turn(CORRECT, report_text(outcome.report, outcome.judged), GoalProgram(found).text))
    rng = np.random.default_rng(seed)
    for table in itertools.islice(proposals.draw_tables(seed), len(outcomes) // 4):
        rows = proposals.shown(table)
        told = [rows[place] for place in rng.permutation(len(rows))]
        worst = [
            f"{tenths} {', '.join(goal.text for goal in goals) or 'none'}"
            for tenths, goals in proposals.worst_first(told)
        ]
        answer = f"{'; '.join(worst)}: {proposals.example(table, rng).text}"
        turns.append(Turn(PROPOSE, table_text(told), answer))
    return turns


def tokenized(planner: Planner, turns: list[Turn]) -> Dataset:
    """Token ids of the turns, and labels that limit the loss to the answers: -100 for each token of a prompt."""
    chat = planner.chat
    pairs = [(chat.prompt_ids(turn.task, turn.text), chat.answer_ids(turn.answer)) for turn in turns]
    labels = [[-100] * len(prompt) + answer for prompt, answer in pairs]
    return Dataset.from_dict({"input_ids": [prompt + answer for prompt, answer in pairs], "labels": labels})


def train(args: Arguments, planner: Planner, rows: Dataset, evaluation: TrainerCallback) -> dict[str, torch.Tensor]:
    """Train the planner's adapter on the answers of `rows`, and return its weights.

    Under FSDP the model stays sharded; the main process gets the weights of all shards.
    """
    folder = Path(args.output_dir) / CHECKPOINTS
    on_cpu = str(PartialState().device) == "cpu"
    if on_cpu:
        planner.model.set_attn_implementation("eager")  # sdpa's backward pass takes a quarter of an update on a CPU
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=args.per_device_train_batch_size,
        num_train_epochs=1,
        learning_rate=args.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.03,  # as a share of all updates
        max_length=None,
        train_sampling_strategy="group_by_length",
        bf16=planner.model.dtype == torch.bfloat16,
        fp16=planner.model.dtype == torch.float16,
        use_cpu=on_cpu,
        activation_checkpointing=args.gradient_checkpointing,
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=20,
        save_steps=args.save_steps,
        save_total_limit=2,  # the last one stays until the new one is sealed
        report_to=args.report_to,
        seed=args.seed,
    )
    trainer = AnswerTrainer(
        model=planner.model,
        args=config,
        train_dataset=rows,
        processing_class=planner.tokenizer,
        peft_config=None if args.init_from else lora(args),
        callbacks=[evaluation, SealedCheckpoints()],
    )
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(ProgressBar)
    checkpoint = last_checkpoint(folder) if args.resume else None
    with runs.interruptible() as interruption:
        trainer.add_callback(StopOnSignal(interruption))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if interruption.signal:
        raise SystemExit(128 + interruption.signal)
    planner.model = trainer.accelerator.unwrap_model(trainer.model)
    return trainer.accelerator.get_state_dict(trainer.model)


class AnswerTrainer(SFTTrainer):
    """Computes logits only at positions where a row of the batch has an answer. On a CPU, TRL computes them at every
    position, which takes as long as the model itself.
    """

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch: Any = None):
        labels = inputs.pop("labels")[:, 1:]
        answers = (labels != -100).any(0).nonzero()[:, 0]
        outputs = model(**inputs, logits_to_keep=answers, use_cache=False)
        logits, labels = outputs.logits.float().flatten(0, 1), labels[:, answers].flatten()
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum") / num_items_in_batch
        loss *= self.accelerator.num_processes  # because gradients are averaged over them
        return (loss, outputs) if return_outputs else loss


def lora(args: Arguments) -> LoraConfig:
    """An adapter for every linear layer. Embeddings and output head stay frozen, so the adapter is small."""
    return LoraConfig(
        r=args.lora_rank, lora_alpha=2 * args.lora_rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )


class Evaluation(TrainerCallback):
    """Scores the planner on development sentences every `eval_steps` updates, and records what the trainer logs."""

    def __init__(self, args: Arguments, planner: Planner, development: list[Sentence], metrics: runs.Metrics | None):
        self.args, self.planner, self.development, self.metrics = args, planner, development, metrics

    def on_step_end(self, args, state, control, model: Any = None, **kwargs):
        # Every process has a part of a sharded model, so all of them evaluate.
        sharded = PartialState().distributed_type == DistributedType.FSDP
        if state.global_step % self.args.eval_steps == 0 and (sharded or self.metrics):
            self.planner.model = model.eval()
            self.add(state, evaluate(self.planner, self.development))
            model.train()

    def on_log(self, args, state, control, logs: Any = None, **kwargs):
        if "loss" in logs:
            self.add(state, {name: logs[name] for name in ("loss", "grad_norm", "learning_rate")})

    def add(self, state, values: dict[str, float]) -> None:
        if self.metrics is not None:
            self.metrics.add(state.global_step, values)


def evaluate(planner: Planner, sentences: list[Sentence]) -> dict[str, float]:
    """How well the planner reads sentences, as shares. A share of a kind that no sentence has is left out."""
    meant = [parse(each.program, planner.body) for each in sentences]
    shares = score(planner.parse_batch([each.text for each in sentences]), meant)
    return {name: share for name, share in shares.items() if share is not None}


def finish(args: Arguments, sources: Sources, examples: int, results: dict[str, float], started: float) -> None:
    """Write the planner's card, provenance and summary; assemble and publish the agent."""
    output = Path(args.output_dir)
    provenance = runs.record_provenance(output, args, sources.upstream)
    name = args.push_to_hub or Path(args.agent_dir or output).name
    base = sources.upstream.get("base_model") or sources.upstream["init_from"]
    own_name = output.name if args.agent_dir else name
    tags = (*cards.TAGS, "planner", "lora")
    data = cards.model_data(own_name, results, measured_on=cards.SENTENCES, pipeline_tag="text-generation", tags=tags)
    facts = {"name": own_name, "base": base, "examples": examples, "table": cards.measures(results, "share")}
    cards.write_card(output, cards.PLANNER, data, **facts)
    metric = ", ".join(f"{name.replace('_', ' ')} {share:.1%}" for name, share in results.items())
    print(f"development sentences: {metric}")
    if args.agent_dir:
        assemble(Path(args.agent_dir), sources.parts | {"planner": output}, name, results, provenance)
        if args.push_to_hub:
            film(MotorAgent.from_pretrained(args.agent_dir), Path(args.agent_dir))
    seconds = time.perf_counter() - started
    runs.write_summary(output, stage="language", made=f"planner on {base}", seconds=seconds, metric=metric)
    if args.push_to_hub:
        hub.publish(args.agent_dir or args.output_dir, args.push_to_hub, private=args.private, tag=args.tag)


if __name__ == "__main__":
    arguments.run(main, Arguments)
