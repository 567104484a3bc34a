"""play.py as a user calls it, with the agent that ships."""

import json
import os
import shutil
import subprocess
import sys
from queue import SimpleQueue
from types import SimpleNamespace

import av
import numpy as np
import pytest
from conftest import ROOT, SHIPPED
from PIL import Image
from samples import small_agent

import play
from agent.goals import Goal, GoalProgram
from agent.language.planner import MAX_PROMPT_TOKENS
from agent.motor_agent import MotorAgent
from agent.simulation import video
from agent.simulation.env import goal_env
from agent.simulation.heading import heading_velocity, yaw


def test_parse_only_prints_one_program_as_json_per_line_of_a_file_and_nothing_else(tmp_path, capsys):
    file = tmp_path / "instructions.txt"
    file.write_text("turn left 90 degrees\nwalk forward for 2 seconds, then turn left\n\njump over the moon\n")
    play.main(play.Arguments(str(SHIPPED), parse_only=True, instructions_file=str(file)))
    programs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    turn = GoalProgram((Goal.from_skill("turn_left", degrees=90),))
    assert programs[0] == {"text": "turn left 90 degrees", **turn.to_dict()}
    assert [len(program["goals"]) for program in programs] == [1, 2, 0, 0]
    assert [program["refused"] for program in programs] == [False, False, True, True]
    assert all(program["reason"] for program in programs[2:])


def test_a_walk_with_a_shove_and_feedback_becomes_a_video_that_plays_everywhere_and_a_strip(tmp_path, capsys):
    clip, strip = tmp_path / "replay.mp4", tmp_path / "strip.png"
    flags = {"instruction": "walk forward for 1 second", "video": str(clip), "strip": str(strip)}
    flags |= {"feedback": True, "max_corrections": 1, "shove_at": 0.5, "shove_speed": 0.7}
    play.main(play.Arguments(str(SHIPPED), **flags))
    assert "walk forward 1 second: " in capsys.readouterr().out
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in container.decode(stream)) >= 33
    with Image.open(strip) as picture:
        assert picture.size == (video.STRIP_FRAMES * video.STRIP_SIZE, video.STRIP_SIZE + video.CAPTION_HEIGHT)


@pytest.fixture(scope="module")
def agent():
    return MotorAgent.from_pretrained(SHIPPED)


@pytest.fixture
def live(agent):
    """What the viewer shows, before its first step: the body's state, its steps, and how to instruct it."""
    agent.reset()
    env, programs = agent.make_env(), SimpleQueue()
    observation, _ = env.reset(seed=0)
    return SimpleNamespace(
        data=goal_env(env).data,
        step_seconds=agent.body.control_seconds,
        steps=play.live(agent, env, observation, programs),
        instruct=lambda text: play.listen(agent, [text], programs),
    )


def move_on(live: SimpleNamespace, seconds: float) -> np.ndarray:
    """Forward, sideways and yaw velocity, `seconds` later."""
    for _ in range(round(seconds / live.step_seconds)):
        next(live.steps)
    return heading_velocity(live.data.qpos, live.data.qvel)


def test_a_live_body_goes_on_from_where_it_is_with_a_new_instruction(live, capsys):
    live.instruct("walk forward")
    assert move_on(live, 3)[0] > 0.5
    place = live.data.qpos[:2].copy()
    live.instruct("jump over the moon")
    assert move_on(live, 0.6)[0] > 0.5, "what ran goes on"
    live.instruct("turn left 90 degrees")
    move_on(live, 4)
    assert np.linalg.norm(live.data.qpos[:2] - place) < 2
    refusal, end = capsys.readouterr().err.splitlines()
    assert "cannot do that" in refusal and end.startswith("It stands: all 1 goals met")


def test_after_a_fall_a_live_body_lies_for_a_moment_and_stands_up_waiting(live, capsys):
    live.instruct("walk forward")
    move_on(live, 0.6)
    live.data.qpos[2] -= 0.5
    move_on(live, 0.6)
    assert capsys.readouterr().err == "It fell. It will stand up and wait.\n"
    move_on(live, play.LYING_SECONDS)
    assert "stands again" in capsys.readouterr().err and live.data.qpos[2] > 1.2
    live.instruct("turn left")
    before = yaw(live.data.qpos)
    move_on(live, 2)
    assert yaw(live.data.qpos) - before > 0.5


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("Xvfb") is None and "CI" not in os.environ, reason="no display to test with: apt-get install xvfb"
)
def test_the_viewer_takes_instructions_from_the_terminal():
    display = ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24"]
    with subprocess.Popen(display, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as screen:
        assert screen.stdout
        environment = os.environ | {"DISPLAY": f":{screen.stdout.readline().strip()}"}
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [sys.executable, "play.py", "--agent", str(SHIPPED), "--viewer"]
        with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as viewer:
            viewer.stdin.write("turn left for 1 second\njump over the moon\n")
            viewer.stdin.flush()
            said = next(line for line in viewer.stderr if line.startswith("Refused"))
            assert "cannot do that" in said
            assert any(line.startswith("It stands: ") for line in viewer.stderr)
            viewer.kill()
        screen.terminate()


def test_without_a_display_the_viewer_says_what_to_do_instead(monkeypatch, refusal):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert "--video out.mp4" in refusal("play", "--viewer")


def test_an_instruction_that_is_refused_moves_nothing(tmp_path, refusal):
    small_agent().save_pretrained(tmp_path / "agent")
    beyond = "walk " * MAX_PROMPT_TOKENS
    line = refusal("play", "--agent", tmp_path / "agent", "--instruction", beyond, "--video", tmp_path / "out.mp4")
    assert "was refused: " in line and not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--instruction", "  "), "not empty"),
        (("--instruction", "walk", "--body", "centaur"), "body='centaur' is unknown: choose one of humanoid"),
        (("--viewer", "--video", "out.mp4"), "--viewer"),
        (("--parse_only", "--instruction", "walk", "--video", "out.mp4"), "--parse_only moves nothing"),
        (("--instruction", "walk", "--video", "out.avi"), "out.avi"),
        (("--instructions_file", "some.txt"), "--parse_only"),
        (("--parse_only", "--instruction", "walk", "--instructions_file", "some.txt"), "are both given"),
        (("--parse_only", "--instructions_file", "no_such.txt"), "no_such.txt"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(arguments, message, refusal):
    assert message in refusal("play", *arguments)
