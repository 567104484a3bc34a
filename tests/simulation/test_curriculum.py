"""What an env draws when nobody gives it goals: goals, starts, shoves and second tries."""

from dataclasses import replace

import numpy as np
import pytest

from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID
from agent.goals import ARMS, GRID, GRID_STEP, SKILLS, Goal
from agent.simulation.curriculum import (
    Curriculum,
    fast_commands,
    nearest_on_grid,
    sample_commands,
    side_commands,
    snap_velocity,
)
from agent.simulation.heading import heading_velocity, uprightness
from agent.simulation.task import feet_apart
from agent.simulation.vector_env import UPRIGHT, GoalVectorEnv

RNG = np.random.default_rng
EVERYONE = np.arange(5000)


@pytest.mark.parametrize("difficulty", [0.0, 0.3, 1.0])
def test_sampled_commands_lie_inside_the_trained_region(difficulty):
    commands = sample_commands(RNG(0), 5000, HUMANOID, difficulty).astype(float)
    assert HUMANOID.reach(commands).max() <= 1 + 1e-6
    assert commands[:, 0].max() <= 1.2 + (3.0 - 1.2) * difficulty + 1e-6
    assert 0.07 < (np.abs(commands).max(1) == 0).mean() < 0.13, "a tenth is standing"
    np.testing.assert_allclose(commands[:, 1:].mean(0), 0, atol=0.03)


@pytest.mark.parametrize(("difficulty", "fastest"), [(0.0, 1.2), (1.0, 3.0)])
def test_fast_commands_go_straight_ahead_up_to_the_fastest_of_the_region(difficulty, fastest):
    commands = fast_commands(RNG(0), 1000, HUMANOID, difficulty)
    assert (commands[:, 1:] == 0).all()
    assert commands[:, 0].min() == pytest.approx(0.6 * fastest, rel=0.01)
    assert commands[:, 0].max() == pytest.approx(fastest, rel=0.01)


@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_side_commands_go_straight_to_either_side(difficulty):
    commands = side_commands(RNG(0), 1000, HUMANOID, difficulty)
    assert (commands[:, [0, 2]] == 0).all()
    for side in (-1, 1):
        speeds = (side * commands[:, 1])[side * commands[:, 1] > 0]
        fastest = HUMANOID.limits[1, 1] * (0.5 + 0.5 * difficulty)
        assert (speeds.min(), speeds.max()) == (pytest.approx(fastest / 4, rel=0.05), pytest.approx(fastest, rel=0.05))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"run_share": 2}, "run_share=2 must be from 0 to 1"),
        ({"retry_share": np.nan}, "retry_share=nan must be from 0 to 1"),
        ({"goal_seconds": (3, 1)}, r"goal_seconds=\(3, 1\) must be the shortest and then the longest time"),
        ({"push_seconds": (0.0, 1.0)}, r"push_seconds=\(0.0, 1.0\) must be .* both positive"),
        (
            {"run_share": 0.5, "sidestep_share": 0.4, "stand_share": 0.2},
            "run_share=0.5, sidestep_share=0.4, stand_share=0.2 must not add up to more than 1",
        ),
        ({"stride_share": 0.6, "recovery_share": 0.5}, "stride_share=0.6, recovery_share=0.5 must not add up"),
        ({"stand_factor": 0}, "stand_factor=0 must be at least 1"),
        ({"push_speed": -0.1}, "push_speed=-0.1 must be finite and at least 0"),
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Curriculum(**settings)


def test_shares_of_the_goals_run_sidestep_stand_or_are_skills():
    curriculum = Curriculum(run_share=0.2, sidestep_share=0.1, stand_share=0.3)
    goals = curriculum.draw_goals(RNG(0), len(EVERYONE), HUMANOID, 1.0)
    plain = Curriculum().draw_goals(RNG(0), len(EVERYONE), HUMANOID, 1.0)
    kinds = {
        0.3: lambda goals: ~goals.any(1),
        0.2: lambda goals: goals[:, 0] >= 1.8,
        0.1: lambda goals: (goals[:, 1] != 0) & (goals[:, [0, 2]] == 0).all(1),
    }
    for added, chosen in kinds.items():
        assert chosen(goals).mean() == pytest.approx(added + 0.4 * chosen(plain).mean(), abs=0.02)
    named = Curriculum(skill_share=1.0).draw_goals(RNG(0), len(EVERYONE), HUMANOID, 1.0)
    skills = {tuple(np.float32(velocity)) for speeds in SKILLS.values() for velocity in speeds}
    assert {tuple(goal) for goal in named[:, :3]} == skills
    assert not named[:, 3:].any()


def test_a_goal_lasts_its_time_and_one_to_stand_longer():
    curriculum, goals = Curriculum(goal_seconds=(1.5, 3.0), stand_factor=4), np.zeros((1000, 5))
    goals[:500, 0] = 1
    steps = curriculum.draw_times(RNG(0), goals, HUMANOID)
    assert (steps[:500].min(), steps[:500].max()) == (100, 199)
    assert (steps[500:].min(), steps[500:].max()) == (400, 796)


