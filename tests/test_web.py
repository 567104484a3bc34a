"""The page gives what the Python code gives, and a visitor gets along with it.

What Python does is recorded here; the tests in web/tests read the records and compare, in node. The page is visited in
a headless Chromium that draws without a graphics card.
"""

import functools
import http.server
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import hub_server
import mujoco
import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT, SHIPPED
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from agent.bodies.g1 import G1
from agent.bodies.humanoid import HUMANOID
from agent.feedback.pursuit import Pursuit
from agent.feedback.trials import random_posture, random_program
from agent.goals import ARMS, GRID, HEIGHTS, SKILLS, Goal, GoalProgram, VelocityGoal
from agent.language.base_model import load_tokenizer, packaged_model
from agent.language.planner import SURE, Planner
from agent.language.program import parse
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig
from agent.simulation.env import goal_env, make_env

WEB = ROOT / "web"
EXPORTED, BUILT = WEB / "generated", WEB / "dist"
# The page is built with the node of the virtual environment: requirements-web.txt.
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZE: ViewportSize = {"width": 1280, "height": 900}
PATIENCE = 120_000  # ms; what is measured is simulated time
expect.set_options(timeout=PATIENCE)
AGENT = EXPORTED / "agents" / "pretrained_agent" / "humanoid"
STEPS = 600  # of a track
PROGRAMS = (
    "walk forward slow six feet, low; turn left a quarter turn; go to 3 m ahead 2 m left, arms up",
    "stand 1/2 minute; run forward twenty two and a half yards at 3 km/h; sidestep right at 0.4 m/s right, wave left",
    "curve left 90° at 1 m/s forward and thirty degrees per second; go home fast; face start; "
    + "stand; " * 4
    + "stand",
    "refuse: unclear",
)
MOTIONS = (Goal(), Goal(1.0), Goal(0.6, 0, 0.4), Goal(arms="wave_right"))

needs_page = pytest.mark.skipif(
    not (NODE and AGENT.is_dir() and (BUILT / "agents.json").is_file()), reason="the page is not built: make web"
)
pytestmark = needs_page
needs_planner = pytest.mark.skipif(
    not list(BUILT.glob("agents/*/planner.onnx")), reason="the page has no language model: make web"
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no Chromium to look at the page with: apt-get install chromium",
)


def spoken_programs(rng: np.random.Generator) -> list[str]:
    """Readable programs of all kinds of goal, and some that are beyond the robot or make no sense."""
    amounts = [
        *("2 meters", "half a metre", "six feet", "5 feet 6 inches", "1,5 m", "three quarters of a minute"),
        *("90 degrees", "a quarter turn", "one and a half turns", "two hundred ten degrees"),
        *("a couple of steps", "4 s", "1/2 minute", "point five metres", "two point five seconds", "1,000 cm"),
        *("a mile", "0.01 m", "1 minute and 30 seconds", "half of 12 seconds", "twice six feet"),
    ]
    speeds = [
        *("3 km/h", "0.8 m/s", "thirty degrees per second"),
        *("1 m/s forward and 0.6 rad/s left", "9 m/s", "0.4 rad/s"),
    ]
    postures = ["", ", low", ", arms up", ", wave left", ", low, arms out"]
    motions = [skill.replace("_", " ") for skill in SKILLS]
    texts = [
        *("refuse: unclear", "refuse: limit", "dance", "", "go home fast, wave right", "go home 3 m ahead"),
        *("walk forward 2 m left", "go to", "face start, low", "stand at 1 m/s", "walk forward at 0.05 m/s"),
        *("walk forward a thousand miles", "curve left fast at 20 degrees per second, low"),
        *("turn left a three-quarter turn", "refuse: constructor", "5 times (walk forward 1 m; turn left)"),
        *("2 times (walk forward 1 m; turn left 9°); stand", "3 times (turn left) with stand 2 s, low between"),
    ]
    for _ in range(400):
        goals = []
        for _ in range(rng.integers(1, 4)):
            posture = rng.choice(postures)
            if rng.random() < 0.2:
                ways = rng.choice(["ahead", "behind"]), rng.choice(["left", "right"])
                goals.append(f"go to {rng.uniform(0, 25):.1f} m {ways[0]} 2 feet {ways[1]}{posture}")
                continue
            pace = rng.choice(["", " slow", " fast"])
            amount = f" {rng.choice(amounts)}" if rng.random() < 0.8 else ""
            speed = f" at {rng.choice(speeds)}" if rng.random() < 0.4 else ""
            goals.append(f"{rng.choice(motions)}{pace}{amount}{speed}{posture}")
        texts.append("; ".join(goals))
    return texts


