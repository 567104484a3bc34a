"""The planner: a causal language model that turns an instruction into a goal program, and judges the outcome.

Every task is one chat turn of the same model with the same LoRA adapter: read a sentence, assess an outcome, correct
it, propose what to practice. Decoding is constrained by a grammar, so the answer is always a valid program, whatever
the text. program.py makes goals of it, and checks the robot's limits.

Shapes: B texts, T columns of the cache (tokens and padding), V vocabulary of the language model.
"""

import copy
import operator
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import llguidance.hf
import numpy as np
import torch
from llguidance import LLMatcher
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from agent.artefacts import hub, runs
from agent.bodies import Body, find_body
from agent.feedback.outcomes import CAUSES, Assessment, GoalOutcome
from agent.feedback.proposals import GOALS, Score, shown
from agent.goals import GOAL_VERSION, Goal, GoalProgram, check_goal_version
from agent.language.base_model import (
    ADAPTER,
    ADAPTER_WEIGHTS,
    PACKAGED,
    base_folder,
    load_language_model,
    load_tokenizer,
    merge_adapter,
)
from agent.language.program import GRAMMAR, parse

CONFIG = "planner.json"
BASE = "base"  # folder of a base model that is stored with its planner
CONFIG_TYPES = {"base_model": str, "base_revision": str, "dtype": str, "least_confidence": float}
DTYPES = ("float32", "bfloat16", "float16")


class Task(NamedTuple):
    """A kind of chat turn: the system message, and a regular expression of all answers."""

    system: str
    grammar: str


READ = Task("Write the robot's program.", GRAMMAR)
_OFF = (
    r"\d+(?:\.\d)? (?:seconds|meters|degrees|m/s|rad/s) "
    "(?:short|too far|left|right|forward|backward|off|too high|too low), (?:kept|barely kept|missed)"
)
ASSESS = Task("What is off, and was the goal met?", f"(?:{_OFF}(?:; {_OFF}){{0,7}}: )?(?:{'|'.join(CAUSES)})")
CORRECT = Task("Write a program that repairs the goal.", GRAMMAR)
_GOALS = "|".join(goal.text for goal in GOALS)
_WORST = "(?:; ".join(f"{tenths} (?:none|(?:{_GOALS})(?:, (?:{_GOALS})){{0,7}})" for tenths in range(10)) + ")?" * 9
PROPOSE = Task("Name the worst goals and write a program that practices them.", f"{_WORST}: {GRAMMAR}")
TASKS = (READ, ASSESS, CORRECT, PROPOSE)


BATCH_SIZE = 64  # texts per batch
SURE = 0.7  # if the greedy answer is less probable, others are sampled
DRAWN = 8  # answers that are sampled then
MAX_PROMPT_TOKENS = 256  # a longer text is refused as unclear
MAX_ANSWER_TOKENS = 192
PROPOSAL_ROUNDS = 100  # of sampling programs, at most
DRAFT_TOKENS = 16  # drafted per forward pass, over all texts: more would cost as much as they save
PLACEHOLDER = "{text}"


class Parse(NamedTuple):
    """A program and the total probability of the answers that spell it; 1 if a rule decided."""

    program: GoalProgram
    confidence: float


class Chat:
    """Formats chat turns as token ids of the language model; goal tokens are others (agent/goals.py). The user's text
    can never become a special token.

    A model without a chat template gets the system message, the text and the answer on separate lines.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.end = tokenizer.eos_token_id
        self._frames: dict[Task, tuple[list[int], list[int]]] = {}

    def prompt_ids(self, task: Task, text: str) -> list[int]:
        """Token ids of a prompt, up to the answer."""
        prefix, suffix = self.frame(task)
        return [*prefix, *self.plain_ids(text), *suffix]

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer, with the end token."""
        return [*self.plain_ids(answer), self.end]

    def plain_ids(self, text: str) -> list[int]:
        text = text.encode(errors="replace").decode()  # a lone surrogate has no UTF-8
        return self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    def frame(self, task: Task) -> tuple[list[int], list[int]]:
        """Token ids before and after the text of a task."""
        if task not in self._frames:
            turn = f"{task.system}\n{PLACEHOLDER}\n"
            if self.tokenizer.chat_template:
                messages = [{"role": "system", "content": task.system}, {"role": "user", "content": PLACEHOLDER}]
                turn = str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
            prefix, suffix = (
                self.tokenizer.encode(part, add_special_tokens=False) for part in turn.split(PLACEHOLDER)
            )
            self._frames[task] = prefix, suffix
        return self._frames[task]