def test_shares_of_the_goals_are_low_and_have_arms():
    curriculum = Curriculum(low_share=0.4, arms_share=0.5, run_share=0.5, on_grid=True)
    goals = curriculum.draw_goals(RNG(0), len(EVERYONE), HUMANOID, 1.0)
    low = goals[:, 3] == 1
    assert low.mean() == pytest.approx(0.4, abs=0.02) and (goals[~low, 3] == 0).all()
    assert goals[low, 0].max() == HUMANOID.low_speed < goals[~low, 0].max()
    shares = [(goals[:, 4] == index).mean() for index in range(len(ARMS))]
    np.testing.assert_allclose(shares, [0.5, *[0.125] * 4], atol=0.02)
    for goal in goals[:50].astype(float).round(1).tolist():
        assert Goal(*goal[:3]).on_grid() == Goal(*goal[:3])


def test_without_these_shares_the_goals_are_those_of_the_first_version():
    goals = Curriculum().draw_goals(RNG(0), len(EVERYONE), HUMANOID, 1.0)
    np.testing.assert_array_equal(goals[:, :3], sample_commands(RNG(0), 5000, HUMANOID))
    assert not goals[:, 3:].any()


@pytest.mark.parametrize("low", [False, True])
def test_goals_are_rounded_to_the_grid_and_never_out_of_the_trained_region(low):
    wanted = np.concatenate([sample_commands(RNG(0), 5000, HUMANOID), RNG(1).uniform(-4, 4, (1000, 3))])
    near = nearest_on_grid(wanted, HUMANOID, low)
    assert near.dtype == np.float32 and HUMANOID.reach(near).max() <= 1 + 1e-6
    for column, axis in enumerate(GRID):
        assert (
            np.isin(near[:, column].astype(float).round(1), GRID[axis]).all() and not np.signbit(near[near == 0]).any()
        )
    inside = HUMANOID.reach(np.rint(wanted / GRID_STEP) * GRID_STEP) <= 1
    inside &= wanted[:, 0] <= (HUMANOID.low_speed if low else 9)
    assert inside.mean() > 0.4
    assert np.abs(near - wanted)[inside].max() <= GRID_STEP / 2 + 1e-6, "the nearest where that can be reached"
    assert near[:, 0].max() == pytest.approx(HUMANOID.low_speed if low else 3.0)


def test_a_velocity_snaps_to_numbers_for_a_goal():
    assert snap_velocity((0.93, 0.0, -0.04), HUMANOID) == (1.0, 0.0, 0.0)
    assert snap_velocity((2.3, 0.0, 0.0), HUMANOID, low=True) == (1.0, 0.0, 0.0)
    assert snap_velocity((0.0, 0.31, 0.6), HUMANOID) == (0.0, 0.2, 0.6), "0.4 would be rounded up most"
    Goal(*snap_velocity((9.0, 9.0, -9.0), HUMANOID))


def test_a_body_with_other_limits_to_each_side_is_asked_for_no_more():
    body = replace(HUMANOID, speed_limits=((0, 0.1), (-0.2, 0.6), (-1.0, 0.4)), gentle_speed=0.1, low_speed=0.1)
    commands = sample_commands(RNG(0), 5000, body)
    assert body.reach(commands).max() <= 1 + 1e-6
    np.testing.assert_allclose(commands.min(0), [0, -0.2, -1.0], atol=0.01)
    np.testing.assert_allclose(commands.max(0), [0.1, 0.6, 0.4], atol=0.01)


def run(envs: GoalVectorEnv, steps: int):
    """Step the bodies under random torques; yields what each step returned."""
    for actions in RNG(1).uniform(-0.4, 0.4, (steps, envs.num_envs, 17)):
        yield envs.step(actions)


def test_bodies_get_a_new_goal_when_the_time_of_theirs_is_over():
    envs = GoalVectorEnv(20, 1, curriculum=Curriculum(goal_seconds=(0.06, 0.15), stand_factor=1))
    envs.reset(seed=0)
    goals = envs.goals.copy()
    assert len(np.unique(goals, axis=0)) > 5, "each has its own"
    changes = []
    for _ in run(envs, 40):
        changes.append((envs.goals != goals).any(1))
        goals = envs.goals.copy()
    assert 40 / 10 * 0.7 < np.mean(np.sum(changes, axis=0)) < 40 / 4


def test_a_higher_difficulty_draws_faster_goals():
    fastest = []
    for difficulty in (0.0, 1.0):
        envs = GoalVectorEnv(200, 1)
        envs.difficulty = difficulty
        envs.reset(seed=0)
        fastest.append(envs.goals[:, 0].max())
    assert fastest[0] <= 1.2 < fastest[1]


