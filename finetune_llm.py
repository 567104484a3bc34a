"""Teach a causal language model to turn instructions into goal programs, and assemble the agent around it.

Reads   a base language model (--base_model), a planner to go on from (--init_from), or nothing: then a small Llama is
        trained in full first
Writes  a Planner (motor_agent.py, play.py), and with --agent_dir the whole MotorAgent

    accelerate launch finetune_llm.py --config configs/llm/humanoid.yaml --output_dir runs/planner
    accelerate launch finetune_llm.py --config configs/llm/tinyllama.yaml --output_dir runs/planner
    python finetune_llm.py --config configs/llm/feedback.yaml --output_dir runs/feedback
    python finetune_llm.py --config configs/llm/grpo.yaml --output_dir runs/grpo

Both trainings see generated instructions and have their loss on the program alone; the second is a LoRA adapter by TRL
and PEFT. The held-out instructions are generated with another seed, and none of them is trained on. With --stage
feedback a planner gets a second adapter beside the first, for assessing and correcting what a body did and proposing
what it should practice; how it reads instructions stays as it is. With --stage grpo it goes on by reinforcement: it is
paid for what the body does with the programs that it draws (GRPO, Shao et al., 2024, arXiv:2402.03300). The second
adapter is for the weights that it was trained over: a planner that goes on from another leaves that one's behind, and
is taught to judge again.
"""

import itertools
import shutil
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import DistributedType, gather_object, parse_flag_from_env, set_seed
from datasets import Dataset
from huggingface_hub.dataclasses import strict
from peft import LoraConfig, PeftModel
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    ProgressCallback,
    TrainerCallback,
)
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from agent.artefacts import arguments, cards, hub, runs
from agent.evaluation import suites
from agent.feedback import lessons, proposals
from agent.feedback.outcomes import GoalOutcome, cause, repairs
from agent.feedback.trials import Trial, expected_seconds, run_trials
from agent.goals import GOAL_VERSION, GoalProgram
from agent.language.corpus.generator import Instruction, generate, prompt
from agent.language.planner import (
    ADAPTER,
    ADAPTER_WEIGHTS,
    ASSESS_FORMAT,
    BASE,
    CONFIG,
    CORRECT_FORMAT,
    FEEDBACK,
    FEEDBACK_CONFIG,
    PROMPT_FORMAT,
    VOCABULARY,
    Parse,
    Planner,
    discard,
    load_language_model,
    load_tokenizer,
    score,
    spare_token_ids,
)
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.motor_agent import MotorAgent, describe
from agent.simulation.video import film

EXAMPLES_FOR_TOKENIZER = 20_000
HEAD_SIZE = 32  # of the small Llama: many small heads, each of which can follow one word
PHASES = ("base", "adapter")
# Each stage with its phases; the checkpoints of one are in PHASE_training/.
STAGES = {"instructions": PHASES, "feedback": (FEEDBACK,), "grpo": ("grpo",)}
Grade = Callable[[Planner], dict[str, float]]  # what a planner in training is worth, by name
START = ("base_model", "init_from")  # weights that a run starts from
PARTS = {"policy": MotorPolicy, "decision_transformer": GoalDecisionTransformer}  # of the agent, beside the planner
HELD_OUT_SEED, CALIBRATION_SEED = 1_000_003, 2_000_003  # added to the seed
# What may change when a run goes on: where what it starts from lies, which is known by its content, and what comes of
# it later.
FREE = {"init_from", "base_model", "base_revision", "eval_examples", "eval_steps", "save_steps"}
FREE |= {"agent_dir", "policy", "decision_transformer", *arguments.ALWAYS_FREE}
UNSURE = 0.01  # share of right programs that may be refused for want of confidence
DOUBTED = 0.005  # share of goals that were met that may be called missed
MOST_DRAWN = 20_000  # instructions in a row of which none is short enough

WHAT = """
Turns an instruction into a program of goals for a humanoid body, decoded under a grammar: it always gives a valid
program or a refusal with a reason. Base: {base}. Goal vocabulary: {version}.
"""
USE = """
from agent import Planner

planner = Planner.from_pretrained("{name}")
print(planner.parse("walk forward 2 metres, then turn left").tokens)
"""
RESULTS = """
On {examples} generated instructions that it was not trained on:

{table}
"""
LIMITS = """
It knows English, and no instruction that depends on what is around the body.
"""