class Planner:
    """A causal LM with its tokenizer, for a robot.

    Args:
        model: the LM, with any adapter merged or attached.
        tokenizer: its tokenizer.
        base_model: name, id or folder of the LM that an adapter belongs to; empty for one stored with its planner.
        base_revision: revision of that id.
        dtype: data type that the weights are saved in; by default the model's. It computes in its own.
        least_confidence: programs with a lower probability are refused as unclear.
        body: name of the robot whose limits a program must keep.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        base_model: str = "",
        base_revision: str = "",
        dtype: str = "",
        least_confidence: float = 0.0,
        body: str = "humanoid",
    ):
        if not 0 <= least_confidence <= 1:
            raise ValueError(f"least_confidence={least_confidence} must be from 0 to 1")
        self.model, self.tokenizer, self.chat = model.eval(), tokenizer, Chat(tokenizer)
        self.base_model, self.base_revision = base_model, base_revision
        self.dtype, self.least_confidence = dtype or str(model.dtype).removeprefix("torch."), least_confidence
        self.body: Body = find_body(body)
        self.adapter: Path | None = None  # folder of the adapter that is merged into the model
        fast = cast(PreTrainedTokenizerFast, tokenizer)
        largest, known = max(fast.get_vocab().values(), default=0), model.config.vocab_size
        if largest >= known:  # the model lacks such a token, and llguidance would make a table of all ids
            raise ValueError(f"the tokenizer has ids up to {largest:,}, the language model has {known:,}")
        vocabulary = llguidance.hf.from_tokenizer(fast, n_vocab=known)
        self._matchers = {task: LLMatcher(vocabulary, LLMatcher.grammar_from_regex(task.grammar)) for task in TASKS}
        if errors := [matcher.get_error() for matcher in self._matchers.values() if matcher.is_error()]:
            raise ValueError(f"this tokenizer cannot write the grammar of programs: {errors[0]}")
        self._prefixes: dict[Task, DynamicCache] = {}  # keys and values of the start of each task's prompts

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        body: str = "humanoid",
        *,
        device: str = "cpu",
        revision: str | None = None,
        token: str | None = None,
    ) -> "Planner":
        """Load from a folder or a Hub repo. Raises ValueError for another goal vocabulary, or if it is no planner."""
        folder = hub.folder(path, revision=revision, token=token)
        config = cls.read_config(folder, path)
        name: str | Path = folder / BASE
        if not (folder / BASE).is_dir():
            name = config["base_model"]
            if hub.repo_cache(folder) and name != PACKAGED and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
                raise ValueError(f"{path} names the base model {name!r}, which is no Hub repo: refused")
        base = base_folder(str(name), config["base_revision"], token)
        model = load_language_model(base, name, config["dtype"], device)
        if (folder / ADAPTER).is_file():
            model = merge_adapter(model, folder, path)
        try:
            settings = {key: config[key] for key in CONFIG_TYPES}
            planner = cls(model.to(device), load_tokenizer(base, name), body=body, **settings)
            planner.adapter = folder if (folder / ADAPTER).is_file() else None
            planner.cache_prefixes()
            planner.parse("stand")
        except ValueError as error:
            raise ValueError(f"{path} cannot be used as a planner: {error}") from error
        return planner

    @staticmethod
    def read_config(folder: Path, name: str | Path) -> dict:
        """What planner.json in `folder` says. Raises ValueError if it is missing or damaged, or has another goal
        vocabulary.
        """
        if not (folder / CONFIG).is_file():
            raise ValueError(f"{name} holds no {CONFIG}: give the folder of a planner that finetune_llm.py made")
        config = runs.read_json(folder / CONFIG)
        check_goal_version(config.get("goal_version"), str(name))
        for key, kind in CONFIG_TYPES.items():
            if not isinstance(config.get(key), kind):
                raise ValueError(f"{name} has {key}={config.get(key)!r:.60} in {CONFIG}: make or load it again")
        if config["dtype"] not in DTYPES:
            raise ValueError(f"{name} has dtype={config['dtype']!r:.60} in {CONFIG}, which is none of {DTYPES}")
        return config

    def save_pretrained(self, path: str | Path, weights: dict[str, Tensor] | None = None) -> None:
        """Save the adapter as `dtype`. A model without an adapter is saved whole, in base/.

        `weights` are those of the model by name, if it does not hold them itself.
        """
        folder = Path(path)
        attached = not isinstance(self.model, PreTrainedModel)  # with an adapter attached it is a PeftModel
        with runs.placing(path, sum(value.nbytes for value in self.model.state_dict().values())) as new:
            if attached:
                # Do not publish the base's local path, and keep PEFT from looking for the base on the Hub.
                self.model.peft_config["default"].base_model_name_or_path = self.base_model or BASE
                weights = weights or self.model.state_dict()
                weights = {name: value.to(getattr(torch, self.dtype)) for name, value in weights.items()}
                self.model.save_pretrained(new, state_dict=weights, save_embedding_layers=False)
            elif self.adapter:
                for name in (ADAPTER, ADAPTER_WEIGHTS):
                    shutil.copyfile(self.adapter / name, new / name)
            else:
                self.model.save_pretrained(new / BASE, state_dict=weights)
                self.tokenizer.save_pretrained(new / BASE)
            runs.write_json(new / CONFIG, self.config)
            stale = [BASE] if attached or self.adapter else [ADAPTER, ADAPTER_WEIGHTS]
            runs.discard(folder, runs.MANIFEST, *stale)  # from another planner

    @property
    def config(self) -> dict:
        """What planner.json holds."""
        return {"goal_version": GOAL_VERSION} | {name: getattr(self, name) for name in CONFIG_TYPES}

    def parse(self, text: str) -> GoalProgram:
        """The program that `text` asks for. It is always a valid one, or a refusal."""
        return self.parse_batch([text])[0]

    def parse_batch(self, texts: Sequence[str]) -> list[GoalProgram]:
        """The same for many texts at once."""
        return [result.program for result in self.parse_with_confidence(texts)]

    def parse_with_confidence(self, texts: Sequence[str]) -> list[Parse]:
        """Programs with the probability that the model gave to each."""
        results = {text: Parse(GoalProgram(refusal="unclear" if text.strip() else "nothing"), 1.0) for text in texts}
        prompts = {text: self.chat.prompt_ids(READ, text.strip()) for text in results if text.strip()}
        prompts = {text: ids for text, ids in prompts.items() if len(ids) <= MAX_PROMPT_TOKENS}
        for text, answers in zip(prompts, self._read(list(prompts.values())), strict=True):
            chances: dict[GoalProgram, float] = defaultdict(float)
            for answer, chance in answers.items():
                chances[parse(answer, self.body)] += chance
            program, confidence = max(chances.items(), key=operator.itemgetter(1))
            if confidence < self.least_confidence:
                program = GoalProgram(refusal="unclear")
            results[text] = Parse(program, confidence)
        return [results[text] for text in texts]

    def _read(self, prompts: list[list[int]]) -> list[dict[str, float]]:
        """Answers to each prompt and their probabilities: the greedy answer and, if the model is not sure of it, some
        sampled ones. The likeliest program need not begin with the likeliest token, and has many spellings.
        """
        found = [dict([answer]) for answer in self.answer(READ, prompts)]
        unsure = [place for place, answers in enumerate(found) if max(answers.values()) < SURE] * DRAWN
        seeds = [seed for seed in range(DRAWN) for _ in range(len(unsure) // DRAWN)]
        drawn = self.answer(READ, [prompts[place] for place in unsure], seeds)
        for place, (answer, chance) in zip(unsure, drawn, strict=True):
            found[place][answer] = chance
        return found

    def assess(self, outcomes: Sequence[GoalOutcome]) -> list[Assessment]:
        """A verdict on each goal: its deviations in words, the cause of a miss, and the probability of this answer."""
        prompts = [self.chat.prompt_ids(ASSESS, report_text(outcome.report, outcome.off)) for outcome in outcomes]
        answers = [(answer.rpartition(": "), confidence) for answer, confidence in self.answer(ASSESS, prompts)]
        return [Assessment(cause or "met", judged, confidence) for (judged, _, cause), confidence in answers]

    def correct(self, outcomes: Sequence[GoalOutcome], judged: Sequence[str]) -> list[tuple[Goal, ...]]:
        """Goals that repair each missed goal, given its deviations in words with a verdict on each, `judged`."""
        texts = [report_text(outcome.report, off) for outcome, off in zip(outcomes, judged, strict=True)]
        prompts = [self.chat.prompt_ids(CORRECT, text) for text in texts]
        return [parse(answer, self.body).goals for answer, _ in self.answer(CORRECT, prompts)]

    def judge(self, outcome: GoalOutcome) -> tuple[Assessment, tuple[Goal, ...]]:
        """What is wrong with a goal, and what to do about it: see `agent.feedback.pursuit.Pursuit`."""
        (assessment,) = self.assess([outcome])
        if assessment.cause in ("met", "fall"):
            return assessment, ()
        return assessment, self.correct([outcome], [assessment.judged])[0]

    def propose(self, table: Sequence[Score], count: int, seed: int = 0) -> list[GoalProgram]:
        """Sample `count` programs that practice the worst goals of a table. Raises ValueError if too few of them are
        ones that the robot can do.
        """
        prompt = self.chat.prompt_ids(PROPOSE, table_text(shown(table)))
        rng, programs = random.Random(seed), list[GoalProgram]()
        for _ in range(PROPOSAL_ROUNDS):  # what the robot cannot do is drawn again
            seeds = [rng.getrandbits(32) for _ in range(count - len(programs))]
            answers = self.answer(PROPOSE, [prompt] * len(seeds), seeds)
            drawn = (parse(answer.partition(": ")[2], self.body) for answer, _ in answers)
            programs += [program for program in drawn if program.goals]
            if len(programs) == count:
                return programs
        raise ValueError(
            f"{self.body.name} can do only {len(programs)} of {count} proposed programs: train the planner with "
            "--feedback_examples"
        )

    def answer(self, task: Task, prompts: Sequence[list[int]], seeds: Sequence[int] = ()) -> list[tuple[str, float]]:
        """The answer to each prompt and its probability under the grammar: greedy, or sampled with a seed for each
        prompt. Prompts of similar length are decoded together.
        """
        order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
        results: dict[int, tuple[str, float]] = {}
        for first in range(0, len(order), BATCH_SIZE):
            places = order[first : first + BATCH_SIZE]
            batch, drawn = [prompts[place] for place in places], [seeds[place] for place in places if seeds]
            results |= zip(places, self._decode(task, batch, drawn), strict=True)
        return [results[place] for place in range(len(prompts))]

    @torch.inference_mode()
    def cache_prefixes(self) -> None:
        """Cache the common start of each task's prompts. The weights must not change afterwards."""
        for task in TASKS:
            prefix, _ = self.chat.frame(task)
            ids, self._prefixes[task] = torch.tensor([prefix], device=self.model.device), DynamicCache()
            self.model(input_ids=ids, cache=self._prefixes[task], use_cache=True, logits_to_keep=1)

    @torch.inference_mode()
    def _decode(self, task: Task, prompts: Sequence[list[int]], seeds: Sequence[int]) -> list[tuple[str, float]]:
        """`answer` for prompts that are decoded together. An answer that is cut off counts as empty.

        In each pass the model reads the last token of every unfinished answer, or at first the prompt, and a draft of
        what may follow. What it rejects of the draft is hidden from the next passes.
        """
        rows = [_Row(prompt, self._matchers[task].deep_copy()) for prompt in prompts]
        for row, seed in zip(rows, seeds, strict=bool(seeds)):
            row.generator = torch.Generator().manual_seed(seed)
        batch = _Batch(self.model, self._prefixes.get(task, DynamicCache()), len(rows))
        going, unread = rows, [prompt[batch.length :] for prompt in prompts]
        while going:
            drafts = [row.draft(DRAFT_TOKENS // len(going)) for row in going]
            new = [[*ids, *draft] for ids, draft in zip(unread, drafts, strict=True)]
            logits = batch.read(new, 1 + max(map(len, drafts)))
            for place, (row, draft) in enumerate(zip(going, drafts, strict=True)):
                accepted = row.take(draft, logits[place, -1 - len(draft) :], self.chat.end)
                batch.hide_last(place, len(draft) - accepted)
            kept = [place for place, row in enumerate(going) if not row.ended]
            batch.keep(kept)
            going = [going[place] for place in kept]
            unread = [row.answer[-1:] for row in going]
        answers = [row.answer[:-1] if row.answer[-1] == self.chat.end else [] for row in rows]
        return [(str(self.tokenizer.decode(ids)), row.confidence) for ids, row in zip(answers, rows, strict=True)]


class _Batch:
    """B texts that the model reads together, a few tokens at a time.

    Its cache has T columns, one for each token that it has read; `prefix` has those of the start that all texts share.
    The mask [B, T] is 0 where a text has padding or a hidden token instead: later tokens neither attend to it nor
    count it in their positions.
    """

    def __init__(self, model: PreTrainedModel, prefix: DynamicCache, texts: int):
        self._model, self._cache = model, copy.deepcopy(prefix)
        self._cache.batch_repeat_interleave(texts)
        self._mask = torch.ones(texts, self._cache.get_seq_length(), dtype=torch.long)

    @property
    def length(self) -> int:
        """The number of columns, T."""
        return self._mask.shape[1]

    def read(self, texts: Sequence[list[int]], last: int) -> Tensor:
        """Read the next tokens of each text, padded on the left. Returns logits [B, last, V] of the last columns."""
        width = max(map(len, texts))
        ids = torch.tensor([[0] * (width - len(text)) + text for text in texts])  # [B, width]
        seen = torch.tensor([[0] * (width - len(text)) + [1] * len(text) for text in texts])
        self._mask = torch.cat([self._mask, seen], dim=1)
        positions = (self._mask.cumsum(-1) - 1).clamp_min(0)[:, -width:]
        inputs = {"input_ids": ids, "attention_mask": self._mask, "position_ids": positions}
        inputs = {name: each.to(self._model.device) for name, each in inputs.items()}
        return self._model(**inputs, cache=self._cache, use_cache=True, logits_to_keep=last).logits.cpu()

    def hide_last(self, place: int, count: int) -> None:
        """Hide the last `count` tokens of the text at `place` from the tokens that follow."""
        self._mask[place, self.length - count :] = 0

    def keep(self, places: list[int]) -> None:
        """Drop all texts but those at `places`."""
        if len(places) < len(self._mask):
            self._cache.batch_select_indices(torch.tensor(places, dtype=torch.long))
            self._mask = self._mask[places]


@dataclass
class _Row:
    """A prompt, and the part of its answer that has been decoded."""

    prompt: list[int]
    matcher: LLMatcher
    generator: torch.Generator | None = None  # without one, the likeliest token is taken
    answer: list[int] = field(default_factory=list)
    confidence: float = 1.0
    ended: bool = False

    def draft(self, count: int) -> list[int]:
        """Up to `count` draft tokens: those that the grammar forces, or else a guess. Amounts are copied from the
        prompt, so the guess is what follows the answer's last token where that token occurs in the prompt. The model
        reads the draft in one pass, and tokens that it would not have chosen are dropped (prompt lookup decoding,
        https://github.com/apoorvumang/prompt-lookup-decoding).
        """
        if not self.answer or not count:
            return []
        if forced := self.matcher.compute_ff_tokens():
            return forced[:count]
        ends = [place for place, index in enumerate(self.prompt, start=1) if index == self.answer[-1]]
        found = [self.prompt[end : end + count] for end in ends]
        return max((each[: self.matcher.validate_tokens(each)] for each in found), key=len, default=[])

    def take(self, draft: list[int], logits: Tensor, end: int) -> int:
        """Add the model's next token, and one more after each draft token that it agrees with. Returns the number of
        draft tokens that were accepted. `logits` are [1 + draft tokens, V].
        """
        before = len(self.answer)
        for guess, scores in zip([*draft, None], logits, strict=True):
            allowed = np.unpackbits(np.frombuffer(self.matcher.compute_bitmask(), np.uint8), bitorder="little")
            indices = torch.from_numpy(np.flatnonzero(allowed[: len(scores)]))
            chances = scores[indices].float().softmax(-1)
            if not chances.isfinite().all():
                raise ValueError("the language model answers with numbers that are not finite: make or load it again")
            place = torch.multinomial(chances, 1, generator=self.generator) if self.generator else chances.argmax()
            index = int(indices[place])
            self.confidence *= float(chances[place])
            self.answer.append(index)
            self.ended = index == end or len(self.answer) == MAX_ANSWER_TOKENS
            if self.ended or not self.matcher.consume_token(index) or index != guess:
                break
        return len(self.answer) - before - 1


def report_text(report: str, off: str) -> str:
    """The text that asks for an assessment or a correction: the report and the deviations, `off`, if there are any.
    For a correction these have the verdicts of the assessment.
    """
    return f"{report} off: {off}." if off else report


def table_text(rows: Sequence[Score]) -> str:
    """The text that asks for a proposal: how often each goal was met."""
    return "tenths met: " + "; ".join(f"{score.tenths} {score.goal.text}" for score in rows)
