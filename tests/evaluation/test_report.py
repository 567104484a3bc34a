"""The page that compares agents."""

import base64
import re
from xml.etree import ElementTree

import av
import numpy as np
from conftest import SHIPPED

from agent.evaluation import report
from agent.evaluation.sentences import share
from agent.models.motor_policy import MotorPolicy
from agent.simulation import video

ROWS = [{"command": [1.0, 0.0, 0.0], "skill": "walk_forward", "episodes": 5, "survival": 1.0, "yaw_error": 0.0625}]
RESULT = {"agent": "runs/a<b", "actor": "policy", "body": "humanoid", "suite": "commands", "seed": 0, "rows": ROWS}
MEAN = {"episodes": 5, "survival": 1.0, "yaw_error": 0.0625}


def test_a_page_holds_every_number_and_needs_no_other_file(tmp_path):
    unmeasured = {**RESULT, "agent": "runs/c", "rows": [{**ROWS[0], "yaw_error": None}], "mean": MEAN}
    report.write_report(tmp_path / "report.html", [RESULT | {"mean": MEAN}, unmeasured], [b"one", b"two"])
    page = (tmp_path / "report.html").read_text()
    assert "runs/a&lt;b (policy)" in page and "a<b" not in page
    assert "walk forward (1, 0, 0)" in page
    assert '<th scope="row">walk forward (1, 0, 0)</th><td>0.062</td><td>-</td>' in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)
    assert [base64.b64decode(clip) for clip in re.findall(r"data:video/mp4;base64,([^\"]*)", page)] == [b"one", b"two"]


def test_a_page_holds_shares_with_their_intervals_and_the_numbers_of_groups(tmp_path):
    shares = {"verdict": share([True] * 3 + [False]), "cause": share([])}
    rows = [{"text": "walk", "without": True}]
    result = {
        "agent": "a",
        "actor": "agent",
        "body": "humanoid",
        "suite": "feedback",
        "seed": 0,
        "misses": {"fall": 2},
        "rows": rows,
    }
    report.write_report(tmp_path / "report.html", [result | shares], [b""])
    page = (tmp_path / "report.html").read_text()
    assert '<th scope="row">verdict</th><td>0.750 (0.301 to 0.954, of 4)</td>' in page
    assert '<th scope="row">cause</th><td>-</td>' in page
    assert '<th scope="row">misses/fall</th><td>2</td>' in page


def test_rows_of_one_agent_only_and_rows_with_the_same_label_are_kept(tmp_path):
    more = {**RESULT, "agent": "b", "rows": [{"text": "walk", "met": 0.25}, {"text": "walk", "met": 0.75}]}
    report.write_report(tmp_path / "report.html", [RESULT, more], [b"", b""])
    page = (tmp_path / "report.html").read_text()
    assert '<th scope="row">walk</th><td>-</td><td>0.250</td>' in page
    assert '<th scope="row">walk, 2</th><td>-</td><td>0.750</td>' in page


def test_a_clip_shows_an_actor_going_through_the_scenes(tmp_path, monkeypatch):
    monkeypatch.setattr(video, "SCENES", [(goal, 0.15) for goal, _ in video.SCENES])
    (tmp_path / "clip.mp4").write_bytes(report.film(MotorPolicy.from_pretrained(SHIPPED / "policy" / "humanoid"), 0))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 25 and np.abs(frames[-1].astype(int) - frames[0]).max() > 20
