"""The planner: a causal language model that turns an instruction into a goal program.

It decodes under the grammar of goals, so that what comes out is a valid GoalProgram, whatever the text. The model
decides what is meant; what is out of range, empty or too long is decided by rules around it, and a plain list of steps
is taken apart by rules (`agent/language/steps.py`), so that the model reads each step alone, in plain words
(`agent/language/plain_words.py`). Amounts that a goal can end with are lifted out of the text: the model sees and
writes a slot for each (a pointer to what it reads, Vinyals et al., 2015), and never has to spell what it only copies.

Shapes: B texts, P prompt tokens, V vocabulary of the language model.
"""

import copy
import math
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from agent.artefacts import checks, hub, runs
from agent.bodies import Body, find_body
from agent.feedback.outcomes import CAUSES, Assessment, GoalOutcome, Repair
from agent.feedback.proposals import Score, shown
from agent.goals import (
    AXIS_IDS,
    DIGITS,
    ENDS,
    GOAL_VERSION,
    MAX_GOALS,
    TOKEN_IDS,
    TOKENS,
    Goal,
    GoalProgram,
    check_goal_version,
    next_token_ids,
)
from agent.language.corpus.generator import in_order, prompt
from agent.language.quantities import beyond, lift
from agent.language.steps import Steps, steps

CONFIG = "planner.json"
CONFIG_TYPES = {
    "base_model": str,
    "base_revision": str,
    "dtype": str,
    "prompt_format": str,
    "least_confidence": float,
    "goal_token_ids": list,
}
DTYPES = ("float32", "bfloat16", "float16")
ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
LORA_SETTINGS = (  # what an adapter may say of itself
    *("peft_type", "peft_version", "task_type", "base_model_name_or_path", "revision", "inference_mode"),
    *("r", "lora_alpha", "lora_dropout", "rank_pattern", "alpha_pattern", "use_rslora", "target_modules"),
    *("exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out"),
)
BASE = "base"  # a base model that is small enough to travel with its adapter
FEEDBACK = "feedback"  # folder of a second adapter, for what is to be judged and repaired
FEEDBACK_CONFIG = "feedback.json"
PROMPT_FORMAT = "instruction: {text}\nprogram:"
ASSESS_FORMAT = "outcome: {text}\nverdict:"
CORRECT_FORMAT = "outcome: {text}\nrepair:"
PROPOSE_FORMAT = "table: {text}\nproposal:"
CAUSE_IDS = tuple(TOKEN_IDS[f"<{number}>"] for number in range(len(CAUSES)))  # the verdict is a digit
END_ID = TOKEN_IDS["<end>"]
DIGIT_IDS = {TOKEN_IDS[f"<{digit}>"]: digit for digit in DIGITS}
END_KINDS = {TOKEN_IDS[f"<{kind}>"]: kind for kind in ENDS}
SLOTS = tuple(f"<#{number}>" for number in range(1, 17))  # the amounts of a text, in their order
VOCABULARY = (*TOKENS, *SLOTS)  # what a language model has an id for
COMMAND = len(VOCABULARY) - 1  # the last slot: in a repair, the command of the goal that was missed
SURE = 0.5  # probability of a step that is read alone; a step that is less sure is read among the others
READ_AT_ONCE, PROPOSED_AT_ONCE = 128, 64  # texts, and programs drawn for one table
MAX_PROMPT_TOKENS = (
    512  # English within the limit of characters has half of it; other scripts may have many times more
)


@dataclass(frozen=True)
class Parse:
    """A program and the probability, under the grammar, that the model gave to it; 1 where a rule decided."""

    program: GoalProgram
    confidence: float