@strict
@dataclass
class Arguments(arguments.TrainingArguments):
    output_dir: str = field(
        default="runs/planner", metadata={"help": "folder of the planner, its checkpoints and its curves"}
    )
    stage: str = field(default="instructions", metadata={"help": f"what to learn: one of {', '.join(STAGES)}"})
    dataset: str = field(
        default="", metadata={"help": "folder or Hub repo of a dataset of trajectories, for the feedback stage"}
    )
    base_model: str = field(
        default="", metadata={"help": "folder or Hub repo of a causal LM; empty: a small Llama is trained first"}
    )
    base_revision: str = field(default="", metadata={"help": "revision of the Hub repo in base_model"})
    init_from: str = field(
        default="",
        metadata={
            "help": "folder or Hub repo of a planner to go on from; its feedback/ is for --stage feedback alone"
        },
    )
    resume: bool = field(default=False, metadata={"help": "go on from the last checkpoint in output_dir"})
    seed: int = 0

    hidden_size: int = field(default=256, metadata={"help": "of the small Llama"})
    num_hidden_layers: int = field(default=4, metadata={"help": "of the small Llama"})
    vocab_size: int = field(default=1536, metadata={"help": "of the small Llama's tokenizer"})
    base_examples: int = field(
        default=100_000, metadata={"help": "instructions that the small Llama is trained on in full"}
    )
    base_learning_rate: float = 1.5e-3
    full: bool = field(
        default=False, metadata={"help": "train what --init_from gives in full again, not only its adapter"}
    )

    train_examples: int = field(default=20_000, metadata={"help": "instructions that the adapter is trained on"})
    learning_rate: float = 3e-4
    lora_rank: int = 16
    num_generations: int = field(default=4, metadata={"help": "programs drawn for an instruction, by the grpo stage"})
    kl_weight: float = field(default=0.04, metadata={"help": "of the distance to the planner that grpo started from"})
    longest_seconds: float = field(
        default=10.0, metadata={"help": "that an instruction of the grpo stage asks the body to move"}
    )
    per_device_train_batch_size: int = 64
    gradient_accumulation_steps: int = 1
    bf16: bool = False
    gradient_checkpointing: bool = False

    eval_examples: int = field(
        default=500, metadata={"help": "held-out instructions at the end; a fifth of them while it trains"}
    )
    eval_steps: int = field(default=250, metadata={"help": "updates between evaluations"})
    save_steps: int = field(default=250, metadata={"help": "updates between checkpoints"})

    agent_dir: str = field(
        default="",
        metadata={
            "help": "folder to assemble the agent in, of the two artefacts below and the planner, and to publish"
        },
    )
    policy: str = field(default="", metadata={"help": "folder or Hub repo of a MotorPolicy, for agent_dir"})
    decision_transformer: str = field(
        default="", metadata={"help": "folder or Hub repo of a GoalDecisionTransformer, for agent_dir"}
    )

    def validate_numbers(self):
        for name in (
            "hidden_size",
            "num_hidden_layers",
            "base_examples",
            "train_examples",
            "lora_rank",
            "per_device_train_batch_size",
            "gradient_accumulation_steps",
            "eval_examples",
            "eval_steps",
            "save_steps",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.hidden_size % HEAD_SIZE:
            raise ValueError(f"hidden_size={self.hidden_size} must be a multiple of {HEAD_SIZE}, the size of a head")
        if self.vocab_size < 512:
            raise ValueError(f"vocab_size={self.vocab_size} must be at least 512: bytes and goal tokens come first")
        if self.longest_seconds <= 0:
            raise ValueError(f"longest_seconds={self.longest_seconds} must be above 0")

    def validate_stage(self):
        if self.stage not in STAGES:
            raise ValueError(f"stage={self.stage!r} is unknown: choose one of {', '.join(STAGES)}")
        if (self.stage == "feedback") != bool(self.dataset):
            raise ValueError("--stage feedback and --dataset go together: give both, or neither")
        if self.stage == "grpo" and not self.decision_transformer:
            raise ValueError("--stage grpo moves the body: give --decision_transformer")
        if self.stage == "grpo" and self.resume:
            raise ValueError("--stage grpo keeps no checkpoints to --resume: start it anew")
        batch = self.per_device_train_batch_size * self.gradient_accumulation_steps
        if self.stage == "grpo" and (self.num_generations < 2 or batch % self.num_generations):
            raise ValueError(
                f"num_generations={self.num_generations} must be at least 2, and divide the {batch} of a batch"
            )
        if self.stage != "instructions" and (not self.init_from or self.agent_dir or self.push_to_hub):
            raise ValueError(
                f"--stage {self.stage} goes on from a planner: give --init_from, and no --agent_dir or --push_to_hub"
            )

    def validate_sources(self):
        if self.base_model and self.init_from:
            raise ValueError("--base_model and --init_from both name where to start: give one of them")
        if self.agent_dir and not (self.policy and self.decision_transformer):
            raise ValueError("--agent_dir assembles an agent: give --policy and --decision_transformer too")

    def check_processes(self, started: int, *, may_shard: bool = False) -> None:
        super().check_processes(started, may_shard=may_shard)
        if self.stage != "instructions" and started > 1:
            raise ValueError(f"--stage {self.stage} is for one process, {started} work on this: launch it by python")

    @property
    def examples_in_full(self) -> int:
        """Instructions that the whole model is trained on; 0 where only an adapter is."""
        in_full = not self.base_model and (self.full or not self.init_from)
        return max(self.base_examples, self.train_examples) if in_full else 0


def main(args: Arguments) -> None:
    started = time.perf_counter()
    process = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))  # which only Accelerator looks at by itself
    on_gpus = process.distributed_type not in (DistributedType.NO, DistributedType.MULTI_CPU)
    args.check_processes(process.num_processes, may_shard=on_gpus)
    named = hub.by_name(args.base_model)
    args = replace(args, base_model=named, base_revision=args.base_revision if named == args.base_model else "")
    # Whatever is missing is missed before any work.
    asked = {
        name: getattr(args, name) for name in ("base_model", "init_from", "dataset", *PARTS) if getattr(args, name)
    }
    with process.main_process_first():
        sources = {
            name: hub.folder(
                value,
                revision=(args.base_revision or None) if name == "base_model" else None,
                repo_type="dataset" if name == "dataset" else "model",
            )
            for name, value in asked.items()
        }
    if args.push_to_hub and args.base_model and Path(args.base_model).is_dir():
        raise ValueError(
            f"base_model={args.base_model} is a folder that nobody else has: give a Hub repo to push over"
        )
    for name in PARTS.keys() & sources.keys():
        PARTS[name].from_pretrained(sources[name])
    set_seed(args.seed)
    output = Path(args.output_dir)
    if args.stage == "instructions" and "init_from" in sources and output.resolve() == sources["init_from"].resolve():
        raise ValueError(f"init_from={args.init_from} would be overwritten: give another --output_dir")
    upstream = {name: hub.origin(value, sources[name]) for name, value in asked.items()}
    upstream |= {
        f"{name}_sha256": runs.fingerprint(sources[name], what_acts(sources[name]))
        for name in START
        if name in sources
    }
    if args.stage == "feedback":
        with runs.claim(output):  # its numbers are in a folder within
            teach_feedback(args, sources, upstream, started)
        return
    if args.stage == "grpo":
        reinforce(args, sources, upstream, started)
        return
    metrics = begin(args, output, upstream)
    process.wait_for_everyone()
    held_out, examples = draw_examples(args)
    planner = base_planner(args, metrics, sources, examples, held_out)
    if process.is_main_process and not args.base_model:
        planner.save_pretrained(output)  # a base of our own travels with its adapter

    rows, grade = tokenized(planner, examples[: args.train_examples]), exactness(held_out)
    planner, weights = train(args, "adapter", planner, rows, grade, metrics, args.learning_rate, lora(args))
    if process.is_main_process:
        planner.save_pretrained(output, weights)
        planner = Planner.from_pretrained(output, device=str(process.device))  # what is reported is what loads
        planner.least_confidence = calibrate(planner, draw(args.seed + CALIBRATION_SEED, args.eval_examples))
        planner.save_config(output)
        row = evaluate(planner, held_out)
        provenance = runs.record_provenance(output, args, upstream)
        metric = f"{row['exact']:.1%} exact, {row['refusals_right']:.1%} refusals right, held out"
        made = f"planner over {upstream.get('base_model') or upstream.get('init_from') or 'a small Llama'}"
        name = args.push_to_hub or Path(args.agent_dir or output).name
        card = cards.Card(
            data=cards.model_data(
                name,
                row,
                pipeline_tag="text-generation",
                measured_on="generated instructions",
                tags=("planner", "lora"),
            ),
            title="Planner",
            what=WHAT.format(base=upstream.get("base_model", "a small Llama trained here"), version=GOAL_VERSION),
            use=USE.format(name=name),
            results=RESULTS.format(
                examples=len(held_out),
                table=cards.table([["measure", "share"], *([key.replace("_", " "), row[key]] for key in row)]),
            ),
            limits=LIMITS,
        )
        cards.write_card(output, card, provenance)
        metrics.draw()
        print(metric)
        if args.agent_dir:
            parts = {part: sources[part] for part in PARTS} | {"planner": output}
            assemble(Path(args.agent_dir), parts, name, row, provenance)
            if args.push_to_hub:
                film(MotorAgent.from_pretrained(args.agent_dir), Path(args.agent_dir))
        runs.write_summary(output, stage="language", made=made, seconds=time.perf_counter() - started, metric=metric)
        if args.push_to_hub:
            hub.publish(args.agent_dir or args.output_dir, args.push_to_hub, private=args.private, tag=args.tag)
    process.wait_for_everyone()
    process.destroy_process_group()


