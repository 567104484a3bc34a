"""Proposals: programs worth collecting, for an agent that does some goals worse than others.

The language model reads a short table of measurements (agent.evaluation.suites.measure_goals): the goals that the
agent does worst, in any order, and how often each was met. It names the worst of them and answers with a program that
practices some of these, each after another motion that leads into it. `example` makes the programs that it is trained
on.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.artefacts import runs
from agent.goals import SKILLS, GoalProgram, VelocityGoal

GOALS = tuple(dict.fromkeys(VelocityGoal(*velocity) for speeds in SKILLS.values() for velocity in speeds))  # 28
SHOWN = 8  # goals of a table that the language model is shown
WEAKEST = 3  # goals of a table that are worth practicing
LEAD_SECONDS, PRACTICE_SECONDS = (2, 3), (4, 5, 6)


@dataclass(frozen=True)
class Score:
    """How often a goal was met."""

    goal: VelocityGoal
    met: float  # share of the tries, 0 to 1

    @property
    def tenths(self) -> int:
        """The share in tenths, at most 9: the digit that the language model is shown."""
        return min(9, int(10 * self.met + 1e-9))


def shown(table: Sequence[Score]) -> list[Score]:
    """The rows that the language model is shown: the worst, the worst first."""
    return sorted(table, key=lambda score: score.tenths)[:SHOWN]


def worst_first(rows: Sequence[Score]) -> list[tuple[int, list[VelocityGoal]]]:
    """Pairs of a number of tenths, from 0 up, and the goals that were met in that many tenths of their tries. Stops
    when there are at least three goals, or all of `rows`.
    """
    levels: list[tuple[int, list[VelocityGoal]]] = []
    while sum(len(goals) for _, goals in levels) < min(WEAKEST, len(rows)):
        tenths = len(levels)
        levels.append((tenths, [score.goal for score in rows if score.tenths == tenths]))
    return levels


def weakest(table: Sequence[Score]) -> set[VelocityGoal]:
    """The three goals that are done worst, and those with the same score as the third, in tenths."""
    rows = shown(table)
    third = rows[:WEAKEST][-1]
    return {score.goal for score in rows if score.tenths <= third.tenths}


def example(table: Sequence[Score], rng: np.random.Generator) -> GoalProgram:
    """A program that practices the one to three worst goals, each after a better one that leads into it."""
    rows = shown(table)
    better = {VelocityGoal(*normal) for _, normal, _ in SKILLS.values()} - {score.goal for score in rows}
    goals: list[VelocityGoal] = []
    for score in rows[: rng.integers(1, WEAKEST + 1)]:
        leads = [goal for goal in GOALS if goal in better and goal.skill != score.goal.skill]
        lead = leads[rng.integers(len(leads))]
        goals += [
            replace(lead, seconds=float(rng.choice(LEAD_SECONDS))),
            replace(score.goal, seconds=float(rng.choice(PRACTICE_SECONDS))),
        ]
    return GoalProgram(tuple(goals))


def draw_tables(seed: int) -> Iterator[list[Score]]:
    """Random tables of good and bad agents. Some are worst at a skill at all speeds, some at single goals."""
    rng = np.random.default_rng(seed)
    while True:
        worst = rng.uniform(0.3, 1.0)
        skills = dict(zip(SKILLS, rng.random(len(SKILLS)) ** 4, strict=True))  # only a few skills are bad
        missed = [worst * (0.4 * skills[goal.skill] + rng.random() ** 4) for goal in GOALS]
        met = np.clip(1 - np.array(missed), 0, 1)
        yield [Score(goal, float(share)) for goal, share in zip(GOALS, met, strict=True)]


def practices(program: GoalProgram, goals: Collection[VelocityGoal]) -> bool:
    """Whether one of these goals is in a program, whatever its end."""
    practiced = {goal.velocity for goal in program.goals if isinstance(goal, VelocityGoal)}
    return not practiced.isdisjoint(goal.velocity for goal in goals)


def write_programs(path: Path, programs: Sequence[GoalProgram]) -> None:
    """Write programs as JSON lines, each with its tokens."""
    with runs.replacing(path) as new:
        new.write_text("".join(json.dumps({"program": program.tokens}) + "\n" for program in programs))


def read_programs(path: Path) -> list[GoalProgram]:
    """The programs of JSON lines. Raises ValueError, naming the line, for one with no program or a refusal."""
    programs = []
    for number, (program,) in enumerate(read_rows(path, "proposals"), start=1):
        if program.refused:
            raise ValueError(f"{path}, line {number}: a refusal cannot be collected: give a program of goals")
        programs.append(program)
    if not programs:
        raise ValueError(f"{path} has no programs: give at least one")
    return programs


def read_rows(path: str | Path, argument: str, *texts: str) -> Iterator[tuple]:
    """The texts of these names, and then the program, in each JSON line of the file that `argument` names.

    Raises:
        ValueError: the file cannot be read, or a line, which is named, has no program or not all of the texts.
    """
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read {argument}={path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            found = (*(str(row[text]) for text in texts), GoalProgram.from_tokens(row["program"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"{path}, line {number}: give a JSON object with {' and '.join((*texts, 'program'))} (its tokens), "
                f"not {line[:60]!r}: {error}"
            ) from error
        yield found