class Planner:
    """A causal LM, its tokenizer, and the ids in its vocabulary that stand for goal tokens and slots.

    Args:
        model: the LM, with any adapter merged or attached.
        tokenizer: its tokenizer.
        goal_token_ids: for each of VOCABULARY, the id in the LM's.
        base_model: id or folder of the LM that an adapter belongs to, empty for a model that travels with its planner.
        base_revision: revision of that id.
        prompt_format: what is around the text, which stands at {text}.
        least_confidence: programs that the model gives less probability to are not understood, and refused.
        feedback: the LM with its second adapter merged, which assesses, corrects and proposes; None where it was not
            taught to.
        miss_threshold: a goal is called missed where the probability of a miss is at least this.
        body: name of the body whose limits a program must keep.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        goal_token_ids: Sequence[int],
        *,
        base_model: str = "",
        base_revision: str = "",
        prompt_format: str = PROMPT_FORMAT,
        least_confidence: float = 0.0,
        feedback: PreTrainedModel | None = None,
        miss_threshold: float = 0.5,
        body: str = "humanoid",
    ):
        size = model.config.vocab_size
        if not all(isinstance(index, int) and 0 <= index < size for index in goal_token_ids):
            raise ValueError(
                f"goal tokens have ids beyond the {size} of the vocabulary: this is another model's planner"
            )
        if len(goal_token_ids) != len(VOCABULARY) or len(set(goal_token_ids)) != len(VOCABULARY):
            raise ValueError(
                f"{len(set(goal_token_ids))} ids for {len(VOCABULARY)} goal tokens and slots: give each one of its own"
            )
        far = {index for index in tokenizer.get_vocab().values() if index >= size}
        if far - tokenizer.added_tokens_decoder.keys():
            raise ValueError(f"the tokenizer has ids beyond the {size} of the vocabulary: this is another model's")
        if prompt_format.count("{text}") != 1:
            raise ValueError(f"prompt_format={prompt_format!r:.60} must have {{text}} in it, once")
        if not 0 <= least_confidence <= 1:
            raise ValueError(f"least_confidence={least_confidence} must be from 0 to 1")
        self.model = model.eval()
        self.feedback = feedback.eval() if feedback is not None else None
        self.feedback_folder: Path | None = None  # where its adapter was loaded from
        self.miss_threshold = miss_threshold
        self.body = find_body(body)
        self.tokenizer = tokenizer
        self.goal_token_ids = tuple(goal_token_ids)
        self.base_model, self.base_revision, self.prompt_format = base_model, base_revision, prompt_format
        self.least_confidence = least_confidence
        self._reserved = {*goal_token_ids, *tokenizer.all_special_ids, *far}
        self._head, self._tail = ([*self._plain_ids(part)] for part in prompt_format.split("{text}"))
        if tokenizer.bos_token_id is not None:
            self._head.insert(0, tokenizer.bos_token_id)
        if len(self._head) + len(self._tail) >= MAX_PROMPT_TOKENS:
            raise ValueError(f"prompt_format={prompt_format!r:.60} leaves no room for a text: give a shorter one")

    @classmethod
    def from_pretrained(
        cls, path: str | Path, *, device: str = "cpu", revision: str | None = None, token: str | None = None
    ) -> "Planner":
        """Load from a folder or a Hub repo. Raises ValueError for another goal vocabulary, or where no planner is."""
        folder = hub.folder(path, revision=revision, token=token)
        if not (folder / CONFIG).is_file():
            raise ValueError(f"{path} holds no {CONFIG}: give the folder of a planner that finetune_llm.py made")
        config = runs.read_json(folder / CONFIG)
        check_goal_version(config.get("goal_version"), str(path))
        for name, kind in CONFIG_TYPES.items():
            if not isinstance(config.get(name), kind):
                raise ValueError(f"{path} has {name}={config.get(name)!r:.60} in {CONFIG}: make or load it again")
        if config["dtype"] not in DTYPES:
            raise ValueError(f"{path} has dtype={config['dtype']!r:.60} in {CONFIG}, which is none of {DTYPES}")
        base_name: str | Path = folder / BASE
        if not (folder / BASE).is_dir():
            base_name = config["base_model"]
            if hub.repo_cache(folder) and not re.fullmatch(r"[\w.-]+/[\w.-]+", base_name):
                raise ValueError(f"{path} names the base model {base_name!r}, which is no Hub repo: refused")
        base = hub.folder(base_name, revision=config["base_revision"] or None, token=token)
        model = load_language_model(base, base_name, config["dtype"])
        if (folder / ADAPTER).is_file():
            model = merge_adapter(model, folder, path)
        names = ("base_model", "base_revision", "prompt_format", "least_confidence")
        tokenizer = load_tokenizer(folder, path)
        try:
            rest = {name: config[name] for name in names}
            body = config.get("body", "humanoid")
            planner = cls(model.to(device), tokenizer, config["goal_token_ids"], body=body, **rest)
            planner._read(["stand"])
        except ValueError as error:
            raise ValueError(f"{path} is no planner to work with: {error}") from error
        if (folder / FEEDBACK / ADAPTER).is_file():
            planner.load_feedback(folder / FEEDBACK, f"{path}/{FEEDBACK}")
        return planner

    def load_feedback(self, folder: Path, name: str | Path) -> None:
        """Learn to judge and propose from the adapter in `folder`. Raises ValueError where it is none for this LM."""
        runs.check(folder)
        config = runs.read_json(folder / FEEDBACK_CONFIG)
        check_goal_version(config.get("goal_version"), str(name))
        miss_threshold = config.get("miss_threshold", config.get("least_doubt"))  # its name until version 0.2
        if not isinstance(miss_threshold, float) or not 0 <= miss_threshold <= 1:
            raise ValueError(
                f"{name} has miss_threshold={miss_threshold!r:.60} in {FEEDBACK_CONFIG}: make or load it again"
            )
        self.feedback = merge_adapter(copy.deepcopy(self.model), folder, name).eval()
        self.feedback_folder, self.miss_threshold = folder, miss_threshold

    def with_model(self, model: PreTrainedModel) -> "Planner":
        """A planner with the same tokenizer and prompt, not calibrated, whose model is this one."""
        return Planner(
            model,
            self.tokenizer,
            self.goal_token_ids,
            base_model=self.base_model,
            base_revision=self.base_revision,
            prompt_format=self.prompt_format,
            body=self.body.name,
        )

    def save_pretrained(self, path: str | Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Save the model whole in base/, or only the adapter attached to it, with tokenizer and planner.json.

        What another planner left in the folder goes: its adapter, a base/ that is not that of this adapter, and a
        feedback/, which was trained over other weights. `weights` are those of the model by name, where it does not
        hold them itself.
        """
        folder = Path(path)
        stale = [FEEDBACK] if self.feedback_folder != folder / FEEDBACK else []
        with runs.placing(path, sum(value.nbytes for value in self.model.state_dict().values())) as new:
            if isinstance(self.model, PreTrainedModel):  # with an adapter attached it is a PeftModel
                stale += [ADAPTER, ADAPTER_WEIGHTS]
                self.model.save_pretrained(new / BASE, state_dict=weights)
            else:
                stale += [BASE] if self.base_model else []
                # Where the base lay on this machine is nobody's concern, and PEFT is not to look for it on the Hub.
                self.model.peft_config["default"].base_model_name_or_path = self.base_model or BASE
                self.model.save_pretrained(new, state_dict=weights, save_embedding_layers=False)
            self.tokenizer.save_pretrained(new)
            runs.write_json(new / CONFIG, self.config)
            if self.feedback_folder and FEEDBACK in stale:
                shutil.copytree(self.feedback_folder, new / FEEDBACK)
            discard(folder, runs.MANIFEST, *stale)

    def save_feedback(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Save the adapter attached to the model as the feedback adapter of the planner in the folder above."""
        discard(folder, runs.MANIFEST)  # of an earlier one
        self.model.peft_config["default"].base_model_name_or_path = "."
        self.model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
        self.save_feedback_config(folder)

    def save_feedback_config(self, folder: Path) -> None:
        """Save feedback.json alone."""
        runs.write_json(
            folder / FEEDBACK_CONFIG, {"goal_version": GOAL_VERSION, "miss_threshold": self.miss_threshold}
        )

    def save_config(self, folder: Path) -> None:
        """Save planner.json alone."""
        with runs.placing(folder) as new:
            runs.write_json(new / CONFIG, self.config)

    @property
    def config(self) -> dict:
        """What planner.json holds."""
        return {
            "goal_version": GOAL_VERSION,
            "body": self.body.name,
            "base_model": self.base_model,
            "base_revision": self.base_revision,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "prompt_format": self.prompt_format,
            "least_confidence": self.least_confidence,
            "goal_token_ids": list(self.goal_token_ids),
        }

    def parse(self, text: str) -> GoalProgram:
        """The program that `text` asks for. It is always a valid one, or a refusal."""
        return self.parse_batch([text])[0]

    def parse_batch(self, texts: Sequence[str]) -> list[GoalProgram]:
        """The same for many texts at once."""
        return [result.program for result in self.parse_with_confidence(texts)]

    def parse_with_confidence(self, texts: Sequence[str]) -> list[Parse]:
        """Programs with the probability that the model gave to each. Texts of about equal length are read together."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        results: dict[int, Parse] = {}
        for first in range(0, len(order), READ_AT_ONCE):
            places = order[first : first + READ_AT_ONCE]
            results |= zip(places, self._parse_together([texts[place] for place in places]), strict=True)
        return [results[place] for place in range(len(texts))]

    def _parse_together(self, texts: Sequence[str]) -> list[Parse]:
        results: dict[int, Parse] = {}
        whole: dict[int, str] = {}
        lists: dict[int, Steps] = {}
        for place, text in enumerate(texts):
            words = prompt(text)
            if not text.strip():
                results[place] = Parse(GoalProgram(refusal="nothing"), 1.0)
            elif words is None or len(self.prompt_ids(words)) > MAX_PROMPT_TOKENS:
                results[place] = Parse(GoalProgram(refusal="unclear"), 1.0)
            elif plain := steps(text):
                lists[place] = plain
            else:
                whole[place] = words
        read = iter(self._read([part for plain in lists.values() for part in plain.parts]))
        for place, plain in lists.items():
            words = prompt(texts[place]) or ""
            if joined := join([next(read) for _ in plain.parts], plain.times):
                results[place] = self._judged(joined, words)
            else:
                whole[place] = words
        for (place, words), result in zip(whole.items(), self._read(list(whole.values())), strict=True):
            results[place] = self._judged(result, words)
        return [results[place] for place in range(len(texts))]

    def assess(self, outcomes: Sequence[GoalOutcome]) -> list[Assessment]:
        """What is wrong with each goal, and the probability that this is so.

        Raises:
            ValueError: this planner was not taught to.
        """
        model = self._taught()
        prompts = [self.outcome_ids(ASSESS_FORMAT, outcome) for outcome in outcomes]
        if not prompts:
            return []
        ids, mask = _padded(prompts, model.device)
        with torch.inference_mode():
            positions = (mask.cumsum(-1) - 1).clamp_min(0)
            logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=1).logits[:, -1]
        chances = logits[:, [self.goal_token_ids[index] for index in CAUSE_IDS]].double().softmax(-1)
        return [self._assessment(row) for row in chances.tolist()]

    def _assessment(self, chances: list[float]) -> Assessment:
        """Met, unless a miss is probable enough; then the likeliest cause."""
        met, *others = chances
        if 1 - met < self.miss_threshold:
            return Assessment("met", met)
        return Assessment(CAUSES[1 + others.index(max(others))], 1 - met)

    def correct(self, outcomes: Sequence[GoalOutcome]) -> list[tuple[Goal, ...]]:
        """Goals that repair what is left of each goal; none where there is nothing to do.

        Raises:
            ValueError: this planner was not taught to.
        """
        model = self._taught()
        drafts = [Draft(lift(each.report, len(SLOTS) - 1)[1], {COMMAND: each.goal.command_ids}) for each in outcomes]
        self._decode([self.outcome_ids(CORRECT_FORMAT, outcome) for outcome in outcomes], drafts, model)
        return [GoalProgram.from_token_ids(draft.ids).goals if len(draft.ids) > 1 else () for draft in drafts]

    def judge(self, outcome: GoalOutcome) -> tuple[Assessment, tuple[Goal, ...]]:
        """What is wrong with a goal, and what to do about it: see `agent.feedback.pursuit.Pursuit`."""
        (assessment,) = self.assess([outcome])
        return assessment, () if assessment.met else self.correct([outcome])[0]

    def propose(self, table: Sequence[Score], count: int, seed: int = 0) -> list[GoalProgram]:
        """`count` programs that practice what a table says is done worst, drawn by their probability.

        Raises:
            ValueError: this planner was not taught to.
        """
        model = self._taught()
        programs: list[GoalProgram] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            while len(programs) < count:
                drafts = [
                    Draft([], table_commands(table)) for _ in range(min(PROPOSED_AT_ONCE, count - len(programs)))
                ]
                self._decode([self.table_ids(table)] * len(drafts), drafts, model, pick=draw)
                programs += [GoalProgram.from_token_ids(draft.ids) for draft in drafts]
        return programs

    def check_taught(self) -> None:
        """Raise ValueError where this planner cannot assess, correct and propose."""
        self._taught()

    def _taught(self) -> PreTrainedModel:
        if self.feedback is None:
            raise ValueError(
                f"this planner has no {FEEDBACK}/, so it cannot judge or propose: "
                "teach it by finetune_llm.py --stage feedback"
            )
        return self.feedback

    def outcome_ids(self, task: str, outcome: GoalOutcome) -> list[int]:
        """Token ids that a task about an outcome is put to the model with: the command as its goal tokens, amounts as
        slots.
        """
        head, tail = (self._plain_ids(part) for part in task.split("{text}"))
        command = [self.goal_token_ids[index] for index in outcome.goal.command_ids]
        start = [self.tokenizer.bos_token_id] if self.tokenizer.bos_token_id is not None else []
        return [*start, *head, *command, *self._lifted_ids(outcome.report), *tail]

    def table_ids(self, table: Sequence[Score]) -> list[int]:
        """Token ids that a proposal is asked for with: for each of the worst goals a slot to point at it by, how often
        it was met, in tenths, and its command.
        """
        head, tail = (self._plain_ids(part) for part in PROPOSE_FORMAT.split("{text}"))
        slots = table_commands(table)
        tenths = [TOKEN_IDS[f"<{score.tenths}>"] for score in shown(table)]
        rows = [(slot, met, *command) for met, (slot, command) in zip(tenths, slots.items(), strict=True)]
        start = [self.tokenizer.bos_token_id] if self.tokenizer.bos_token_id is not None else []
        return [*start, *head, *(self.goal_token_ids[index] for row in rows for index in row), *tail]

    def proposal_ids(self, program: GoalProgram, table: Sequence[Score]) -> list[int]:
        """Token ids that the model is to propose a program with: it points at the goals that it was shown."""
        slots = {command: slot for slot, command in table_commands(table).items()}
        ids: list[int] = []
        for goal in program.goals:
            command, end = goal.token_ids[:3], goal.token_ids[3:]
            ids += [slots[command]] if command in slots else command
            ids += end
        return [self.goal_token_ids[index] for index in (*ids, END_ID)]

    def verdict_ids(self, cause: str) -> list[int]:
        """Token ids that the model is to assess an outcome with."""
        return [self.goal_token_ids[CAUSE_IDS[CAUSES.index(cause)]]]

    def repair_ids(self, outcome: GoalOutcome, repairs: Sequence[Repair]) -> list[int]:
        """Token ids that the model is to correct an outcome with: it points at the deviation that each goal undoes."""
        slots = [place for place, deviation in enumerate(outcome.reported) if deviation.kind]
        ids: list[int] = []
        for repair in repairs:
            spelled = repair.goal.token_ids
            ids += [COMMAND] if spelled[:3] == outcome.goal.command_ids else spelled[:3]
            pointed = repair.deviation is not None
            ids += [spelled[3], len(TOKENS) + slots.index(repair.deviation)] if pointed else spelled[3:]
        return [self.goal_token_ids[index] for index in (*ids, END_ID)]

    def _judged(self, result: Parse, words: str) -> Parse:
        """The parse within limits, or a refusal where the model is not sure enough."""
        result = within_limits(result, words, self.body)
        if result.program.goals and result.confidence < self.least_confidence:
            return Parse(GoalProgram(refusal="unclear"), result.confidence)
        return result

    def prompt_ids(self, words: str) -> list[int]:
        """Token ids that the program is asked for with. No text makes ids of goal tokens or special tokens."""
        return [*self._head, *self._lifted_ids(words), *self._tail]

    def _lifted_ids(self, words: str) -> list[int]:
        (first, *parts), _ = lift(words, len(SLOTS))
        slots = self.goal_token_ids[len(TOKENS) :]
        lifted = (index for slot, part in zip(slots, parts, strict=False) for index in (slot, *self._plain_ids(part)))
        return [*self._plain_ids(first), *lifted]

    def completion_ids(self, program: GoalProgram, words: str) -> list[int]:
        """Token ids that the model is to answer `words` with: a slot wherever an amount stands in them."""
        amounts = dict(enumerate(lift(words, len(SLOTS))[1], start=len(TOKENS)))
        used: set[int] = set()
        ids: list[int] = []
        for goal in program.goals:
            matching = [slot for slot, amount in amounts.items() if amount == spelled_end(goal.token_ids)]
            slot = next((each for each in matching if each not in used), *matching[:1] or [None])
            ids += goal.token_ids if slot is None else [*goal.token_ids[:4], slot]
            used.add(slot or 0)
        ids += program.token_ids if program.refused else [END_ID]
        return [self.goal_token_ids[index] for index in ids]

    def _plain_ids(self, text: str) -> list[int]:
        ids = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [index for index in ids if index not in self._reserved]

    def _read(self, asked: list[str]) -> list[Parse]:
        """The program of each text, and its probability."""
        drafts = [Draft(lift(words, len(SLOTS))[1]) for words in asked]
        confidence = self._decode([self.prompt_ids(words) for words in asked], drafts, self.model)
        return [Parse(GoalProgram.from_token_ids(draft.ids), p) for draft, p in zip(drafts, confidence, strict=True)]

    @torch.inference_mode()
    def _decode(
        self, prompts: list[list[int]], drafts: list["Draft"], model: PreTrainedModel, pick: "Pick | None" = None
    ) -> list[float]:
        """Complete the drafts, at each step by the likeliest of the tokens that the grammar allows, or by what `pick`
        takes; the probability of each.
        """
        pick = pick or choose
        if not prompts:
            return []
        device = model.device
        goal_ids = torch.tensor(self.goal_token_ids, device=device)
        ids, mask = _padded(prompts, device)
        confidence = torch.ones(len(prompts), dtype=torch.float64)
        cache = None
        while not all(draft.done for draft in drafts):
            positions = (mask.cumsum(-1) - 1).clamp_min(0)[:, -ids.shape[1] :]
            output = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = output.past_key_values
            chosen, chance = pick(output.logits[:, -1, goal_ids].float().cpu(), drafts)
            for draft, index in zip(drafts, chosen.tolist(), strict=True):
                draft.add(index)
            confidence *= chance
            ids = goal_ids[chosen.to(device)][:, None]
            mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        return confidence.tolist()


