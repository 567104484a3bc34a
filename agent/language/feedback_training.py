"""What the feedback adapter of a planner is trained on, and how it is graded.

The examples come from recorded outcomes (`agent.feedback.lessons`) and drawn tables (`agent.feedback.proposals`); the
labels from the simulator's numbers.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from agent.feedback import proposals
from agent.feedback.outcomes import GoalOutcome, cause, repairs
from agent.language.planner import ASSESS_FORMAT, CORRECT_FORMAT, Planner

FALSE_MISSES = 0.005  # share of met goals that may be called missed


def examples(planner: Planner, outcomes: Sequence[GoalOutcome], seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts and answers as token ids: the verdict on each outcome, the repair of each missed one, and as many
    proposals for tables as there are outcomes.
    """
    prompts = [planner.outcome_ids(ASSESS_FORMAT, outcome) for outcome in outcomes]
    answers = [planner.verdict_ids(cause(outcome)) for outcome in outcomes]
    for outcome in outcomes:
        if found := repairs(outcome):
            prompts.append(planner.outcome_ids(CORRECT_FORMAT, outcome))
            answers.append(planner.repair_ids(outcome, found))
    rng = np.random.default_rng(seed)
    for table in itertools.islice(proposals.draw_tables(seed), len(outcomes)):
        prompts.append(planner.table_ids(table))
        answers.append(planner.proposal_ids(proposals.example(table, rng), table))
    return prompts, answers


def grade(planner: Planner, outcomes: list[GoalOutcome], tables: list[list[proposals.Score]]) -> dict[str, float]:
    """Shares of what the feedback adapter gets right.

    * `verdict`, `cause`: outcomes judged met or missed, and by which cause, as the simulator does
    * `false_miss`: met goals that are called missed
    * `repair`: missed goals whose repair is exactly the simulator's
    * `proposal`, `proposal_by_chance`: tables whose proposal practices one of the weakest goals, and the share that as
      many goals drawn at random would have
    """
    causes, found = [cause(each) for each in outcomes], [each.cause for each in planner.assess(outcomes)]
    pairs = list(zip(found, causes, strict=True))
    missed = [each for each, name in zip(outcomes, causes, strict=True) if name not in ("met", "fall")]
    right = [tuple(repair.goal for repair in repairs(each)) for each in missed]
    practiced, by_chance = [], []
    for seed, table in enumerate(tables):
        (program,) = planner.propose(table, 1, seed)
        weak = proposals.weakest(table)
        practiced.append(proposals.practices(program, weak))
        by_chance.append(1 - (1 - len(weak) / len(table)) ** len(program.goals))
    return {
        "verdict": _share([(mine == "met") == (truth == "met") for mine, truth in pairs]),
        "cause": _share([mine == truth for mine, truth in pairs]),
        "false_miss": _share([mine != "met" for mine, truth in pairs if truth == "met"]),
        "repair": _share([a == b for a, b in zip(planner.correct(missed), right, strict=True)]),
        "proposal": _share(practiced),
        "proposal_by_chance": _share(by_chance),
    }


def calibrate(planner: Planner, outcomes: list[GoalOutcome]) -> float:
    """The miss threshold below which all but FALSE_MISSES of the met goals stay."""
    planner.miss_threshold = 0.0  # so that the confidence of each is the probability of a miss
    chances = [each.confidence for each in planner.assess([each for each in outcomes if cause(each) == "met"])]
    return float(np.clip(np.quantile(chances, 1 - FALSE_MISSES), 0.5, 0.99)) if chances else 0.5


def _share(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
