"""evaluate.py as a user calls it, with the agent that ships."""

import json

import gymnasium
import numpy as np
import pytest
import torch
from conftest import SHIPPED

import evaluate
from agent.evaluation import journeys, sentences, suites
from agent.feedback.proposals import GOALS, read_programs
from agent.goals import Goal
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.simulation import video

BODY_STATE_ONLY = {f"include_{part}_in_observation": False for part in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")}


@pytest.mark.parametrize("actor", ["policy", "transformer"])
def test_the_commands_suite_has_a_row_per_command_and_a_mean(actor, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(suites, "EPISODE_SECONDS", 1.5)
    out = tmp_path / "out.json"
    evaluate.main(
        evaluate.Arguments(
            str(SHIPPED), actor=actor, random_commands=2, episodes=1, seed=3, num_threads=1, json=str(out)
        )
    )
    assert not capsys.readouterr().out
    result = json.loads(out.read_text())
    for row in result["rows"]:
        assert set(row) == {
            *("command", "skill", "episodes", "survival"),
            *("velocity_error", "yaw_error", "action_change", "native_return"),
        }
        assert 0 <= row["survival"] <= 1
    assert len(result["rows"]) == 2
    assert result["episodes"] == 2


@pytest.mark.slow
def test_any_number_of_agents_are_compared_in_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(suites, "EPISODE_SECONDS", 1.2)
    monkeypatch.setattr(video, "SCENES", [(Goal(1.0), 0.3)])
    page, policy = tmp_path / "report.html", str(SHIPPED / "policy" / "humanoid")
    evaluate.main(evaluate.Arguments(str(SHIPPED), actor="policy", episodes=1, against=[policy] * 2, report=str(page)))
    results = json.loads(capsys.readouterr().out)
    assert [result["agent"] for result in results] == [str(SHIPPED), policy, policy]
    assert results[0]["rows"] == results[1]["rows"]
    assert page.read_text().count("data:video/mp4") == 3


def test_the_native_suite_gives_the_rewards_of_humanoid_v5(tmp_path, capsys):
    torch.manual_seed(0)
    policy = MotorPolicy(MotorPolicyConfig(widths=(16, 8), goal_conditioned=False, frame="world"))
    policy.save_pretrained(tmp_path)
    evaluate.main(evaluate.Arguments(str(tmp_path), actor="policy", suite="native", episodes=2, seed=5))
    result = json.loads(capsys.readouterr().out)
    for row, seed in zip(result["rows"], (5, 6), strict=True):
        env = gymnasium.make("Humanoid-v5", **BODY_STATE_ONLY)
        observation, _ = env.reset(seed=seed)
        fallen, steps, total, ahead = False, 0, 0.0, 0.0
        while not fallen:
            observation, reward, fallen, _, info = env.step(policy.act(observation.astype(np.float32)))
            total, ahead, steps = total + reward, ahead + info["x_velocity"], steps + 1
        assert row["native_return"] == pytest.approx(total, rel=1e-6)
        assert row["survival"] == pytest.approx((steps - 1) / 1000)
        assert row["forward_speed"] == pytest.approx(ahead / steps, rel=1e-5)
    assert result["mean"]["native_return"] == pytest.approx(np.mean([row["native_return"] for row in result["rows"]]))


def test_instructions_are_parsed_and_done(tmp_path, capsys):
    file = tmp_path / "instructions.jsonl"
    program = "<vx=+1.0> <vy=+0.0> <wz=+0.0> <height=normal> <arms=rest> <seconds> <1> <end>"
    refusal = "<refuse> <body> <end>"
    rows = [
        {"text": "walk forward for one second", "program": program},
        {"text": "fly to the moon", "program": refusal},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluate.main(evaluate.Arguments(str(SHIPPED), suite="instructions", instructions_file=str(file)))
    result = json.loads(capsys.readouterr().out)
    assert result["instructions"] == 2
    assert result["exact"] == 1.0
    assert result["refusals_right"] == 1.0
    assert result["physical_instructions"] == 1
    assert sum(result["misses"].values()) == round(1 - result["physical_success"])


@pytest.mark.slow
def test_feedback_is_compared_with_the_same_runs_without_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sentences, "LONGEST_TRIAL", 4.0)
    out = tmp_path / "out.json"
    evaluate.main(evaluate.Arguments(str(SHIPPED), suite="feedback", episodes=4, num_threads=1, json=str(out)))
    result = json.loads(out.read_text())
    assert len(result["rows"]) == result["right_with"]["of"] == result["verdict"]["of"] == 4
    assert [row["disturbance"] for row in result["rows"]] == ["none", "shove", "none", "swap"]
    assert result["right_without"]["share"] == sum(row["without"] for row in result["rows"]) / 4
    assert result["rule/right_with"]["of"] == 4 and result["rule/repaired_by_two"]["of"] >= 1


@pytest.mark.slow
def test_every_goal_is_measured_from_standing_and_after_a_switch_and_the_planner_proposes(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "BEFORE_SECONDS", 0.3)
    monkeypatch.setattr(suites, "GOAL_SECONDS", 0.3)
    monkeypatch.setattr(evaluate, "PROPOSED", 2)
    out, file = tmp_path / "out.json", tmp_path / "proposals.jsonl"
    evaluate.main(
        evaluate.Arguments(str(SHIPPED), suite="goals", episodes=2, num_threads=1, json=str(out), proposals=str(file))
    )
    result = json.loads(out.read_text())
    assert [tuple(row["command"]) for row in result["rows"]] == [goal.velocity for goal in GOALS]
    stand, *_, run = result["rows"][0], result["rows"][6]
    assert (stand["met_from_standing"], stand["survival"]) == (1.0, 1.0)
    assert run["met_from_standing"] == 0.0, "3 m/s in 0.3 s"
    for row in result["rows"]:
        assert row["met"] == (row["met_from_standing"] + row["met_after_a_switch"]) / 2
    assert len(read_programs(file)) == 2


def test_a_share_comes_with_an_interval_that_shrinks_with_its_number():
    few, many = sentences.share([True, False] * 10), sentences.share([True, False] * 1000)
    assert few["share"] == many["share"] == 0.5
    assert few["low"] < many["low"] < 0.5 < many["high"] < few["high"]
    assert sentences.share([]) == {"share": None, "low": None, "high": None, "of": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--body", "centaur"), "body='centaur' is unknown: choose one of humanoid"),
        (("--suite", "dance"), "suite='dance' is unknown"),
        (("--actor", "teacher"), "actor='teacher' is unknown"),
        (("--episodes", "0"), "episodes=0"),
        (("--report", "report.pdf"), "report.pdf"),
        (("--suite", "instructions"), "--instructions_file"),
        (("--suite", "feedback", "--actor", "policy"), "--actor agent"),
        (("--minutes", "3"), "minutes=3 is for suite switches: leave it out"),
        (("--suite", "gait", "--random_commands", "9"), "random_commands=9 is for suite commands, shoves"),
        (("--proposals", "p.jsonl"), "give --suite goals"),
        (("--suite", "goals", "--actor", "policy", "--proposals", "p.jsonl"), "give --suite goals"),
        (("--actor", "policy", "--agent", "tests"), "tests/config.json is missing"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(arguments, message, refusal):
    assert message in refusal("evaluate", *arguments)


def test_a_line_that_is_no_instruction_is_named(tmp_path, refusal):
    file = tmp_path / "instructions.jsonl"
    file.write_text('{"text": "walk", "program": "<walk> <end>"}\n')
    flags = ("--agent", SHIPPED, "--suite", "instructions", "--instructions_file", file)
    assert f"{file}, line 1: " in refusal("evaluate", *flags)


@pytest.mark.parametrize("suite", ["places", "postures", "adapt"])
def test_an_untrained_policy_is_measured_by_the_suites_of_goals_and_postures(suite, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(journeys, "PLACES", 1)
    monkeypatch.setattr(journeys, "ADAPT_SECONDS", 1.0)
    MotorPolicy(MotorPolicyConfig(widths=(16, 8))).save_pretrained(tmp_path)
    evaluate.main(evaluate.Arguments(str(tmp_path), actor="policy", suite=suite, episodes=1, num_threads=1))
    result = json.loads(capsys.readouterr().out)
    assert result["suite"] == suite and result["actor"] == "policy"
    rows = {"places": 8, "postures": 50, "adapt": 0}[suite]
    assert len(result.get("rows", [])) == rows
