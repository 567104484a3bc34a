"""Bodies that are disturbed on purpose, moved by the transformer that ships."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from agent.bodies.humanoid import HUMANOID
from agent.feedback.outcomes import judge
from agent.feedback.trials import DISTURBANCES, Trial, disturbed, expected_seconds, random_program, run_trials
from agent.goals import PLACE_SKILLS, Goal, VelocityGoal
from agent.models.decision_transformer import GoalDecisionTransformer

WALK = Goal(1.0, meters=1.2)


@pytest.fixture(scope="module")
def actor():
    return GoalDecisionTransformer.from_pretrained(ROOT / "pretrained" / "agent" / "decision_transformer").eval()


def test_a_walk_that_is_cut_short_is_repaired_and_an_undisturbed_one_left_alone(actor):
    trials = [Trial((WALK,), (WALK,), 1), Trial((WALK,), (Goal(1.0, meters=0.4),), 2)]
    without = run_trials(actor, trials, num_threads=1)
    assert [pursuit.success for pursuit in without] == [True, False]
    helped = run_trials(actor, trials, judge, max_corrections=2, num_threads=1)
    assert [pursuit.success for pursuit in helped] == [True, True]
    assert [len(pursuit.corrections) for pursuit in helped] == [0, 1]
    # The other body's new prompt has the keys and values of both computed anew, which rounds otherwise.
    (watched,), (alone,) = helped[0].outcomes, without[0].outcomes
    assert watched.goal == alone.goal
    assert watched.progress.pose == pytest.approx(alone.progress.pose, abs=1e-4)


def test_a_shove_moves_its_own_body_at_its_time(actor):
    stand = Goal(seconds=0.6)
    trials = [Trial((stand,), (stand,), 1), Trial((stand,), (stand,), 1, 0.3, (0.0, 0.8))]
    calm, shoved = run_trials(actor, trials, num_threads=1)
    assert shoved.outcomes[0].velocity[1] > calm.outcomes[0].velocity[1] + 0.2


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_one_goal_of_a_trial_is_disturbed_and_the_same_seed_disturbs_alike(disturbance):
    rng = np.random.default_rng(0)
    for seed in range(30):
        goals = random_program(rng, HUMANOID, 2)
        trial = disturbed(goals, disturbance, seed)
        assert trial == disturbed(goals, disturbance, seed)
        changed = sum(a != b for a, b in zip(trial.goals, trial.executed, strict=True))
        assert changed == (disturbance in ("swap", "early", "late"))
        assert (trial.shove_seconds is not None) == (disturbance == "shove")


def test_random_programs_have_goals_of_every_kind_that_the_body_can_do():
    rng = np.random.default_rng(0)
    goals = [goal for _ in range(200) for goal in random_program(rng, HUMANOID, 2)]
    assert {*PLACE_SKILLS, "stand", "run_forward", "curve_left"} < {goal.skill for goal in goals}
    assert {goal.height for goal in goals} == set(HUMANOID.heights) and {goal.arms for goal in goals} == set(
        HUMANOID.arms
    )
    for goal in goals:
        assert not goal.open and goal == goal.on_grid() and expected_seconds(goal) < 20
        if isinstance(goal, VelocityGoal):
            assert HUMANOID.reach(goal.velocity) <= 1 + 1e-6
            assert goal.height == "normal" or goal.vx <= HUMANOID.low_speed
    plain = replace(HUMANOID, crouch_height=None, arm_poses={}, wave_swing=())
    goals = [goal for _ in range(50) for goal in random_program(rng, plain, 4)]
    assert {(goal.height, goal.arms) for goal in goals} == {("normal", "rest")}
