"""Collecting: what is written, that it opens without our code, and that a run that dies can be resumed exactly."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise, product

import av
import numpy as np
import pandas
import pytest
import torch
from datasets import load_dataset
from pyarrow import parquet

import collect_dataset
from agent.artefacts.arguments import parse_arguments
from agent.bodies.humanoid import HUMANOID
from agent.data import schema
from agent.feedback.proposals import write_programs
from agent.goals import SKILLS, Goal, GoalProgram
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.simulation.heading import observed_velocity
from agent.simulation.task import advance_phase, approach
from collect_dataset import Arguments, GoalsToCollect

TINY = {"num_envs": 4, "num_threads": 1, "shard_steps": 60, "num_steps": 700}


@pytest.fixture(scope="module", autouse=True)
def short_films():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect_dataset, "FILM_SECONDS", 0.06)
        yield


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    MotorPolicy(MotorPolicyConfig(widths=[16, 8])).save_pretrained(folder)
    return folder


def collect(policy, folder, **changes) -> None:
    words = [word for name, value in (TINY | changes).items() for word in (f"--{name}", str(value))]
    collect_dataset.main(parse_arguments(Arguments, ["--policy", str(policy), "--output_dir", str(folder), *words]))


@pytest.fixture(scope="module")
def dataset(policy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    collect(policy, folder)
    return folder


def columns_of(folder) -> dict[str, np.ndarray]:
    shards = list(schema.read_shards(folder))
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def test_the_dataset_is_whole_and_as_large_as_asked_rounded_up_to_shards(dataset):
    schema.validate(dataset)
    assert len(schema.shard_paths(dataset)) == 3
    assert len(columns_of(dataset)["index"]) == 3 * 4 * 60
    summary = json.loads((dataset / "summary.json").read_text())
    assert summary["stage"] == "dataset"
    assert "720 steps" in summary["made"]


def test_the_label_is_the_mean_action_of_the_policy_and_the_noise_is_in_what_was_executed(dataset, policy):
    columns = columns_of(dataset)
    states, goals, frame = (columns[name] for name in ("observation.state", "goal.command", "frame_index"))
    velocity = np.clip(observed_velocity(states), *HUMANOID.limits)
    teacher, errors = MotorPolicy.from_pretrained(policy), []
    # A body starts upright or low, and on both feet or with its left foot ahead, which the data does not say.
    for low, begin in product((0.0, 1.0), (0.0, 0.5)):
        commands, phases = np.zeros_like(goals), np.zeros((len(goals), 2))
        for row, goal in enumerate(goals):
            before = commands[row - 1] if frame[row] else np.array([*velocity[row], low, 0], dtype=np.float32)
            commands[row] = approach(before, goal, HUMANOID)
            phases[row] = advance_phase(phases[row - 1], commands[row - 1], HUMANOID) if frame[row] else (begin, 0)
        seen = (torch.tensor(each, dtype=torch.float32) for each in (states, commands, phases))
        with torch.no_grad():
            mean = teacher(*seen)[0].clamp(-1, 1).numpy() * HUMANOID.scale
        errors.append(np.abs(mean - columns["teacher.action"]).max(1))
    assert np.min(errors, axis=0).max() < 1e-4
    assert (errors[0] < 1e-4).mean() > 0.5, "most bodies start upright on both feet"
    noise = np.abs(columns["action"] - columns["teacher.action"])
    assert (noise.max(1) == 0).any(), "no clean steps"
    assert noise.std() > 0.01 * HUMANOID.scale[0], "no noise"


def test_noise_levels_are_shares_of_the_action_range(policy, tmp_path):
    collect(policy, tmp_path, noise_levels="0.2", num_steps=240)
    columns = columns_of(tmp_path)
    assert (columns["action"] - columns["teacher.action"]).std() == pytest.approx(0.2 * HUMANOID.scale[0], rel=0.1)


def test_datasets_opens_it_without_our_code(dataset, tmp_path):
    loaded = load_dataset(str(dataset), split="train", cache_dir=str(tmp_path))
    assert loaded.features == schema.features(HUMANOID)
    assert len(loaded) == 720
    np.testing.assert_array_equal(np.array(loaded["index"]), np.arange(720))
    first = next(iter(load_dataset(str(dataset), split="train", streaming=True)))
    assert len(first["observation.state"]) == 45


def test_meta_says_of_every_episode_where_it_is_how_to_ask_for_it_and_how_it_went(dataset):
    columns = columns_of(dataset)
    info = json.loads((dataset / "meta" / "info.json").read_text())
    tasks = pandas.read_parquet(dataset / "meta" / "tasks.parquet")
    paths = sorted((dataset / "meta" / "episodes").rglob("*.parquet"))
    episodes = [row for path in paths for row in parquet.read_table(path).to_pylist()]
    assert [episode["episode_index"] for episode in episodes] == list(range(info["total_episodes"]))
    for episode in episodes:
        rows = slice(episode["dataset_from_index"], episode["dataset_to_index"])
        assert set(columns["episode_index"][rows]) == {episode["episode_index"]}
        assert episode["length"] == len(columns["index"][rows])
        assert episode["fell"] == columns["next.terminated"][rows][-1]
        assert set(episode["tasks"]) == {tasks.index[index] for index in columns["task_index"][rows]}
        assert len(episode["tasks"]) == len(set(episode["tasks"]))
        assert episode["instruction"].count(";") == len(episode["summary"]) - 1
        assert sum(part["seconds"] for part in episode["summary"]) == pytest.approx(
            0.015 * episode["length"], abs=1e-2
        )
        assert episode["mean_reward"] == pytest.approx(columns["next.reward"][rows].mean(), abs=1e-4)
    stats = json.loads((dataset / "meta" / "stats.json").read_text())
    np.testing.assert_allclose(stats["action"]["mean"], columns["action"].astype(float).mean(0), atol=1e-9)
    np.testing.assert_allclose(stats["action"]["std"], columns["action"].astype(float).std(0), rtol=1e-6)


def test_meta_has_every_field_that_the_loader_of_lerobot_reads(dataset):
    """Those of a new dataset of lerobot 0.4.4, whose loader opened a folder made here."""
    info = json.loads((dataset / "meta" / "info.json").read_text())
    totals = {"codebase_version", "robot_type", "total_episodes", "total_frames", "total_tasks", "fps", "splits"}
    files = {"chunks_size", "data_files_size_in_mb", "video_files_size_in_mb", "data_path", "video_path"}
    assert totals | files | {"features"} <= set(info)
    tasks = pandas.read_parquet(dataset / "meta" / "tasks.parquet")
    assert (info["body"], info["fps"]) == ("humanoid", pytest.approx(66.67, abs=0.01))
    assert tasks["task_index"].tolist() == list(range(info["total_tasks"]))
    assert set(columns_of(dataset)["task_index"]) == set(tasks["task_index"]), "tasks are those that occur"
    assert info["features"]["goal.command"]["names"] == ["vx", "vy", "wz", "height", "arms"]
    for name, feature in info["features"].items():
        assert feature["dtype"] == schema.columns(HUMANOID)[name].dtype
        assert set(feature) >= {"dtype", "shape", "names"}
    stats = json.loads((dataset / "meta" / "stats.json").read_text())
    assert {name: set(measures) for name, measures in stats.items()} == {
        name: {"count", "min", "max", "mean", "std"} for name in info["features"]
    }


def test_the_card_shows_a_video_of_what_the_rows_say(dataset):
    assert 'src="replay.mp4"' in (dataset / "README.md").read_text()
    with av.open(str(dataset / "replay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 2


def test_goals_switch_within_episodes_and_lie_on_the_grid(policy, tmp_path, monkeypatch):
    monkeypatch.setattr(collect_dataset, "GOAL_SECONDS", (0.075, 0.15))
    collect(policy, tmp_path, num_steps=240)
    schema.validate(tmp_path)
    columns = columns_of(tmp_path)
    same_episode = np.diff(columns["episode_index"]) == 0
    assert (np.diff(columns["goal.command"], axis=0).any(1) & same_episode).any()


def test_all_goals_are_named_skills_when_asked(policy, tmp_path):
    named = {command for commands in SKILLS.values() for command in commands}
    words = {"skill_share": 1.0, "correction_share": 0.0, "posture_share": 0.0}
    collect(policy, tmp_path, num_steps=240, **words)
    commands = columns_of(tmp_path)["goal.command"].astype(float).round(1)
    assert {tuple(command) for command in commands[:, :3].tolist()} <= named
    assert not commands[:, 3:].any()


def drawn(body=HUMANOID, count=400, **shares) -> list[list[tuple[np.ndarray, int]]]:
    """The first twenty goals, and their steps, of as many episodes."""
    goals = GoalsToCollect(goal_seconds=(2.25, 6.0), stand_factor=1, skill_share=0.5, on_grid=True, **shares)
    rng, rows = np.random.default_rng(0), np.arange(count)
    turns = [goals.draw(rng, rows, np.full(count, turn == 0), body, 1.0) for turn in range(20)]
    return [[(turn[0][row], int(turn[1][row])) for turn in turns] for row in rows]


def switches_of(episodes) -> tuple[np.ndarray, np.ndarray]:
    """Goals before and after every switch, [switches, 5] each."""
    pairs = [pair for episode in episodes for pair in pairwise([goal for goal, _ in episode])]
    before, after = zip(*pairs, strict=True)
    return np.array(before), np.array(after)


def test_postures_and_their_switches_have_their_shares():
    before, after = switches_of(drawn(posture_share=0.6, posture_switch_share=0.3))
    unusual = after[:, 3:].any(1)
    assert unusual.mean() == pytest.approx(0.6, abs=0.03)
    _, counts = np.unique(after[unusual, 3:], axis=0, return_counts=True)
    assert len(counts) == 9 and counts.min() > 0.8 * counts.mean(), "every other posture as often"
    velocity, posture = (before[:, :3] != after[:, :3]).any(1), (before[:, 3:] != after[:, 3:]).any(1)
    assert (posture & ~velocity).mean() > 0.1 and (velocity & ~posture).mean() > 0.25 and (velocity & posture).any()
    low = after[:, 3] > 0
    assert after[low, 0].max() == pytest.approx(HUMANOID.low_speed), "a crouch is slow"
    assert after[~low, 0].max() > 2.5
    assert (HUMANOID.reach(after[:, :3]) <= 1 + 1e-6).all()


def test_a_body_without_postures_is_asked_for_none():
    plain = replace(HUMANOID, name="plain", crouch_height=None, arm_poses={})
    before, after = switches_of(drawn(plain, count=50, posture_share=1.0, posture_switch_share=1.0))
    assert not after[:, 3:].any()
    assert (before != after).any(1).mean() > 0.8, "its velocity changes"


def test_corrections_are_short_small_and_begin_and_end_with_the_goal_that_they_interrupt():
    episodes = drawn(correction_share=1.0, posture_share=0.5)
    before, after = switches_of(episodes)
    seconds = np.array([steps for episode in episodes for _, steps in episode]) * HUMANOID.control_seconds
    assert seconds.min() >= 0.19 and seconds.max() <= 2.0 and (seconds < 0.5).mean() > 0.2
    change = np.abs(after - before)
    small = (change[:, :2] < 0.21).all(1) & (change[:, 2] < 0.41) & ~change[:, 3:].any(1)
    assert small.mean() > 0.6
    steered = small & (before[:, 0] >= 0.4) & (before[:, 2] == 0)
    for axis in (1, 2):
        assert (change[steered, axis] > 0).mean() > 0.3, "a walk is corrected to the side and in its heading"
    goals = np.array([[goal for goal, _ in episode] for episode in episodes])
    back = (goals[:, 2:] == goals[:, :-2]).all(2)
    assert np.mean(back) > 0.15, "a goal goes on after a correction"


def test_goals_are_those_of_the_proposals_one_program_after_the_other(policy, tmp_path):
    walk, turn = Goal(1.0, seconds=0.15), Goal(0.0, 0.0, 0.8, degrees=9, arms="up")
    run = Goal(2.0, seconds=0.3)
    file = tmp_path / "proposals.jsonl"
    write_programs(file, [GoalProgram((walk, turn)), GoalProgram((run,))])
    collect(policy, tmp_path / "out", proposals=file, num_steps=240)
    schema.validate(tmp_path / "out")
    assert "a planner proposed" in (tmp_path / "out" / "README.md").read_text()
    columns = columns_of(tmp_path / "out")
    goals = [tuple(command) for command in columns["goal.command"].astype(float).round(1).tolist()]
    starts = columns["frame_index"] == 0
    assert {goals[row] for row in np.flatnonzero(starts)} <= {walk.command, run.command}
    assert set(goals) == {each.command for each in (walk, turn, run)}
    for row in np.flatnonzero(~starts):
        before, now = goals[row - 1], goals[row]
        assert now in {walk.command: (walk.command, turn.command)}.get(before, (before, walk.command, run.command))
    turns = [goal == turn.command for goal in goals]
    spans = np.diff(np.flatnonzero(np.diff([False, *turns, False])))[::2]
    assert spans.max() == 13, "9 degrees at 0.8 rad/s are 13 steps"


def test_a_proposal_to_go_to_a_place_is_refused(policy, tmp_path):
    write_programs(tmp_path / "proposals.jsonl", [GoalProgram((Goal.to(2.0),))])
    with pytest.raises(ValueError, match="needs odometry, an actor follows velocities"):
        collect(policy, tmp_path / "out", proposals=tmp_path / "proposals.jsonl")


def test_a_run_goes_on_with_its_own_proposals_alone(policy, tmp_path):
    file = tmp_path / "proposals.jsonl"
    write_programs(file, [GoalProgram((Goal(1.0, seconds=1.0),))])
    collect(policy, tmp_path / "out", proposals=file, num_steps=240)
    file = file.rename(tmp_path / "moved.jsonl")
    collect(policy, tmp_path / "out", proposals=file, resume=True, num_steps=240)
    write_programs(file, [GoalProgram((Goal(-0.4, seconds=1.0),))])
    with pytest.raises(ValueError, match="or for other proposals"):
        collect(policy, tmp_path / "out", proposals=file, resume=True)


def relabel(source, folder) -> None:
    collect_dataset.main(parse_arguments(Arguments, ["--relabel", str(source), "--output_dir", str(folder)]))


def test_in_hindsight_the_goals_are_those_that_were_achieved_and_the_motion_is_unchanged(dataset, tmp_path):
    relabel(dataset, tmp_path)
    schema.validate(tmp_path)
    before, after = columns_of(dataset), columns_of(tmp_path)
    for name in before.keys() - {"goal.command", "next.reward", "task_index"}:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    changed = (after["goal.command"] != before["goal.command"]).any(1)
    assert changed.mean() > 0.5, "an untrained policy follows its goals"
    assert after["next.reward"].mean() > before["next.reward"].mean() + 1
    episodes = parquet.read_table(next(tmp_path.glob("meta/episodes/*/*.parquet"))).to_pylist()
    for episode in episodes:
        first = Goal.from_command(after["goal.command"][episode["dataset_from_index"]])
        assert episode["instruction"].startswith(first.skill.replace("_", " "))
    assert json.loads((tmp_path / "summary.json").read_text())["stage"] == "dataset"
    assert f"The steps of `{dataset.name}` with goals in hindsight" in (tmp_path / "README.md").read_text()
    with pytest.raises(ValueError, match="3 shards already: give another --output_dir"):
        relabel(dataset, tmp_path)


def test_a_run_that_died_goes_on_and_writes_what_it_would_have_written(dataset, policy, tmp_path):
    collect(policy, tmp_path, num_steps=240)
    (tmp_path / "data" / "chunk-000" / ".file-001.parquet.new").write_bytes(b"half a file")
    (tmp_path / schema.TASKS_PATH).unlink()
    collect(policy, tmp_path, resume=True)
    whole, resumed = columns_of(dataset), columns_of(tmp_path)
    for name, values in whole.items():
        np.testing.assert_array_equal(resumed[name], values, err_msg=name)
    assert schema.read_tasks(tmp_path) == schema.read_tasks(dataset)


def test_a_run_that_died_after_its_last_shard_is_finished(dataset, policy, tmp_path):
    shutil.copytree(dataset, tmp_path, dirs_exist_ok=True)
    for name in ("meta/info.json", "meta/stats.json", "manifest.json", "summary.json", "README.md"):
        (tmp_path / name).unlink()
    collect(policy, tmp_path, resume=True)
    schema.validate(tmp_path)
    assert schema.read_info(tmp_path) == schema.read_info(dataset)


def test_of_a_round_that_was_interrupted_any_shard_may_lack(dataset, policy, tmp_path):
    shutil.copytree(dataset, tmp_path, dirs_exist_ok=True)
    first, second, third = schema.shard_paths(tmp_path)
    third.rename(third.with_name("file-003.parquet"))  # the second of two processes was faster
    words = [word for name, value in (TINY | {"resume": True}).items() for word in (f"--{name}", str(value))]
    arguments = parse_arguments(Arguments, ["--policy", str(policy), "--output_dir", str(tmp_path), *words])
    with pytest.raises(ValueError, match=r"file-002\.parquet is missing: put it back"):
        collect_dataset.begin(arguments, tmp_path, policy, 1)
    assert collect_dataset.begin(arguments, tmp_path, policy, 2)[0] == 1
    assert schema.shard_paths(tmp_path) == [first, second]


def test_a_run_goes_on_with_its_policy_wherever_that_is(policy, tmp_path):
    collect(policy, tmp_path / "out", num_steps=240)
    moved = shutil.copytree(policy, tmp_path / "moved")
    collect(moved, tmp_path / "out", num_steps=480, resume=True)
    assert len(schema.shard_paths(tmp_path / "out")) == 2


def test_a_folder_with_data_is_not_overwritten_or_mixed(dataset, policy, tmp_path):
    with pytest.raises(ValueError, match="3 shards already: give --resume"):
        collect(policy, dataset)
    with pytest.raises(ValueError, match="shard_steps was 60 and is 50"):
        collect(policy, dataset, resume=True, shard_steps=50)
    other = MotorPolicy(MotorPolicyConfig(widths=[16, 8]))
    other.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="collected with a policy other than"):
        collect(tmp_path, dataset, resume=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--policy is missing"),
        (["--policy", "x", "--noise_levels", "0", "loud"], "noise_levels.*: invalid float value: 'loud'"),
        (["--policy", "x", "--noise_levels", "0", "-1"], r"noise_levels=\[0.0, -1.0\] must be one or more numbers"),
        (["--policy", "x", "--noise_levels", "nan"], r"noise_levels=\[nan\] must be one or more numbers"),
        (["--policy", "x", "--num_steps", "0"], "num_steps=0 must be at least 1"),
        (["--relabel", "x", "--policy", "y"], "give it without --policy, --proposals and --resume"),
        (["--relabel", "x", "--proposals", "y"], "give it without --policy, --proposals and --resume"),
        (["--relabel", "no/such/folder"], "no/such/folder is neither a folder nor a Hub repo"),
        (["--policy", "x", "--recovery_share", "2"], "recovery_share=2.0 must be from 0 to 1"),
        (["--policy", "x", "--correction_share", "-1"], "correction_share=-1.0 must be from 0 to 1"),
    ],
)
def test_wrong_input_is_refused_in_one_line(flags, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        collect_dataset.main(parse_arguments(Arguments, ["--output_dir", str(tmp_path / "out"), *flags]))


def test_a_goal_blind_policy_is_refused(tmp_path):
    MotorPolicy(MotorPolicyConfig(widths=[16, 8], goal_conditioned=False)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is goal-blind: give the folder or Hub repo of a goal-conditioned policy"):
        collect(tmp_path, tmp_path / "out")


def test_proposals_that_are_not_there_are_refused(policy, tmp_path):
    with pytest.raises(ValueError, match="cannot read proposals=no/such"):
        collect(policy, tmp_path / "out", proposals="no/such")