def program_record(text: str) -> dict:
    program = parse(text, HUMANOID)
    return {"text": text, "tokens": program.tokens, "spoken": program.text, "reason": program.reason}


def random_goals(rng: np.random.Generator) -> list[Goal]:
    goals = [goal for _ in range(150) for goal in random_program(rng, HUMANOID, 2)]
    for _ in range(150):
        velocity = [float(rng.uniform(points[0], points[-1])) for points in GRID.values()]
        goals.append(VelocityGoal(*velocity, **random_posture(rng, HUMANOID), seconds=float(rng.uniform(0.1, 600))))
    possible = [goal for goal in goals if not parse(goal.on_grid().text, HUMANOID).refused]
    assert len(possible) > len(goals) / 2
    return possible


def goal_record(goal: Goal) -> dict:
    """A goal, and what it wants at a random place of its way."""
    near = goal.on_grid()
    return {
        "text": near.text,
        "tokens": GoalProgram((near,)).tokens,
        "command": near.command_ids if isinstance(near, VelocityGoal) else None,
    }


def record_track(rng: np.random.Generator, goals: tuple[Goal, ...]) -> tuple[dict, np.ndarray]:
    """A body that follows what it is told loosely, and what `Pursuit` tells it: observations [T, S]."""
    size, first = HUMANOID.observation_size, 5 + len(HUMANOID.joints)
    pursuit, velocity = Pursuit(goals, HUMANOID), np.zeros(3)
    observations, commands, reached = np.zeros((STEPS, size), dtype=np.float32), [], []
    for observation in observations:
        velocity += 0.05 * (np.array(pursuit.command.velocity) - velocity) + rng.normal(0, 0.02, 3)
        tilt = rng.normal(0, 0.03, 3)
        observation[0] = 1.25
        observation[1:5] = np.array([1, *tilt]) / math.hypot(1, *tilt)
        observation[first : first + 2], observation[first + 5] = velocity[:2], velocity[2]
        observation[first + 3 : first + 5] = rng.normal(0, 0.2, 2)
        pursuit.add(observation)
        goal = pursuit.command
        commands.append([*goal.velocity, HEIGHTS.index(goal.height), ARMS.index(goal.arms)])
        reached.append(len(pursuit.outcomes))
    return {"program": "; ".join(goal.text for goal in goals), "commands": commands, "reached": reached}, observations


def record_motion(transformer: GoalDecisionTransformer, goal: VelocityGoal) -> dict:
    """Half a second of a transformer in the simulator."""
    env = make_env(transformer.body.name)
    observation, _ = env.reset(seed=0)
    data = goal_env(env).data
    start = {"qpos": data.qpos.tolist(), "qvel": data.qvel.tolist()}
    transformer.reset()
    transformer.prompt(goal)
    observations, actions = [], []
    for _ in range(round(0.5 / transformer.body.control_seconds)):
        action = transformer.act(observation)
        observation, *_ = env.step(action)
        actions.append(action.tolist())
        observations.append(observation[: transformer.body.observation_size].tolist())
    return {"goal": goal.text, **start, "actions": actions, "observations": observations}


