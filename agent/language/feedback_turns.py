"""Training examples for feedback, as chat turns: recorded outcomes and random tables, with answers made by rules."""

import itertools
from collections.abc import Sequence

import numpy as np

from agent.feedback import proposals
from agent.feedback.outcomes import GoalOutcome, cause, repairs
from agent.goals import GoalProgram
from agent.language.planner import ASSESS, CORRECT, PROPOSE, Turn, report_text, table_text, worst_text


def examples(outcomes: Sequence[GoalOutcome], seed: int) -> list[Turn]:
    """The verdict on each outcome, the repair of each missed one, and a quarter as many proposals for tables."""
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
        answer = f"{worst_text(told)}: {proposals.example(table, rng).text}"
        turns.append(Turn(PROPOSE, table_text(told), answer))
    return turns
