"""play.py as a user calls it, with the agent that ships."""

import json

import av
import pytest
from conftest import ROOT, run_script

SHIPPED = ROOT / "pretrained" / "humanoid"


def test_parse_only_prints_the_program_as_json_and_nothing_else():
    done = run_script("play.py", "--agent", SHIPPED, "--parse_only", "--instruction", "turn left 90 degrees")
    assert done.returncode == 0, done.stderr
    goal = {
        "skill": "turn_left",
        "speed": "normal",
        "velocity": [0.0, 0.0, 0.8],
        "seconds": None,
        "meters": None,
        "degrees": 90.0,
    }
    assert json.loads(done.stdout) == {
        "text": "turn left 90 degrees",
        "refused": False,
        "reason": "",
        "goals": [goal],
        "tokens": "<vx=+0.0> <vy=+0.0> <wz=+0.8> <degrees> <9> <0> <end>",
    }
    assert done.stdout.count("\n") == 1


def test_a_file_of_instructions_gives_one_line_each_and_refuses_what_cannot_be_done(tmp_path):
    file = tmp_path / "instructions.txt"
    file.write_text("walk forward for 2 seconds, then turn left\n\njump over the moon\n")
    done = run_script("play.py", "--agent", SHIPPED, "--parse_only", "--instructions_file", file)
    programs = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(program["goals"]) for program in programs] == [2, 0, 0]
    assert [program["refused"] for program in programs] == [False, True, True]
    assert all(program["reason"] for program in programs[1:])


def test_an_instruction_becomes_a_video_that_plays_everywhere(tmp_path):
    video = tmp_path / "replay.mp4"
    done = run_script("play.py", "--agent", SHIPPED, "--instruction", "walk forward for 1 second", "--video", video)
    assert done.returncode == 0, done.stderr
    assert "walk_forward" in done.stdout
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for _ in container.decode(stream)) == pytest.approx(34, abs=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--instruction", "jump over the moon"), "was refused"),
        (("--instruction", "  "), "not empty"),
        (("--instruction", "walk", "--video", "out.avi"), "out.avi"),
        (("--instruction", "walk", "--agent", "no/such_agent"), "no/such_agent"),
        (("--instructions_file", "some.txt"), "--parse_only"),
        (("--parse_only", "--instructions_file", "no_such.txt"), "no_such.txt"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(arguments, message, refusal):
    assert message in refusal("play", *arguments)