def what_acts(folder: Path) -> list[Path]:
    """The weights, the tokenizer and the planner.json in the folder of a language model or a planner."""
    patterns = ("*.safetensors", f"{BASE}/*.safetensors", "tokenizer*", CONFIG)
    return [file for pattern in patterns for file in folder.glob(pattern)]


def begin(args: Arguments, folder: Path, upstream: dict[str, str]) -> runs.Metrics | None:
    """Take the folder that a run records itself in, and what its numbers go to; None but for the main process.

    Raises:
        ValueError: another run is in it, or the one that was cannot go on like this.
    """
    if args.resume:
        runs.check_resume(folder, args, FREE)
        before = runs.read_json(folder / runs.PROVENANCE)["upstream"]
        for name in START:
            if before.get(f"{name}_sha256") != upstream.get(f"{name}_sha256"):
                raise ValueError(
                    f"{folder} cannot be resumed: it began with weights of {name}={before.get(name, '')}, those of "
                    f"{name}={upstream.get(name, '')} are others: give what it began with"
                )
    if not PartialState().is_main_process:
        return None
    metrics = runs.Metrics(folder, resumed_step(args))
    if not args.resume:
        for phase in STAGES[args.stage]:
            shutil.rmtree(Path(args.output_dir) / f"{phase}_training", ignore_errors=True)  # of another run
        runs.record_provenance(folder, args, upstream)
    return metrics