def test_a_start_in_mid_stride_stands_on_its_lower_foot():
    envs = GoalVectorEnv(50, 1, curriculum=Curriculum(stride_share=1.0))
    envs.reset(seed=0)
    np.testing.assert_allclose(envs.state.feet[..., 2].min(1), HUMANOID.sole_height, atol=1e-9)
    ahead = feet_apart(envs.state)[:, 0]
    assert (ahead > 0.1).any() and (ahead < -0.1).any() and np.abs(ahead).mean() > 0.2
    speed = heading_velocity(envs.state.qpos, envs.state.qvel)[:, 0]
    assert speed.min() > -0.2 and speed.max() > 0.8, "it moves ahead"
    assert (uprightness(envs.state.qpos) > UPRIGHT).all()


def test_without_hips_a_body_starts_as_usual(monkeypatch):
    monkeypatch.setitem(BODIES, "hipless", replace(HUMANOID, name="hipless", hips=(), knees=(), crouch_height=None))
    envs = GoalVectorEnv(10, 1, "hipless", curriculum=Curriculum(stride_share=1.0))
    envs.reset(seed=0)
    np.testing.assert_allclose(envs.state.qpos[:, 2], 1.4, atol=0.01)


def test_a_recovery_starts_upright_in_the_disturbed_state_of_another_body():
    envs = GoalVectorEnv(30, 1, curriculum=Curriculum(recovery_share=1.0))
    envs.reset(seed=0)
    assert envs.state.qvel[:, 6:].std() == pytest.approx(2.0, rel=0.2)
    assert len(np.unique(envs.state.qpos, axis=0)) < 30, "some take the same one"
    starts = 0
    for *_, terminated, _, _ in run(envs, 60):
        starts += terminated.sum()
        assert (uprightness(envs.state.qpos[terminated]) > UPRIGHT).all()
    assert starts > 30


def test_at_difficulty_zero_a_recovery_is_not_disturbed():
    envs = GoalVectorEnv(10, 1, curriculum=Curriculum(recovery_share=1.0))
    envs.difficulty = 0.0
    envs.reset(seed=0)
    assert np.abs(envs.state.qvel).max() <= HUMANOID.reset_noise


def test_a_body_that_fell_tries_again_where_its_goal_began():
    envs = GoalVectorEnv(10, 1, curriculum=Curriculum(retry_share=1.0, goal_seconds=(0.15, 0.45)))
    envs.reset(seed=0)
    goals, begun, retries = envs.goals.copy(), envs.state.qpos.copy(), 0
    for *_, terminated, _, _ in run(envs, 100):
        changed = (envs.goals != goals).any(1)
        assert not changed[terminated].any(), "it keeps its goal"
        np.testing.assert_array_equal(envs.state.qpos[terminated], begun[terminated])
        retries += terminated.sum()
        goals, begun[changed] = envs.goals.copy(), envs.state.qpos[changed]
    assert retries > 20


def test_without_retries_a_body_that_fell_starts_at_its_start_with_a_new_goal():
    envs = GoalVectorEnv(10, 1)
    envs.reset(seed=0)
    goals, falls, changes = envs.goals.copy(), 0, 0
    for *_, terminated, _, _ in run(envs, 100):
        np.testing.assert_allclose(envs.state.qpos[terminated, 2], 1.4, atol=0.01)
        falls, changes = falls + terminated.sum(), changes + (envs.goals != goals).any(1)[terminated].sum()
        goals = envs.goals.copy()
    assert falls > 20 and changes > 0.8 * falls


@pytest.mark.parametrize("difficulty", [0.5, 1.0])
def test_shoves_come_at_random_times_and_change_only_the_velocity_in_the_plane(difficulty):
    envs = GoalVectorEnv(20, 1, curriculum=Curriculum(push_speed=0.8, push_seconds=(0.06, 0.12)), autoreset=False)
    envs.difficulty = difficulty
    envs.reset(seed=0)
    speeds = []
    for observations, *_ in run(envs, 40):
        change = envs.state.qvel - envs.final_state.qvel
        assert not change[:, 2:].any()
        speeds.append(np.linalg.norm(change[:, :2], axis=1))
        seen = heading_velocity(envs.state.qpos, envs.state.qvel)
        np.testing.assert_allclose(observations[:, 22:24], seen[:, :2], atol=1e-6, err_msg="the shove is seen")
    shoves = np.array(speeds)[np.array(speeds) > 0]
    assert 40 * 20 / 8 * 0.8 < len(shoves) < 40 * 20 / 4 * 1.2
    assert 0.6 * difficulty < shoves.max() <= 0.8 * difficulty + 1e-9


def test_a_range_of_less_than_a_control_step_can_be_drawn():
    times = {"goal_seconds": (0.3, 0.304), "push_seconds": (0.005, 0.01)}
    GoalVectorEnv(2, 1, curriculum=Curriculum(**times)).reset(seed=0)