def sentences() -> list[str]:
    """Of people, and what is hard to split into words."""
    file = ROOT / "tests" / "instructions" / "instructions_physical.jsonl"
    said = [json.loads(line)["text"] for line in file.read_text().splitlines()]
    return [
        *said,
        "  Go 3.5m -- then STOP!!  ",
        "l'été à 20 °C, don't",
        "走 2 米 🏃",
        "a\n\n b\t",
        "<|im_end|> <goal>",
        "x" * 50,
    ]


def readings() -> list[dict]:
    """What the planner makes of those of the first development sentences that it is sure of, and of none."""
    lines = (ROOT / "agent" / "language" / "corpus" / "written" / "development.jsonl").read_text().splitlines()
    texts = ["", *(json.loads(line)["messages"][1]["content"] for line in lines[:24])]
    planner = Planner.from_pretrained(SHIPPED / "planner", HUMANOID.name)
    parses = zip(texts, planner.parse_with_confidence(texts), strict=True)
    return [{"text": text, "tokens": each.program.tokens} for text, each in parses if each.confidence >= SURE]


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """A folder with what Python does."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("records")
    tracks = [record_track(rng, random_program(rng, HUMANOID, 3)) for _ in range(20)]
    tokenizer = load_tokenizer(packaged_model(), "the base model")
    transformer = GoalDecisionTransformer.from_pretrained(SHIPPED / "decision_transformer", body=HUMANOID.name)
    found = {
        "programs": [program_record(text) for text in spoken_programs(rng)],
        "goals": [goal_record(goal) for goal in random_goals(rng)],
        "tracks": [track for track, _ in tracks],
        "motions": [record_motion(transformer, goal) for goal in MOTIONS],
        "sentences": [
            {"text": text, "ids": tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)}
            for text in sentences()
        ],
        "answers": [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False)} for text in PROGRAMS],
    }
    for name, value in found.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    np.concatenate([observations for _, observations in tracks]).tofile(folder / "tracks.bin")
    return folder


@pytest.fixture
def export(monkeypatch):
    """web/export.py"""
    monkeypatch.syspath_prepend(str(WEB))
    return pytest.importorskip("export", reason="onnx is not installed: make web", exc_type=ImportError)


def test_the_tables_of_the_page_are_those_of_this_code(export):
    exported = json.loads((EXPORTED / "tables.json").read_text()) | json.loads((AGENT / "agent.json").read_text())
    body = export.body_table(HUMANOID, HUMANOID.mjcf())
    for name, table in (export.code_tables() | {"body": body}).items():
        assert exported[name] == json.loads(json.dumps(table)), f"{name} of the page is stale: make web"


@pytest.mark.parametrize("body", [HUMANOID, G1], ids=lambda body: body.name)
def test_the_parts_that_are_drawn_lie_where_the_links_are(body, export):
    model = body.load_model() if body is HUMANOID else mujoco.MjModel.from_xml_string(body.mjcf())
    data = mujoco.MjData(model)
    data.qpos[:] = body.start_qpos(model)
    mujoco.mj_forward(model, data)
    parts = export.parts(model)
    geoms = [part["geom"] for part in parts]
    turn = data.geom_xmat[geoms].reshape(-1, 3, 3)
    center, end = (np.array([part[name] for part in parts]) for name in ("center", "end"))
    ends = [data.geom_xpos[geoms] + np.einsum("gij,gj->gi", turn, center + way * end) for way in (-1, 1)]
    radii = np.array([part["radius"] for part in parts])
    lowest = min((each[:, 2] - radii).min() for each in ends)
    assert -0.05 < lowest < 0.15 and max(each[:, 2].max() for each in ends) > data.qpos[2] + 0.1
    assert np.linalg.norm((ends[0] + ends[1]) / 2 - data.xpos[model.geom_bodyid[geoms]], axis=1).max() < 0.4
    sides = [part["side"] for part in parts]
    assert sides.count("left") == sides.count("right") > 5 and sides.count("middle") > 1
    if body is HUMANOID:  # its geoms are spheres and capsules
        np.testing.assert_allclose(radii, model.geom_size[geoms, 0], atol=1e-6)
        is_capsule = model.geom_type[geoms] == mujoco.mjtGeom.mjGEOM_CAPSULE
        lengths = np.linalg.norm(ends[1] - ends[0], axis=1)
        np.testing.assert_allclose(lengths, 2 * np.where(is_capsule, model.geom_size[geoms, 1], 0), atol=1e-5)


def run_in_node(name: str, records: Path, agent: Path = Path()) -> None:
    """Run tests of web/tests against records, for an exported agent."""
    environment = os.environ | {"RECORDS": str(records), "AGENT": str(agent)}
    command = [NODE, "--test", str(WEB / "tests" / f"{name}.test.ts")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "name",
    [
        "goals",
        "program",
        "pursuit",
        pytest.param("physics", marks=pytest.mark.slow),
        pytest.param("language_model", marks=[needs_planner, pytest.mark.slow]),
    ],
)
def test_typescript_gives_what_python_gives(name, records):
    if name == "language_model":
        (records / "readings.json").write_text(json.dumps(readings()))
    run_in_node(name, records, AGENT)


@pytest.mark.slow
def test_a_robot_with_position_targets_moves_as_in_python(export, tmp_path):
    torch.manual_seed(0)
    sizes = {"context_length": 6, "return_horizon": 0, "hidden_size": 16, "n_layer": 2, "n_head": 2}
    dims = {"state_dims": [G1.observation_size], "act_dims": [G1.action_size], "action_scales": [G1.action_scale]}
    transformer = GoalDecisionTransformer(GoalDecisionTransformerConfig(bodies=["g1"], **dims, **sizes)).eval()
    torch.nn.init.normal_(transformer.predict_action["g1"].weight, std=0.005)
    export.export_robot(transformer, export.robot_xml(G1), tmp_path / "g1", {"agent": "untrained", "planner_bytes": 0})
    (tmp_path / "motions.json").write_text(json.dumps([record_motion(transformer, Goal(0.6))]))
    run_in_node("physics", tmp_path, tmp_path / "g1")


@pytest.mark.slow
def test_a_static_space_is_made_by_the_commands_of_the_docs(tmp_path):
    typed = re.findall("^hf .*$", (ROOT / "docs" / "web.md").read_text(), re.MULTILINE)
    with hub_server.serving() as hub:
        environment = os.environ | hub.environment(tmp_path) | {"DO_NOT_TRACK": "1"}
        for command in typed:
            hf = [sys.executable, "-m", "huggingface_hub.cli.hf", *shlex.split(command)[1:]]
            done = subprocess.run(hf, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        files = hub.files("me/humanoid-page", "spaces")
    assert files["README.md"] == (WEB / "card.md").read_bytes()
    assert {path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*") if path.is_file()} <= set(files)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args): ...


@pytest.fixture(scope="module")
def address():
    handler = functools.partial(QuietHandler, directory=str(BUILT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared_page(browser, address):
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(PATIENCE)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.locator("#shove:enabled").wait_for()
    yield page
    page.close()
    assert not errors
    assert not [url for url in requests if not url.startswith((address, "data:", f"blob:{address}"))]


@pytest.fixture
def page(shared_page) -> Page:
    """A page whose robot stands."""
    shared_page.set_viewport_size(SIZE)
    write(shared_page, "stand")
    expect(in_force(shared_page)).to_have_text("stand")
    return shared_page


def write(page: Page, program: str) -> None:
    page.get_by_label("Or write a program").fill(program)
    page.get_by_label("Or write a program").press("Enter")


def in_force(page: Page):
    return page.locator("#program [aria-current=step]")


@pytest.mark.slow
@needs_browser
def test_a_program_runs_to_its_end_and_another_takes_over_in_mid_walk(page):
    write(page, "walk forward 1 meter; turn left 45 degrees")
    expect(page.locator("#program .done")).to_have_text(["walk forward 1 meter", "turn left 45 degrees"])
    expect(page.get_by_role("status")).to_contain_text("all 2 goals are reached")
    write(page, "walk forward")
    page.wait_for_function("document.querySelector('tbody .measured').textContent > 0.3")
    page.get_by_role("button", name="sidestep left").click()
    expect(in_force(page)).to_have_text("sidestep left")


@needs_browser
def test_a_shove_is_felt_and_the_robot_stays_on_its_feet(page):
    page.get_by_role("button", name="Shove").click()
    expect(page.get_by_role("status")).to_contain_text(re.compile("Shoved .* by 0.5 m/s"))
    page.wait_for_function(
        "[...document.querySelectorAll('tbody .measured')].some((each) => Math.abs(each.textContent) > 0.1)"
    )
    shoved = float(page.locator("#picture").get_attribute("data-seconds"))
    page.wait_for_function("(shoved) => document.querySelector('#picture').dataset.seconds > shoved + 3", arg=shoved)
    expect(page.get_by_role("status")).to_contain_text("Shoved")  # not "It fell"


@pytest.mark.slow
@needs_browser
def test_a_click_on_the_floor_leads_there(page):
    page.locator("#picture").click(position={"x": 330, "y": 470})
    expect(in_force(page)).to_have_text(re.compile("go to .* meters? (ahead|behind|left|right)"))
    expect(page.get_by_role("status")).to_contain_text("the goal is reached")


@needs_browser
def test_a_refusal_says_why_and_what_ran_goes_on(page):
    write(page, "run forward at 9 m/s")
    expect(page.locator("#notice.refused")).to_have_text(
        "Refused: 9 m/s is too fast: this robot goes forward at 3 m/s at most."
    )
    expect(in_force(page)).to_have_text("stand")


@needs_browser
def test_without_a_server_nothing_is_shown_that_needs_one(page):
    expect(page.locator("#server")).to_be_hidden()


@pytest.mark.slow
@needs_browser
def test_another_robot_is_chosen_from_the_list_and_walks(page):
    robots = page.get_by_role("combobox", name="Robot")
    assert robots.locator("option").all_inner_texts() == ["humanoid", "g1"]
    robots.select_option("g1")
    page.wait_for_url("**/?agent=pretrained_agent/g1")
    page.locator("#shove:enabled").wait_for()
    page.get_by_role("button", name="walk forward", exact=True).click()
    page.wait_for_function("document.querySelector('tbody .measured').textContent > 0.3")


@needs_browser
@needs_planner
def test_a_link_carries_an_instruction_that_waits_for_the_language_model(page, address):
    page.goto(f"{address}#say=turn%20around")
    expect(page.get_by_label("Instruction")).to_have_value("turn around")
    expect(page.locator("#notice.refused")).to_contain_text("Load the language model")


def check_that_it_is_labelled_and_fits(page: Page, width: int) -> None:
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"]) for each in found if each["impact"] in ("serious", "critical")]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@needs_browser
@pytest.mark.parametrize("width", [1280, 400])
def test_everything_is_labelled_and_fits(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    check_that_it_is_labelled_and_fits(page, width)


@needs_browser
def test_the_keyboard_is_enough(page):
    page.locator("#picture").focus()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).innerText.trim()")
        )
        if reached[-1] == "turn left":
            page.keyboard.press("Space")
    expect(in_force(page)).to_have_text("turn left")
    assert {"Run", "stand", "go home", "Shove"} <= set(reached)


@pytest.mark.slow
@needs_browser
@needs_planner
def test_the_language_model_reads_the_instruction_of_a_link_and_then_a_typed_one(page, address):
    goals = page.locator("#program li")
    page.goto(f"{address}#say=turn%20right%20180%20degrees")
    page.get_by_role("button", name="Load the language model").click()
    expect(goals).to_have_text(["turn right 180 degrees"])
    page.get_by_label("Instruction").fill(
        "walk forward 3 meters, then turn left 90 degrees and wave with your right hand"
    )
    page.get_by_label("Instruction").press("Enter")
    expect(goals).to_have_text(["walk forward 3 meters", "turn left 90 degrees", "stand, wave right"])
    expect(page.locator("#program .done")).to_have_count(2)
