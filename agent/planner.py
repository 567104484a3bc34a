"""The planner: a causal language model that turns an instruction into a goal program.

It decodes under the grammar of goals, so that what comes out is a valid GoalProgram, whatever the text. The model
decides what is meant; what is out of range, empty or too long is decided by rules around it.

Shapes: B texts, P prompt tokens, V vocabulary of the language model.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from agent import hub
from agent.goals import GOAL_VERSION, TOKEN_IDS, TOKENS, GoalProgram, check_goal_version, next_token_ids, reach
from agent.instructions import prompt
from agent.quantities import beyond

CONFIG = "planner.json"
ADAPTER = "adapter_config.json"
BASE = "base"  # a base model that is small enough to travel with its adapter
PROMPT_FORMAT = "instruction: {text}\nprogram:"
END_ID = TOKEN_IDS["<end>"]
MAX_PROMPT_TOKENS = (
    512  # English within the limit of characters has half of it; other scripts may have many times more
)


@dataclass(frozen=True)
class Parse:
    """A program and the probability, under the grammar, that the model gave to it; 1 where a rule decided."""

    program: GoalProgram
    confidence: float


class Planner:
    """A causal LM, its tokenizer, and the ids in its vocabulary that stand for the goal tokens.

    Args:
        model: the LM, with any adapter merged or attached.
        tokenizer: its tokenizer.
        goal_token_ids: for each of TOKENS, the id in the LM's vocabulary.
        base_model: id or folder of the LM that an adapter belongs to, empty for a model that travels with its planner.
        base_revision: revision of that id.
        prompt_format: what is around the text, which stands at {text}.
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
    ):
        if len(goal_token_ids) != len(TOKENS) or len(set(goal_token_ids)) != len(TOKENS):
            raise ValueError(
                f"{len(set(goal_token_ids))} ids for {len(TOKENS)} goal tokens: give each goal token an id of its own"
            )
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.goal_token_ids = tuple(goal_token_ids)
        self.base_model, self.base_revision, self.prompt_format = base_model, base_revision, prompt_format
        self._reserved = {*goal_token_ids, *tokenizer.all_special_ids}
        self._head, self._tail = ([*self._plain_ids(part)] for part in prompt_format.split("{text}"))
        if tokenizer.bos_token_id is not None:
            self._head.insert(0, tokenizer.bos_token_id)

    @classmethod
    def from_pretrained(
        cls, path: str | Path, *, device: str = "cpu", revision: str | None = None, token: str | None = None
    ) -> "Planner":
        """Load from a folder or a Hub repo. Raises ValueError for another goal vocabulary, or where no planner is."""
        folder = hub.folder(path, revision=revision, token=token)
        if not (folder / CONFIG).is_file():
            raise ValueError(f"{path} holds no {CONFIG}: give the folder of a planner that finetune_llm.py made")
        config = json.loads((folder / CONFIG).read_text())
        check_goal_version(config["goal_version"], str(path))
        base = folder / BASE
        if not base.is_dir():
            base = hub.folder(config["base_model"], revision=config["base_revision"] or None, token=token)
        model = AutoModelForCausalLM.from_pretrained(base, use_safetensors=True, dtype=config["dtype"])
        if (folder / ADAPTER).is_file():
            from peft import PeftModel  # half a second that a planner without an adapter does not need

            model = PeftModel.from_pretrained(model, folder).merge_and_unload()
        names = ("base_model", "base_revision", "prompt_format")
        tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(folder))
        return cls(model.to(device), tokenizer, config["goal_token_ids"], **{name: config[name] for name in names})

    def save_pretrained(self, path: str | Path) -> None:
        """Save the model whole in base/, or only the adapter attached to it, with tokenizer and planner.json."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        whole = isinstance(self.model, PreTrainedModel)  # with an adapter attached it is a PeftModel
        self.model.save_pretrained(folder / BASE if whole else folder)
        self.tokenizer.save_pretrained(folder)
        (folder / CONFIG).write_text(json.dumps(self.config, indent=2) + "\n")

    @property
    def config(self) -> dict:
        """What planner.json holds."""
        return {
            "goal_version": GOAL_VERSION,
            "base_model": self.base_model,
            "base_revision": self.base_revision,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "prompt_format": self.prompt_format,
            "goal_token_ids": list(self.goal_token_ids),
        }

    def parse(self, text: str) -> GoalProgram:
        """The program that `text` asks for. It is always a valid one, or a refusal."""
        return self.parse_batch([text])[0]

    def parse_batch(self, texts: Sequence[str]) -> list[GoalProgram]:
        """The same for many texts at once."""
        return [result.program for result in self.parse_with_confidence(texts)]

    def parse_with_confidence(self, texts: Sequence[str]) -> list[Parse]:
        """Programs with the probability that the model gave to each."""
        results: list[Parse | None] = []
        prompts: list[tuple[str, list[int]]] = []
        for text in texts:
            words = prompt(text)
            ids = self.prompt_ids(words or "")
            if not text.strip():
                results.append(Parse(GoalProgram(refusal="nothing"), 1.0))
            elif words is None or len(ids) > MAX_PROMPT_TOKENS:
                results.append(Parse(GoalProgram(refusal="unclear"), 1.0))
            else:
                results.append(None)
                prompts.append((words, ids))
        decoded = iter(self._decode([ids for _, ids in prompts]) if prompts else [])
        asked = iter(words for words, _ in prompts)
        return [result or within_limits(next(decoded), next(asked)) for result in results]

    def prompt_ids(self, words: str) -> list[int]:
        """Token ids that the program is asked for with. No text makes ids of goal tokens or special tokens."""
        return [*self._head, *self._plain_ids(words), *self._tail]

    def completion_ids(self, program: GoalProgram) -> list[int]:
        """Token ids that the model is to answer with."""
        return [self.goal_token_ids[index] for index in program.token_ids]

    def _plain_ids(self, text: str) -> list[int]:
        ids = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [index for index in ids if index not in self._reserved]

    @torch.inference_mode()
    def _decode(self, prompts: list[list[int]]) -> list[Parse]:
        """Greedy decoding: at each step the likeliest of the tokens that the grammar allows."""
        device = self.model.device
        goal_ids = torch.tensor(self.goal_token_ids, device=device)
        length = max(len(ids) for ids in prompts)
        ids = torch.tensor([[0] * (length - len(row)) + row for row in prompts], device=device)
        mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in prompts], device=device)
        programs: list[list[int]] = [[] for _ in prompts]
        confidence = torch.ones(len(prompts), dtype=torch.float64)
        cache = None
        while True:
            positions = (mask.cumsum(-1) - 1).clamp_min(0)[:, -ids.shape[1] :]
            output = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = output.past_key_values
            chosen, chance = self._choose(output.logits[:, -1, goal_ids].float().cpu(), programs)
            for row, program in enumerate(programs):
                if program[-1:] != [END_ID]:
                    program.append(int(chosen[row]))
                    confidence[row] *= chance[row]
            if all(program[-1] == END_ID for program in programs):
                return [
                    Parse(GoalProgram.from_token_ids(row), float(p))
                    for row, p in zip(programs, confidence, strict=True)
                ]
            ids = goal_ids[chosen.to(device)][:, None]
            mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)

    @staticmethod
    def _choose(logits: Tensor, programs: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Allowed token and its probability [B] for each of the begun programs; END again after END."""
        allowed = torch.full_like(logits, -math.inf)
        for row, program in enumerate(programs):
            allowed[row, list(next_token_ids(program) or (END_ID,))] = 0
        chance, chosen = (logits + allowed).softmax(-1).max(-1)
        return chosen, chance


def within_limits(result: Parse, words: str) -> Parse:
    """The parse itself, or a refusal where words or program ask for more than the motor policy is trained on."""
    excessive = beyond(words) or any(reach(*goal.velocity) > 1 + 1e-6 for goal in result.program.goals)
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
    """Ids of a tokenizer for the goal tokens: its own where it has them, else its last, least used, plain pieces.

    Reusing pieces leaves embeddings and head as they are, so an adapter stays small (OpenVLA does so with its bins,
    Kim et al., 2024).
    """
    vocabulary = tokenizer.get_vocab()
    if all(token in vocabulary for token in TOKENS):
        return [vocabulary[token] for token in TOKENS]
    needed = {*tokenizer.encode(PROMPT_FORMAT), *tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    plain = sorted({index for index in vocabulary.values() if index < vocabulary_size} - needed)
    if len(plain) < 2 * len(TOKENS):
        raise ValueError(
            f"a vocabulary of {len(plain)} pieces cannot spare {len(TOKENS)} for the goal tokens: take a larger model"
        )
    return plain[-len(TOKENS) :]