def table_commands(table: Sequence[Score]) -> dict[int, tuple[int, ...]]:
    """The slots by which the goals of a table that the model is shown are pointed at, and the goal tokens of each."""
    return {len(TOKENS) + place: score.goal.command_ids for place, score in enumerate(shown(table))}


def _padded(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask [B, P] of prompts that end together."""
    length = max(map(len, prompts))
    ids = torch.tensor([[0] * (length - len(row)) + [*row] for row in prompts], device=device)
    mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in prompts], device=device)
    return ids, mask


def join(parsed: Sequence[Parse], times: int) -> Parse | None:
    """The program of a list of steps, each of which was read alone; None where one of them is no step after all."""
    confidence = math.prod(each.confidence for each in parsed)
    for each in parsed:
        if each.program.refusal in ("body", "limit", "rules") and each.confidence >= SURE:
            return Parse(each.program, each.confidence)
    if any(len(each.program.goals) != 1 or each.confidence < SURE for each in parsed):
        return None
    goals = in_order([each.program.goals[0] for each in parsed], repeated=times > 1) * times
    return Parse(GoalProgram(goals) if len(goals) <= MAX_GOALS else GoalProgram(refusal="limit"), confidence)


class Draft:
    """A program in the making, for a text with these amounts: the goal token ids so far, and what may follow.

    Where there are `commands`, the slots that stand for one and its goal tokens, it refuses nothing and can point at
    them; a repair, which can point at the command that was missed, may be empty.
    """

    def __init__(self, amounts: list[tuple[str, str]], commands: Mapping[int, Sequence[int]] | None = None):
        self.amounts, self.commands = amounts, commands or {}
        self.ids: list[int] = []
        self._whole = False  # the last amount came from a slot, and no digit may be added to it

    @property
    def done(self) -> bool:
        return self.ids[-1:] == [END_ID]

    @property
    def allowed(self) -> list[int]:
        """Indices into VOCABULARY that may follow; END again after END."""
        if self.done:
            return [END_ID]
        if self.commands and not self.ids:
            return [*AXIS_IDS["vx"], *self.commands, *([END_ID] if COMMAND in self.commands else [])]
        following = [index for index in next_token_ids(self.ids) if not (self._whole and index in DIGIT_IDS)]
        if AXIS_IDS["vx"][0] in following:
            following += self.commands
        kind = END_KINDS.get(self.ids[-1]) if self.ids else None
        return following + [len(TOKENS) + slot for slot, amount in enumerate(self.amounts) if amount[0] == kind]

    def add(self, index: int) -> None:
        """Go on with an index into VOCABULARY; a slot adds the digits of its amount."""
        self._whole = index >= len(TOKENS)
        if index in self.commands:
            self.ids += self.commands[index]
        elif self._whole:
            self.ids += [TOKEN_IDS[f"<{digit}>"] for digit in self.amounts[index - len(TOKENS)][1]]
        elif not self.done:
            self.ids.append(index)


Pick = Callable[[Tensor, Sequence[Draft]], tuple[Tensor, Tensor]]


def choose(logits: Tensor, drafts: Sequence[Draft]) -> tuple[Tensor, Tensor]:
    """The likeliest allowed index into VOCABULARY, and its probability, [B] each, for logits [B, len(VOCABULARY)]."""
    chance, chosen = _allowed(logits, drafts).max(-1)
    return chosen, chance


def draw(logits: Tensor, drafts: Sequence[Draft]) -> tuple[Tensor, Tensor]:
    """The same, drawn by their probabilities."""
    chances = _allowed(logits, drafts)
    chosen = torch.multinomial(chances, 1)
    return chosen[:, 0], chances.gather(1, chosen)[:, 0]


def _allowed(logits: Tensor, drafts: Sequence[Draft]) -> Tensor:
    """Probabilities of what the grammar allows."""
    allowed = torch.full_like(logits, -math.inf)
    for row, draft in enumerate(drafts):
        allowed[row, draft.allowed] = 0
    chances = (logits + allowed).softmax(-1)
    if not chances.isfinite().all():
        raise ValueError("the language model answers with numbers that are not finite: make or load it again")
    return chances


def spelled_end(ids: Sequence[int]) -> tuple[str, str] | None:
    """The kind and the spelling of the end of a goal with these token ids; None where it is open."""
    kind = END_KINDS.get(ids[3])
    return (kind, "".join(DIGIT_IDS[index] for index in ids[4:])) if kind else None


def discard(folder: Path, *names: str) -> None:
    """Remove these files and folders of a planner from `folder`, where they are."""
    for name in names:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


def copy_planner(source: Path, folder: Path) -> None:
    """Copy a planner, without its feedback/ and its training, over another one."""
    discard(folder, BASE, ADAPTER, ADAPTER_WEIGHTS, runs.MANIFEST)
    unwanted = shutil.ignore_patterns(FEEDBACK, *runs.TRAINING_ONLY, runs.METRICS)
    shutil.copytree(source, folder, ignore=unwanted, dirs_exist_ok=True)


def model_files(folder: Path) -> list[Path]:
    """Weights, tokenizer and planner.json in the folder of a language model or a planner."""
    patterns = ("*.safetensors", f"{BASE}/*.safetensors", "tokenizer*", CONFIG)
    return [file for pattern in patterns for file in folder.glob(pattern)]


def load_language_model(folder: Path, name: str | Path, dtype: str | torch.dtype) -> PreTrainedModel:
    """The causal LM in `folder`, after a look at what it is.

    Raises:
        ValueError: it is pickled, wants code of its own, is larger than its weights, damaged, or not finite.
    """
    checks.check_artefact(folder, name)

    def build() -> PreTrainedModel:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)

    checks.check_sizes(folder, name, build)
    load = AutoModelForCausalLM.from_pretrained
    return checks.load_weights(load, folder, name, surplus=True, trust_remote_code=False, dtype=dtype)


def merge_adapter(model: PreTrainedModel, folder: Path, name: str | Path) -> PreTrainedModel:
    """The model with the adapter in `folder` merged in.

    Raises:
        ValueError: it is no whole adapter for this model, of the rank that its weights have; or more than plain LoRA,
        for which PEFT can import modules that a config names, and change the base model.
    """
    from peft import LoraConfig, PeftModel, get_peft_model_state_dict  # half a second that few planners need

    config = checks.check_artefact(folder, name, ADAPTER)
    shapes = checks.read_shapes(folder, name)
    ranks = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    largest = max((min(shape) for shape in shapes.values() if shape), default=0)
    if config.get("peft_type") != "LORA" or not all(isinstance(rank, int) and 0 < rank <= largest for rank in ranks):
        raise ValueError(f"{name} declares an adapter of rank {ranks[0]!r:.60}, its weights are of {largest}: refused")
    for key in ("target_modules", "exclude_modules", "layers_pattern", "rank_pattern", "alpha_pattern"):
        names = config.get(key) or ()
        for each in [names] if isinstance(names, str) else names:
            if not re.fullmatch(r"[\w.-]+", str(each)):  # PEFT takes them for patterns, which can be made to never end
                raise ValueError(f"{name} declares an adapter with {key} {each!r:.60}, which is no name: refused")
    plain = LoraConfig().to_dict()
    for key, value in config.items():
        if value and key not in LORA_SETTINGS and value != plain.get(key):
            raise ValueError(f"{name} declares an adapter with {key}={value!r:.60}, which is not plain LoRA: refused")
    try:
        adapted = PeftModel.from_pretrained(model, folder)
    except Exception as error:  # a config from anywhere can be wrong in any way
        raise ValueError(
            f"{name} has an adapter that is not for its base model ({checks.first_line(error)}): make or load it again"
        ) from error
    weights = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    if {key: list(value.shape) for key, value in weights.items()} != shapes:
        raise ValueError(f"{name} has other weights than its {ADAPTER} says: make or load it again")
    merged = adapted.merge_and_unload()
    checks.check_finite(merged, name)
    return merged


def load_tokenizer(folder: Path, name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`. Raises ValueError where there is none, or a damaged one."""
    try:
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
        tokenizer.encode(PROMPT_FORMAT)
        return tokenizer
    except Exception as error:  # a file from anywhere can be wrong in any way
        raise ValueError(
            f"{name} has a tokenizer that cannot be loaded ({checks.first_line(error)}): make or load it again"
        ) from error


def within_limits(result: Parse, words: str, body: Body) -> Parse:
    """The parse itself, or a refusal where words or program ask for more than the body is trained on."""
    excessive = beyond(words) or any(body.reach(goal.velocity) > 1 + 1e-6 for goal in result.program.goals)
    if result.program.goals and excessive:
        return Parse(GoalProgram(refusal="limit"), 1.0)
    return result


def score(found: Sequence[GoalProgram], meant: Sequence[GoalProgram]) -> dict[str, float]:
    """Shares: programs that are exactly what was meant, refusals that were refused, and others that were refused."""
    pairs = list(zip(found, meant, strict=True))
    refusals = [mine.refused for mine, gold in pairs if gold.refused]
    spurious = [mine.refused for mine, gold in pairs if not gold.refused]
    return {
        "exact": sum(mine == gold for mine, gold in pairs) / max(1, len(pairs)),
        "refusals_right": sum(refusals) / max(1, len(refusals)),
        "spurious_refusals": sum(spurious) / max(1, len(spurious)),
    }


def spare_token_ids(tokenizer: PreTrainedTokenizerBase, vocabulary_size: int) -> list[int]:
    """Ids of a tokenizer for goal tokens and slots: its own where it has them, else its last, least used, plain
    pieces.

    Reusing pieces leaves embeddings and head as they are, so an adapter stays small (OpenVLA does so with its bins,
    Kim et al., 2024).
    """
    vocabulary = tokenizer.get_vocab()
    if all(token in vocabulary for token in VOCABULARY):
        return [vocabulary[token] for token in VOCABULARY]
    needed = {*tokenizer.encode(PROMPT_FORMAT), *tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    plain = sorted({index for index in vocabulary.values() if index < vocabulary_size} - needed)
    if len(plain) < 2 * len(VOCABULARY):
        raise ValueError(
            f"a vocabulary of {len(plain)} pieces cannot spare {len(VOCABULARY)} for goal tokens and slots: "
            "take a larger model"
        )
    return plain[-len(VOCABULARY) :]