def draw_examples(args: Arguments) -> tuple[list[Instruction], list[Instruction]]:
    """Held-out instructions, and those to train on, in which none of the former occurs."""
    held_out = draw(args.seed + HELD_OUT_SEED, args.eval_examples)
    kept = {prompt(each.text) for each in held_out}
    count = max(args.examples_in_full, args.train_examples)
    drawn = (each for each in generate(args.seed) if prompt(each.text) not in kept)
    return held_out, list(itertools.islice(drawn, count))


def draw(seed: int, count: int) -> list[Instruction]:
    return list(itertools.islice(generate(seed), count))


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
        ids = spare_token_ids(tokenizer, model.config.vocab_size)
        from_hub = not Path(args.base_model).is_dir()
        name, revision = hub.origin(args.base_model, folder).split("@") if from_hub else (args.base_model, "")
        return Planner(model, tokenizer, ids, base_model=name, base_revision=revision)
    trained = Path(args.output_dir) / "base_training" / "planner"
    if args.examples_in_full and not (args.resume and runs.newest(trained)):
        if args.init_from:
            planner = Planner.from_pretrained(sources["init_from"])
            planner.model.requires_grad_(True)  # a merged adapter leaves its base frozen
        else:
            tokenizer = train_tokenizer(examples[:EXAMPLES_FOR_TOKENIZER], args.vocab_size)
            planner = Planner(small_llama(args, tokenizer), tokenizer, spare_token_ids(tokenizer, len(tokenizer)))
        rows, grade = tokenized(planner, examples), exactness(held_out)
        planner, weights = train(args, "base", planner, rows, grade, metrics, args.base_learning_rate)
        if PartialState().is_main_process:
            with runs.replacing(trained) as beside:
                planner.save_pretrained(beside, weights)
        PartialState().wait_for_everyone()
    planner = Planner.from_pretrained(
        runs.newest(trained) or trained if args.examples_in_full else sources["init_from"]
    )
    planner.base_model = planner.base_revision = ""  # what it was merged into travels with the adapter to come
    return planner


