"""Evaluation of an agent by sentences: whether it does what they say, and what it gains by feedback."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import gymnasium
import numpy as np
from tqdm import tqdm

from agent.evaluation.suites import mean_of
from agent.feedback.outcomes import Assessment, GoalOutcome, cause, judge
from agent.feedback.pursuit import Pursuit
from agent.feedback.trials import DISTURBANCES, disturbed, expected_seconds, run_trials
from agent.goals import GoalProgram
from agent.language.corpus.generator import examples
from agent.language.program import parse, score
from agent.simulation.rollouts import Actor

if TYPE_CHECKING:
    from agent.language.planner import Planner

INSTRUCTION_SECONDS = 300.0  # more than any program with an end should take

LONGEST_TRIAL = 10.0  # s, largest expected time of an instruction of the feedback suite
GENERATED = 40  # sentences per sentence that is needed; the first that fit are taken
CORRECTIONS = 2  # per goal
Z = 1.96  # standard deviations on either side, of an interval of 95 %


class LanguageActor(Actor, Protocol):
    """An actor that understands sentences: a MotorAgent."""

    planner: "Planner"
    transformer: Actor

    def make_env(self, *, max_episode_steps: int) -> gymnasium.Env: ...
    def run(self, instruction: GoalProgram, env: gymnasium.Env, max_seconds: float) -> Any: ...


def measure_instructions(agent: LanguageActor, rows: Sequence[tuple[str, GoalProgram]], seed: int) -> dict:
    """How often instructions are understood exactly, refused rightly, and executed by the body.

    Physical success is measured on the instructions whose goals all have an end: every goal met, in order, without a
    fall. A miss is due to the parse, a fall, or the motion.
    """
    found = agent.planner.parse_batch([text for text, _ in rows])
    shares = score(found, [meant for _, meant in rows])
    physical = [
        (text, meant, program) for (text, meant), program in zip(rows, found, strict=True) if _always_ends(meant)
    ]
    details = []
    env = agent.make_env(max_episode_steps=round(INSTRUCTION_SECONDS / agent.body.control_seconds))
    for text, meant, program in tqdm(physical, desc="instructions", leave=False):
        miss, feedback = "parse", "understood otherwise"
        if program == meant:
            env.reset(seed=seed)
            result = agent.run(program, env, max_seconds=INSTRUCTION_SECONDS)
            miss = "" if result.success else "fall" if any(outcome.fell for outcome in result.outcomes) else "motion"
            feedback = result.feedback
        details.append({"text": text, "miss": miss, "feedback": feedback})
    env.close()
    misses = Counter(detail["miss"] for detail in details)
    return {
        "instructions": len(rows),
        **{name: shares[name] for name in ("exact", "refusals_right", "spurious_refusals")},
        "physical_instructions": len(physical),
        "physical_success": mean_of([not detail["miss"] for detail in details]),
        "misses": {miss: misses[miss] for miss in ("parse", "fall", "motion")},
        "rows": details,
    }


def _always_ends(program: GoalProgram) -> bool:
    """Whether the program has goals, and each of them has an end."""
    return not program.refused and not any(goal.open for goal in program.goals)


def measure_feedback(agent: LanguageActor, episodes: int, seed: int, num_threads: int | None = None) -> dict:
    """What an agent gains by assessing and correcting itself: the same instructions from the same starts, once without
    and once with feedback.

    Half of the runs are disturbed: by a shove, by a goal other than the program's, or by an end too early or too late.
    Shares come with their number and a 95 % interval:

    * `verdict`: runs whose success the planner judges as the rule does that it was trained on
      (`agent.feedback.outcomes.judge`); `which_goal`: failed runs in which it names the first goal that was missed;
      `cause`: goals for which it names the same cause as the rule.
    * `repaired_by_one`, `repaired_by_two`: goals missed without a fall that are met after one or two corrections.
    * `corrected_for_nothing`: runs that succeed without feedback, in which feedback corrects something; `spoiled`:
      runs that succeed without feedback and fail with it.
    * `right_without`, `right_with`: runs with every goal met, without and with feedback, in all and by disturbance.

    Names that begin with `rule/` are for the same runs with this rule correcting the goals instead of the planner.
    """
    instructions = draw_instructions(agent.planner, episodes, seed)
    none, *others = DISTURBANCES
    kinds = [others[number // 2 % len(others)] if number % 2 else none for number in range(episodes)]
    trials = [
        disturbed(program.goals, kind, seed + number)
        for number, ((_, program), kind) in enumerate(zip(instructions, kinds, strict=True))
    ]
    without = run_trials(agent.transformer, trials, num_threads=num_threads)
    helped = run_trials(agent.transformer, trials, agent.planner.judge, CORRECTIONS, num_threads)
    ruled = run_trials(agent.transformer, trials, judge, CORRECTIONS, num_threads)
    assessed = [(pursuit, agent.planner.assess(pursuit.outcomes)) for pursuit in without]
    goals = [pair for pursuit, verdicts in assessed for pair in zip(pursuit.outcomes, verdicts, strict=True)]
    good = [after for before, after in zip(without, helped, strict=True) if before.success]
    shares = {
        "verdict": [all(each.met for each in verdicts) == pursuit.success for pursuit, verdicts in assessed],
        "which_goal": [
            _first_missed(verdicts) == _first_missed(pursuit.outcomes)
            for pursuit, verdicts in assessed
            if not pursuit.success
        ],
        "cause": [verdict.cause == cause(outcome) for outcome, verdict in goals],
        **_repaired(helped),
        "corrected_for_nothing": [bool(after.corrections) for after in good],
        "spoiled": [not after.success for after in good],
        "right_without": [pursuit.success for pursuit in without],
        "right_with": [pursuit.success for pursuit in helped],
        **{f"rule/{name}": values for name, values in _repaired(ruled).items()},
        "rule/right_with": [pursuit.success for pursuit in ruled],
    }
    for kind in DISTURBANCES:
        for name in ("right_without", "right_with"):
            shares[f"{name}/{kind}"] = [right for right, each in zip(shares[name], kinds, strict=True) if each == kind]
    return {
        "instructions": episodes,
        "falls_without": sum(pursuit.fell for pursuit in without),
        "falls_with": sum(pursuit.fell for pursuit in helped),
        **{name: share(values) for name, values in shares.items()},
        "rows": [
            {
                "text": text,
                "disturbance": kind,
                "without": before.success,
                "with": after.success,
                "corrections": [correction.text for correction in after.corrections],
            }
            for (text, _), kind, before, after in zip(instructions, kinds, without, helped, strict=True)
        ],
    }


def draw_instructions(planner: "Planner", count: int, seed: int) -> list[tuple[str, GoalProgram]]:
    """Generated instructions of goals with ends, expected to take at most LONGEST_TRIAL, that the planner reads
    exactly.

    Raises:
        ValueError: it understands too few.
    """
    found: list[tuple[str, GoalProgram]] = []
    for text, written in examples(GENERATED * count, seed):
        program = parse(written, planner.body)
        seconds = sum(map(expected_seconds, program.goals))
        if _always_ends(program) and 1.0 <= seconds <= LONGEST_TRIAL and planner.parse(text) == program:
            found.append((text, program))
        if len(found) == count:
            return found
    raise ValueError(
        f"the planner understands {len(found)} of {GENERATED * count} generated instructions as goals to measure, "
        f"episodes={count} are asked for: give fewer, or train the planner longer"
    )


def share(values: Sequence[bool]) -> dict[str, float | int | None]:
    """The share of true values, their number, and a 95 % interval by Wilson's score (1927); None for no values."""
    if not values:
        return {"share": None, "low": None, "high": None, "of": 0}
    count, found = len(values), float(np.mean(values))
    center, half = found + Z**2 / (2 * count), Z * math.sqrt(found * (1 - found) / count + (Z / (2 * count)) ** 2)
    low, high = ((center + side * half) / (1 + Z**2 / count) for side in (-1, 1))
    return {"share": found, "low": low, "high": high, "of": count}


def _first_missed(judged: Sequence[GoalOutcome] | Sequence[Assessment]) -> int | None:
    return next((number for number, each in enumerate(judged) if not each.met), None)


def _repaired(pursuits: Sequence[Pursuit]) -> dict[str, list[bool]]:
    """Whether each goal that was missed without a fall is met after one and after two corrections."""
    by_one, by_two = [], []
    for pursuit in pursuits:
        for number, final in enumerate(pursuit.outcomes, start=1):
            before = [correction.before for correction in pursuit.corrections if correction.number == number]
            first, second, *_ = [*before, final, final]
            if not (first.met or first.fell):
                by_one.append(second.met)
                by_two.append(final.met)
    return {"repaired_by_one": by_one, "repaired_by_two": by_two}
