"""The page as app.py serves it: what the server adds to the static page of test_web.py, in a headless Chromium."""

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec

import av
import hub_server
import numpy as np
import pytest
import yaml
from conftest import ROOT, SHIPPED, contents
from playwright.sync_api import expect
from samples import small_planner
from test_web import (  # noqa: F401  a fixture, too
    PATIENCE,
    browser,
    check_that_it_is_labelled_and_fits,
    needs_browser,
    needs_page,
    write,
)

import app
from agent import GoalDecisionTransformer, MotorAgent, MotorPolicy
from agent.bodies.humanoid import HUMANOID

EXPORTED = 600_000  # ms; on a busy machine
can_export = pytest.mark.skipif(find_spec("onnx") is None, reason="onnx is not installed: make web")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder to start app.py in: the agent that ships, and one that reads badly and moves as well."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pretrained").symlink_to(ROOT / "pretrained")
    transformer = GoalDecisionTransformer.from_pretrained(SHIPPED / "decision_transformer")
    policies = [MotorPolicy.from_pretrained(SHIPPED / "policy" / body) for body in transformer.config.bodies]
    MotorAgent(policies, transformer, small_planner()).save_pretrained(folder / "runs" / "other")
    return folder


@contextmanager
def serving(folder, *flags: str, **environment: str):
    """The address of app.py, run in `folder` as a user does."""
    command = [sys.executable, str(ROOT / "app.py"), *flags]
    pipes = {"stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=os.environ | environment, **pipes) as process:
        try:
            yield re.fullmatch("The page is at (http://.*)\n", process.stdout.readline())[1]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def hub(folder):
    with hub_server.serving() as hub:
        hub.add("me/robot", contents(folder / "runs" / "other"))
        yield hub


@pytest.fixture(scope="module")
def address(folder, hub):
    with serving(folder, **hub.environment(folder / "home")) as address:
        yield address


@pytest.fixture
def page(browser, address):  # noqa: F811
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.locator("#shove:enabled").wait_for()
    yield page
    page.close()


def post(address: str, content: bytes, **headers: str) -> tuple[int, str]:
    """Status and text of the answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, content, named)) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_port_that_is_taken_is_refused_in_one_line(refusal, monkeypatch, tmp_path):
    (tmp_path / "agents.json").touch()
    monkeypatch.setattr(app, "BUILT", tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port={port} cannot be used (Address already in use)" in refusal("app", "--port", str(port))


def test_a_page_that_is_not_built_is_refused_with_what_builds_it(refusal, monkeypatch, tmp_path):
    monkeypatch.setattr(app, "BUILT", tmp_path)
    assert "run make web" in refusal("app")


@needs_page
def test_it_sends_the_headers_that_the_card_of_the_space_asks_for(address):
    asked = yaml.safe_load((ROOT / "web" / "card.md").read_text().split("---")[1])["custom_headers"]
    with urllib.request.urlopen(address) as answer:
        assert asked.items() <= dict(answer.headers).items()


@needs_page
@pytest.mark.parametrize("name", ["../elsewhere", "/tmp", "no/such_agent", "configs"])
def test_a_name_of_no_agent_is_refused_with_the_name(address, name):
    status, line = post(f"{address}/agents", name.encode())
    assert status == 400 and name in line and "\n" not in line


@needs_page
def test_what_is_no_clip_is_refused_in_one_line(address):
    pose = np.zeros(24, dtype="<f4")
    for body, content, words in (
        ("centaur", pose.tobytes(), "body='centaur' is unknown"),
        ("humanoid", b"", "did not move"),
        ("humanoid", pose.tobytes()[:-1], "96 for each pose"),
        ("humanoid", (pose * np.nan).tobytes(), "not finite"),
        ("humanoid", bytes(10**6), "send less"),
    ):
        status, line = post(f"{address}/clips/{body}", content)
        assert status == 400 and words in line and "\n" not in line, (body, line)


@needs_page
def test_other_sites_and_other_names_of_this_machine_are_refused(address):
    assert post(f"{address}/agents", b"pretrained/agent", Sec_Fetch_Site="cross-site")[0] == 400
    assert post(f"{address}/agents", b"pretrained/agent", Host="evil.example")[0] == 400
    assert post(f"{address}/agents", b"pretrained/agent") == (200, "pretrained_agent/humanoid")


@pytest.mark.slow
@needs_page
@needs_browser
@can_export
def test_another_agent_is_loaded_and_moves_and_one_that_is_none_says_why(page):
    robots = page.get_by_role("combobox", name="Robot").locator("option")
    assert robots.all_inner_texts() == ["humanoid", "g1"]
    page.get_by_label("Another agent").fill("no/such_agent")
    page.get_by_role("button", name="Load it").click()
    expect(page.locator("#answer.refused")).to_contain_text("no/such_agent is neither a folder nor a Hub repo")
    page.get_by_label("Another agent").fill("me/robot")
    page.get_by_role("button", name="Load it").click()
    page.wait_for_url("**/?agent=me_robot/humanoid", timeout=EXPORTED)
    chosen = page.get_by_role("combobox", name="Robot").locator("option:checked")
    expect(chosen).to_have_text("humanoid of me/robot")
    page.locator("#shove:enabled").wait_for()
    write(page, "walk forward")
    page.wait_for_function("document.querySelector('tbody .measured').textContent > 0.3")
    page.get_by_role("button", name="Load the language model (0 MB)").click()  # that of the same agent
    expect(page.locator("#notice")).to_have_text("The language model is loaded.")

    page.get_by_role("combobox", name="Robot").select_option("humanoid of pretrained/agent")
    page.wait_for_url("**/?agent=pretrained_agent/humanoid")


@pytest.mark.slow
@needs_page
@needs_browser
def test_the_clip_is_a_playable_h264_file(page, tmp_path):
    write(page, "walk forward")
    page.wait_for_function("document.querySelector('#picture').dataset.seconds > 2")
    page.get_by_role("button", name="Make a clip").click()
    page.get_by_role("link", name="Save the clip").wait_for(timeout=EXPORTED)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save the clip").click()
    download.value.save_as(tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == pytest.approx(1 / (2 * HUMANOID.control_seconds), rel=0.01)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) > 60 and (frames[0] != frames[-1]).any()


@needs_page
@needs_browser
def test_what_the_server_adds_is_labelled_and_fits(page):
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.get_by_role("button", name="Make a clip of the last 10 seconds")).to_be_visible()
        check_that_it_is_labelled_and_fits(page, width)


@needs_page
@needs_browser
def test_an_address_with_an_agent_that_is_not_there_says_so(browser, address):  # noqa: F811
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/?agent=me_gone/humanoid")
    expect(page.locator("#notice.refused")).to_contain_text("there is no agent me_gone/humanoid")
    assert not page.locator("main button:enabled").count()
    page.close()


@pytest.mark.slow
@needs_page
@can_export
def test_an_agent_that_the_page_does_not_hold_is_exported_at_the_start_and_leaves_nothing(folder, tmp_path):
    with serving(folder, "--agent", "runs/other", TMPDIR=str(tmp_path)) as address:
        with urllib.request.urlopen(f"{address}/agents.json") as answer:
            listed = yaml.safe_load(answer.read())
        assert listed["server"] is True
        found = [(each["agent"], each["body"]) for each in listed["agents"]]
        assert found == [(agent, body) for agent in ("runs/other", "pretrained/agent") for body in ("humanoid", "g1")]
        with urllib.request.urlopen(f"{address}/agents/runs_other/planner.onnx") as answer:
            assert answer.status == 200
    assert not list(tmp_path.iterdir())
