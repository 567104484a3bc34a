"""How well a planner assesses, corrects and proposes on held-out data: single answers, without a simulation.

    PYTHONPATH=. python experiments/held_out_feedback.py runs/rollouts

Reads   a dataset of trajectories, of which every tenth episode was held out from training (agent.feedback.lessons)
Prints  shares of right answers: verdicts, deviations, corrections given the right deviations, and proposals that
        practice one of the three worst goals of a random table, told in any order
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

from agent.feedback import lessons, proposals
from agent.feedback.outcomes import cause, repairs
from agent.language.planner import PROPOSE, Planner, table_text
from agent.language.program import parse

SEED = 1234  # of outcomes and tables; a training has a small one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--planner", type=Path, default=Path("pretrained/agent/planner"))
    parser.add_argument("--outcomes", type=int, default=300)
    parser.add_argument("--tables", type=int, default=200)
    args = parser.parse_args()
    planner = Planner.from_pretrained(args.planner)

    outcomes = lessons.draw(args.dataset, args.outcomes, SEED, held_out=True)
    found = planner.assess(outcomes)
    missed = [outcome for outcome in outcomes if repairs(outcome)]
    corrections = planner.correct(missed, [outcome.judged for outcome in missed])
    pairs = list(zip(outcomes, found, strict=True))
    share("met or not", [each.met == outcome.met for outcome, each in pairs])
    share("cause", [each.cause == cause(outcome) for outcome, each in pairs])
    share("all deviations", [each.judged == outcome.judged for outcome, each in pairs])
    share("correction", [goals == repairs(outcome) for outcome, goals in zip(missed, corrections, strict=True)])

    rng, prompts = np.random.default_rng(SEED), []
    tables = list(itertools.islice(proposals.draw_tables(SEED), args.tables))
    for table in tables:
        rows = proposals.shown(table)
        told = [rows[place] for place in rng.permutation(len(rows))]
        prompts.append(planner.chat.prompt_ids(PROPOSE, table_text(told)))
    answers = planner.answer(PROPOSE, prompts)
    programs = [parse(answer.partition(": ")[2], planner.body) for answer, _ in answers]
    share(
        "proposal",
        [
            proposals.practices(program, proposals.weakest(table))
            for program, table in zip(programs, tables, strict=True)
        ],
    )


def share(name: str, right: list[bool]) -> None:
    print(f"{name}: {np.mean(right):.1%} of {len(right)}", flush=True)


if __name__ == "__main__":
    main()