def lora(args: Arguments) -> LoraConfig:
    """An adapter for every linear layer. Embeddings and head stay as they are, so it is small."""
    return LoraConfig(
        r=args.lora_rank, lora_alpha=2 * args.lora_rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def train_tokenizer(examples: list[Instruction], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that any Unicode encodes, with digits one by one and the goal tokens in its vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex("[0-9]"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<s>", "</s>", *VOCABULARY],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (prompt(each.text) for each in examples if each.category != "unclear")
    tokenizer.train_from_iterator((PROMPT_FORMAT.replace("{text}", text) for text in texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        extra_special_tokens=list(VOCABULARY),
    )


def small_llama(args: Arguments, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    heads = args.hidden_size // HEAD_SIZE
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=args.hidden_size,
            intermediate_size=args.hidden_size * 11 // 4,
            num_hidden_layers=args.num_hidden_layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            initializer_range=args.hidden_size**-0.5,  # activations of unit size; Llama's 0.02 is for larger models
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def train(
    args: Arguments,
    phase: str,
    planner: Planner,
    rows: Dataset,
    grade: Grade,
    metrics: runs.Metrics | None,
    learning_rate: float,
    adapter: LoraConfig | None = None,
) -> tuple[Planner, dict[str, torch.Tensor]]:
    """The planner, with its language model trained on the completions of `rows`, and the weights of that model.

    Under FSDP the model stays in shards; the weights are those of all of them, for the main process alone.
    """
    folder = Path(args.output_dir) / f"{phase}_training"
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=args.per_device_train_batch_size,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        num_train_epochs=1,
        learning_rate=learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.01,
        completion_only_loss=True,
        max_length=None,
        train_sampling_strategy="group_by_length",
        bf16=args.bf16,
        use_cpu=PartialState().device.type == "cpu",
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
        callbacks=[Accuracy(args, phase, planner, grade, metrics)],
    )
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(ProgressOnly)
    trainer.add_callback(SealedCheckpoints(trainer))
    checkpoint = last_checkpoint(folder) if args.resume else None
    with runs.interruptible() as interruption:
        trainer.add_callback(StopWhenAsked(interruption))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if interruption.signal:
        raise SystemExit(128 + interruption.signal)
    trained = Planner(
        trainer.accelerator.unwrap_model(trainer.model),
        planner.tokenizer,
        planner.goal_token_ids,
        base_model=planner.base_model,
        base_revision=planner.base_revision,
        prompt_format=planner.prompt_format,
    )
    return trained, trainer.accelerator.get_state_dict(trainer.model)


def tokenized(planner: Planner, examples: list[Instruction]) -> Dataset:
    """Instructions with their programs as token ids."""
    words = [prompt(each.text) or "" for each in examples]
    prompts = [planner.prompt_ids(each) for each in words]
    completions = [planner.completion_ids(each.program, said) for each, said in zip(examples, words, strict=True)]
    return as_rows(prompts, completions)


def as_rows(prompts: list[list[int]], completions: list[list[int]]) -> Dataset:
    """Prompts and completions as token ids; the loss is on the latter."""
    return Dataset.from_dict(
        {
            "input_ids": [p + c for p, c in zip(prompts, completions, strict=True)],
            "completion_mask": [[0] * len(p) + [1] * len(c) for p, c in zip(prompts, completions, strict=True)],
        }
    )


def exactness(held_out: list[Instruction]) -> Grade:
    """How well a planner in training understands a fifth of the instructions."""
    return lambda planner: evaluate(planner, held_out[: -(-len(held_out) // 5)])


def evaluate(planner: Planner, examples: list[Instruction]) -> dict[str, float]:
    """How well the planner understands `examples`."""
    return score([result.program for result in understand(planner, examples)], [each.program for each in examples])


def calibrate(planner: Planner, examples: list[Instruction]) -> float:
    """The confidence that all but one in a hundred of the right programs have."""
    pairs = zip(understand(planner, examples), examples, strict=True)
    right = [
        result.confidence for result, each in pairs if result.program == each.program and not each.program.refused
    ]
    return float(np.quantile(right, UNSURE)) if right else 0.0


def understand(planner: Planner, examples: list[Instruction]) -> list[Parse]:
    """What the planner makes of each."""
    return planner.parse_with_confidence([each.text for each in examples])


class Accuracy(TrainerCallback):
    """Every `eval_steps` updates: the planner's grade. Keeps all that is logged."""

    def __init__(self, args: Arguments, phase: str, planner: Planner, grade: Grade, metrics: runs.Metrics | None):
        self.args, self.phase, self.planner, self.grade, self.metrics = args, phase, planner, grade, metrics

    def on_step_end(self, args, state, control, model=None, **kwargs):
        # Every process has a part of a model in shards, so all of them evaluate.
        sharded = PartialState().distributed_type == DistributedType.FSDP
        if state.global_step % self.args.eval_steps or not (sharded or self.metrics):
            return
        planner = self.planner
        found = self.grade(
            Planner(model, planner.tokenizer, planner.goal_token_ids, prompt_format=planner.prompt_format)
        )
        model.train()
        if self.metrics is not None:
            self.metrics.add(self.step(state), {f"{self.phase}/{name}": value for name, value in found.items()})

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.metrics is not None and "loss" in logs:
            self.metrics.add(
                self.step(state),
                {f"{self.phase}/{name}": logs[name] for name in ("loss", "grad_norm", "learning_rate")},
            )

    def step(self, state) -> int:
        return state.global_step + (first_adapter_step(self.args) if self.phase == "adapter" else 0)


class SealedCheckpoints(TrainerCallback):
    """Seals every checkpoint once it is written, so that one that is not whole is never gone on from."""

    def __init__(self, trainer: SFTTrainer):
        self.trainer = trainer

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if control.should_save and state.is_world_process_zero:
            trained = sum(weight.nbytes for weight in model.parameters() if weight.requires_grad)
            with runs.writing(Path(args.output_dir) / f"checkpoint-{state.global_step}", 3 * trained):
                pass  # there is room for the weights and both moments of them

    def on_save(self, args, state, control, **kwargs):
        self.trainer.accelerator.wait_for_everyone()
        if state.is_world_process_zero:
            runs.seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint of a phase that is whole. Raises ValueError where a file of it is damaged."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{runs.MANIFEST}")]
    newest = max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)
    if newest is not None:
        runs.check(newest)
    return newest


class StopWhenAsked(TrainerCallback):
    """Saves and stops after the update in which a signal came."""

    def __init__(self, interruption: runs.Interruption):
        self.interruption = interruption

    def on_step_end(self, args, state, control, **kwargs):
        interrupted = max(gather_object([self.interruption.signal]))
        self.interruption.signal = interrupted
        control.should_save = control.should_save or bool(interrupted)
        control.should_training_stop = control.should_training_stop or bool(interrupted)


def first_adapter_step(args: Arguments) -> int:
    """Updates before the adapter's first: those of the model in full."""
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * PartialState().num_processes
    return -(-args.examples_in_full // batch)


def resumed_step(args: Arguments) -> int | None:
    """The update that --resume goes on from; None where a run starts anew."""
    if not args.resume:
        return None
    for phase in reversed(STAGES[args.stage]):
        checkpoint = last_checkpoint(Path(args.output_dir) / f"{phase}_training")
        if checkpoint:
            offset = first_adapter_step(args) if phase == "adapter" else 0
            return offset + int(checkpoint.name.rsplit("-", 1)[1])
    return 0


def teach_feedback(args: Arguments, sources: dict[str, Path], upstream: dict[str, str], started: float) -> None:
    """Give a planner its second adapter, in the folder feedback/, by lessons from a dataset."""
    output = Path(args.output_dir)
    folder = output / FEEDBACK
    planner = Planner.from_pretrained(sources["init_from"])
    planner.model.requires_grad_(True)  # a merged adapter leaves its base frozen
    held_out = lessons.draw(sources["dataset"], args.eval_examples, args.seed + HELD_OUT_SEED, held_out=True)
    rows = feedback_rows(planner, lessons.draw(sources["dataset"], args.train_examples, args.seed), args.seed)
    metrics = begin(args, folder, upstream)
    assert metrics, "this is the only process"
    tables = list(itertools.islice(proposals.draw_tables(args.seed + HELD_OUT_SEED), args.eval_examples))

    def grade(planner: Planner) -> dict[str, float]:
        planner.feedback = planner.model
        few = -(-args.eval_examples // 5)
        return grade_feedback(planner, held_out[:few]) | grade_proposals(planner, tables[:few])

    adapter = lora(args)
    if planner.feedback_folder:
        planner.model = PeftModel.from_pretrained(planner.model, planner.feedback_folder, is_trainable=True)
        adapter = None  # it goes on with the one that is there
    planner, weights = train(args, FEEDBACK, planner, rows, grade, metrics, args.learning_rate, adapter)
    planner.model.peft_config["default"].base_model_name_or_path = "."  # of the planner around it
    discard(folder, runs.MANIFEST)  # of what was here before
    planner.model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    runs.write_json(folder / FEEDBACK_CONFIG, {"goal_version": GOAL_VERSION, "least_doubt": 0.5})
    planner = Planner.from_pretrained(sources["init_from"])
    planner.load_feedback(folder, folder)
    least_doubt = calibrate_doubt(
        planner, lessons.draw(sources["dataset"], args.eval_examples, args.seed + CALIBRATION_SEED)
    )
    runs.write_json(folder / FEEDBACK_CONFIG, {"goal_version": GOAL_VERSION, "least_doubt": least_doubt})
    planner.least_doubt = least_doubt
    if output.resolve() != sources["init_from"].resolve():
        discard(output, BASE, ADAPTER, ADAPTER_WEIGHTS, runs.MANIFEST)  # of another planner
        unwanted = shutil.ignore_patterns(FEEDBACK, *runs.TRAINING_ONLY, "metrics.jsonl")
        shutil.copytree(sources["init_from"], output, ignore=unwanted, dirs_exist_ok=True)
    row = grade_feedback(planner, held_out) | grade_proposals(planner, tables)
    runs.record_provenance(folder, args, upstream)
    metrics.draw()
    metric = (
        f"{row['verdict']:.1%} of the verdicts, {row['repair']:.1%} of the repairs exact, "
        f"{row['proposal']:.1%} of the proposals practice what is weak, held out"
    )
    print(metric)
    made = f"feedback adapter of {upstream['init_from']}"
    runs.seal(folder)
    runs.write_summary(folder, stage="feedback", made=made, seconds=time.perf_counter() - started, metric=metric)


def feedback_rows(planner: Planner, outcomes: list[GoalOutcome], seed: int) -> Dataset:
    """What is wrong with each outcome, what to do about those that can be repaired, and as many tables with what to
    practice, as token ids.
    """
    prompts = [planner.outcome_ids(ASSESS_FORMAT, each) for each in outcomes]
    answers = [planner.verdict_ids(cause(each)) for each in outcomes]
    for each in outcomes:
        if undone := repairs(each):
            prompts.append(planner.outcome_ids(CORRECT_FORMAT, each))
            answers.append(planner.repair_ids(each, undone))
    rng = np.random.default_rng(seed)
    for table in itertools.islice(proposals.draw_tables(seed), len(outcomes)):
        prompts.append(planner.table_ids(table))
        answers.append(planner.proposal_ids(proposals.example(table, rng), table))
    return as_rows(prompts, answers)


def grade_feedback(planner: Planner, outcomes: list[GoalOutcome]) -> dict[str, float]:
    """Shares: verdicts as the simulator's, causes likewise, met goals called missed, and repairs of missed ones."""
    causes, found = [cause(each) for each in outcomes], [each.cause for each in planner.assess(outcomes)]
    missed = [each for each, name in zip(outcomes, causes, strict=True) if name not in ("met", "fall")]
    meant = [tuple(repair.goal for repair in repairs(each)) for each in missed]
    doubted = [name != "met" for name, truth in zip(found, causes, strict=True) if truth == "met"]
    return {
        "verdict": float(np.mean([(a == "met") == (b == "met") for a, b in zip(found, causes, strict=True)])),
        "cause": float(np.mean([a == b for a, b in zip(found, causes, strict=True)])),
        "doubted": float(np.mean(doubted)) if doubted else 0.0,
        "repair": float(np.mean([a == b for a, b in zip(planner.correct(missed), meant, strict=True)]))
        if missed
        else 0.0,
    }


def grade_proposals(planner: Planner, tables: list[list[proposals.Score]]) -> dict[str, float]:
    """Share of tables whose proposal has one of the weakest goals in it, and of as many named goals by chance."""
    found, by_chance = [], []
    for seed, table in enumerate(tables):
        (program,) = planner.propose(table, 1, seed)
        weak = proposals.weakest(table)
        found.append(proposals.practices(program, weak))
        by_chance.append(1 - (1 - len(weak) / len(table)) ** len(program.goals))
    return {"proposal": float(np.mean(found)), "proposal_by_chance": float(np.mean(by_chance))}


def calibrate_doubt(planner: Planner, outcomes: list[GoalOutcome]) -> float:
    """The probability of a miss above which a goal is called missed: all but few of those that were met stay below."""
    planner.least_doubt = 0.0  # so that the confidence of each is that it was missed
    met = [each for each in outcomes if cause(each) == "met"]
    doubts = [each.confidence for each in planner.assess(met)]
    return float(np.clip(np.quantile(doubts, 1 - DOUBTED), 0.5, 0.99)) if met else 0.5


class Referee:
    """Says how much of what was meant a body does with the program that it is given. It remembers what it has seen."""

    def __init__(self, mover: GoalDecisionTransformer):
        self.mover = mover
        self.known: dict[tuple[GoalProgram, GoalProgram], float] = {}

    def __call__(self, meant: Sequence[GoalProgram], given: Sequence[GoalProgram]) -> list[float]:
        """Share of the goals of each program in `meant` that are met; none where another number of goals is given."""
        pairs = list(zip(meant, given, strict=True))
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self.known]
        self.known |= dict.fromkeys(new, 0.0)
        moving = [pair for pair in new if len(pair[0].goals) == len(pair[1].goals) and pair[1].goals[-1].end]
        trials = [Trial(asked.goals, told.goals, "none", seed=0) for asked, told in moving]
        for pair, pursuit in zip(moving, run_trials(self.mover, trials), strict=True):
            self.known[pair] = sum(outcome.met for outcome in pursuit.outcomes) / len(pursuit.asked)
        return [self.known[pair] for pair in pairs]


def reinforce(args: Arguments, sources: dict[str, Path], upstream: dict[str, str], started: float) -> None:
    """Let a planner go on with the programs that it draws, paid for exactness and for what the body does with them."""
    output, folder = Path(args.output_dir), Path(args.output_dir) / "grpo_training"
    held_out = list(itertools.islice(bodily(args, args.seed + HELD_OUT_SEED), args.eval_examples))
    kept = {prompt(each.text) for each in held_out}
    rows = [
        {"prompt": prompt(each.text), "program": each.program.tokens}
        for each in itertools.islice(bodily(args, args.seed, kept), args.train_examples)
    ]
    metrics = begin(args, output, upstream)
    assert metrics, "this is the only process"
    planner = Planner.from_pretrained(sources["init_from"])
    planner.save_pretrained(output)  # the base that the new adapter is for
    referee = Referee(GoalDecisionTransformer.from_pretrained(sources["decision_transformer"]).eval())
    before = grade_bodily(planner, referee, held_out)

    def roll_out(prompts: list[str], trainer: GRPOTrainer) -> dict[str, list]:
        model = trainer.accelerator.unwrap_model(trainer.model)
        drawing = Planner(model, planner.tokenizer, planner.goal_token_ids, prompt_format=planner.prompt_format)
        drawn = drawing.sample(prompts)
        model.train()
        ids = [drawing.prompt_ids(words) for words in prompts]
        return {
            "prompt_ids": ids,
            "completion_ids": [completion for completion, _ in drawn],
            "logprobs": None,
            "drawn": [given.tokens for _, given in drawn],
        }

    def physical(prompts, completions, program, drawn, **kwargs) -> list[float]:
        return referee(*([GoalProgram.from_tokens(each) for each in tokens] for tokens in (program, drawn)))

    def exact(prompts, completions, program, drawn, **kwargs) -> list[float]:
        return [float(meant == given) for meant, given in zip(program, drawn, strict=True)]

    planner.model.requires_grad_(True)  # a merged adapter leaves its base frozen
    config = GRPOConfig(
        output_dir=str(folder),
        per_device_train_batch_size=args.per_device_train_batch_size,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        num_generations=args.num_generations,
        beta=args.kl_weight,
        temperature=1.0,
        learning_rate=args.learning_rate,
        num_train_epochs=1,
        bf16=args.bf16,
        use_cpu=PartialState().device.type == "cpu",
        gradient_checkpointing=args.gradient_checkpointing,
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=1,
        save_strategy="no",
        report_to=args.report_to,
        seed=args.seed,
    )
    trainer = GRPOTrainer(
        model=planner.model,
        reward_funcs=[physical, exact],
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=planner.tokenizer,
        peft_config=lora(args),
        rollout_func=roll_out,
    )
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(ProgressOnly)
    trainer.train()
    trained = Planner(
        trainer.accelerator.unwrap_model(trainer.model),
        planner.tokenizer,
        planner.goal_token_ids,
        prompt_format=planner.prompt_format,
        least_confidence=planner.least_confidence,
    )
    trained.save_pretrained(output)
    after = grade_bodily(Planner.from_pretrained(output), referee, held_out)
    runs.write_json(output / "grpo.json", {"before": before, "after": after, "log": trainer.state.log_history})
    for row in trainer.state.log_history:
        if "loss" in row:
            names = ("loss", "kl", "rewards/physical/mean", "rewards/exact/mean")
            metrics.add(row["step"], {f"grpo/{name}": row[name] for name in names if name in row})
    metrics.draw()
    runs.record_provenance(output, args, upstream)
    metric = (
        f"{before['physical']['share']:.1%} of {len(held_out)} done before, {after['physical']['share']:.1%} after"
    )
    print(metric)
    made = f"planner by GRPO from {upstream['init_from']}"
    runs.write_summary(output, stage="grpo", made=made, seconds=time.perf_counter() - started, metric=metric)


def bodily(args: Arguments, seed: int, kept: Container[str | None] = ()) -> Iterator[Instruction]:
    """Generated instructions, but for those `kept`, of goals with ends that a body is done with in `longest_seconds`.

    Raises:
        ValueError: there are hardly any.
    """

    def fits(each: Instruction) -> bool:
        goals = each.program.goals
        ends = bool(goals) and all(goal.end for goal in goals)
        return ends and sum(map(expected_seconds, goals)) <= args.longest_seconds and prompt(each.text) not in kept

    drawn = generate(seed)
    while found := next(filter(fits, itertools.islice(drawn, MOST_DRAWN)), None):
        yield found
    raise ValueError(
        f"longest_seconds={args.longest_seconds} leaves no instruction among {MOST_DRAWN:,} that are drawn: give more"
    )


def grade_bodily(planner: Planner, referee: Referee, examples: list[Instruction]) -> dict[str, dict]:
    """Share of the instructions that the body does whole, and that are understood exactly, with intervals."""
    meant = [each.program for each in examples]
    given = [result.program for result in understand(planner, examples)]
    done = [share == 1 for share in referee(meant, given)]
    exact = [mine == gold for mine, gold in zip(given, meant, strict=True)]
    return {"physical": suites.share(done), "exact": suites.share(exact)}


class ProgressOnly(ProgressCallback):
    """The bar of the trainer, without its rows of numbers on stdout."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is not None and "loss" in logs:
            self.training_bar.set_postfix_str(f"loss {float(logs['loss']):.3f}")


def assemble(folder: Path, parts: dict[str, Path], name: str, results: dict[str, float], provenance: dict) -> None:
    """Write the agent: a folder per part, without what only served its training."""
    with runs.replacing(folder) as beside:
        for part, source in parts.items():
            for file in hub.published_files(source):
                if Path(file).name != runs.METRICS:
                    (beside / part / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source / file, beside / part / file)
            runs.seal(beside / part, runs.read_manifest(source))
        runs.write_json(beside / runs.PROVENANCE, provenance)
        describe(beside, name, results)


if __name__ == "__main__":
    arguments.run(main, Arguments)
