"""What README and docs say to type.

Commands of our scripts are run in a folder of their own, one after another as a reader would, by the scripts
themselves and on tiny sizes, and so are those of `make quickstart`. What another test runs is named in `ELSEWHERE`,
what nothing can run here in `NOT_RUN`, with the reason. Python is run from top to bottom, page by page, and so is the
notebook. Links lead to files and headings that exist.
"""

import ast
import gc
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient
from test_finetune_llm import write_base

from agent import Goal, GoalProgram
from agent.artefacts import arguments
from agent.feedback.proposals import write_programs
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LAUNCHERS = ("python", "accelerate launch", "docker run")
INLINE = ("python", "accelerate launch", "make", "pip install", "pytest", "PYTHONPATH=.")  # commands within a sentence
# Script -> flags with which it has little to do, in the order in which the scripts need one another.
TINY = {
    "pretrain_ppo": "--num_envs 4 --num_threads 1 --rollout_steps 16 --total_steps 64 --minibatch_size 32 --epochs 1",
    "collect_dataset": "--num_envs 4 --num_threads 1 --shard_steps 60 --num_steps 240",
    "train_decision_transformer": "--updates 2 --batch_size 4 --evaluation_episodes 1",
    "finetune_llm": (
        "--written_epochs 0 --generated_examples 16 --per_device_train_batch_size 16 --eval_examples 2 "
        "--report_to none"
    ),
    "play": "",
    "evaluate": "--episodes 1 --num_threads 1",
    "publish": "",
}
# What the suites measure and a replay shows, much shorter.
SHORT = {
    "agent.evaluation.suites.COMMANDS": ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
    "agent.evaluation.suites.POSTURE_COMMANDS": {"standing": (0.0, 0.0, 0.0)},
    "agent.evaluation.suites.EPISODE_SECONDS": 2.25,
    "agent.evaluation.suites.MAX_EPISODE_STEPS": 150,
    "agent.evaluation.suites.MINUTE": 10.5,
    "agent.evaluation.suites.BEFORE_SECONDS": 0.3,
    "agent.evaluation.suites.GOAL_SECONDS": 0.3,
    "agent.evaluation.journeys.LINES": (Goal(vx=1.0, meters=0.5),),
    "agent.evaluation.journeys.SQUARE": (Goal(vx=1.0, meters=0.5),),
    "agent.evaluation.journeys.PLACES": 1,
    "agent.evaluation.journeys.FURTHEST": 0.6,
    "agent.feedback.trials.FURTHEST": 0.6,
    "agent.feedback.trials.END_RANGES": {"seconds": (0.3, 0.6), "meters": (0.3, 0.6), "degrees": (10, 20)},
    "agent.simulation.video.SCENES": [(Goal(vx=1.0), 0.3)],
    "evaluate.PROPOSED": 2,
}
NO_FEEDBACK = "--dataset '' --feedback_examples 0"  # it needs longer episodes
FEW = "tests/instructions/few.jsonl"  # instructions, in place of those that take minutes
# What a command begins with -> the test that runs it, or the step of continuous integration.
ELSEWHERE = {
    "python evaluate.py --suite feedback": (
        "test_evaluate.py::test_feedback_is_compared_with_the_same_runs_without_it"
    ),
    "python evaluate.py --suite goals": (
        "test_evaluate.py::test_every_goal_is_measured_from_standing_and_after_a_switch_and_the_planner_proposes"
    ),
    "python evaluate.py --suite gait --against": (
        "test_evaluate.py::test_any_number_of_agents_are_compared_in_a_page"
    ),
    **{
        f"python evaluate.py {flags}--actor transformer --suite {suite}": (
            "test_evaluate.py::test_an_untrained_policy_is_measured_by_the_suites_of_goals_and_postures"
        )
        for flags, suite in (("", "places"), ("--body g1 ", "places"), ("", "postures"), ("", "adapt"))
    },
    **{
        f"python evaluate.py {actor} --suite commands": (
            "test_evaluate.py::test_the_commands_suite_has_a_row_per_command_and_a_mean"
        )
        for actor in ("--actor transformer", "--agent pretrained/agent --actor policy")
    },
    **{
        f"python play.py {flags}--parse_only": (
            "test_chain.py::test_a_sentence_is_read_by_the_agent_of_a_name_and_a_revision"
        )
        for flags in ("", "--agent pretrained/agent ")
    },
    "python play.py --agent runs/agent": "test_docs.py::test_a_command_does_what_it_says",
    **{
        f"python play.py {flags}": (
            "test_play.py::test_a_walk_with_a_shove_and_feedback_becomes_a_video_that_plays_everywhere_and_a_strip"
        )
        for flags in (
            '--agent pretrained/agent --instruction "walk forward for 2 seconds" --video',
            '--instruction "walk forward 2 metres" --feedback',
            '--instruction "walk backwards 2 metres" --feedback --shove_at',
        )
    },
    "make test": ".ci/run",  # and test-all
    "make torture": "test_torture.py::test_no_fault_loses_anything",
    "pytest tests/test_torture.py": ".ci/run",
    "pytest tests/bodies/test_body.py": ".ci/run",
    'python -c "from agent.artefacts import runs; runs.seal(': (
        "artefacts/test_runs.py::test_a_file_that_was_changed_on_purpose_is_taken_once_the_folder_is_sealed_anew"
    ),
    "make app": "test_app.py::test_another_agent_is_loaded_and_moves_and_one_that_is_none_says_why",
    "python app.py": "test_app.py::test_another_agent_is_loaded_and_moves_and_one_that_is_none_says_why",
    "python play.py --viewer": "test_play.py::test_the_viewer_takes_instructions_from_the_terminal",
    "python play.py --agent pretrained/agent --viewer": (
        "test_play.py::test_the_viewer_takes_instructions_from_the_terminal"
    ),
    "ACCELERATE_USE_CPU=true accelerate launch --config_file configs/accelerate/two_cpu.yaml pretrain_ppo.py": (
        "test_launch.py::test_two_machines_train_a_policy_on_the_bodies_of_both"
    ),
    "ACCELERATE_USE_CPU=true accelerate launch --config_file configs/accelerate/two_cpu.yaml collect_dataset.py": (
        "test_launch.py::test_two_processes_collect_what_one_does"
    ),
    "PYTHONPATH=. python web/export.py": (
        "test_app.py::test_an_agent_that_the_page_does_not_hold_is_exported_at_the_start_and_leaves_nothing"
    ),
    "make web": "test_web.py::test_a_program_runs_to_its_end_and_another_takes_over_in_mid_walk",
    "hf repos create me/humanoid-page": "test_web.py::test_a_static_space_is_made_by_the_commands_of_the_docs",
    "hf upload me/humanoid-page": "test_web.py::test_a_static_space_is_made_by_the_commands_of_the_docs",
    "make quickstart": "test_docs.py::test_a_command_does_what_it_says",
}
# What a command begins with -> why nothing runs it.
NOT_RUN = {
    "docker ": "a container engine",
    "python -m http.server": "it serves until it is stopped",
    "PYTHONPATH=. python experiments/teach_arms.py": "five minutes; tests/bodies/test_teach_arms.py trains a tiny one",
    "PYTHONPATH=. python experiments/held_out_feedback.py": "minutes, and a dataset of a million steps",
    "make benchmark": "minutes on an idle machine, and packages of peers",
    "make baselines": "more than ten minutes",
    "make ablations": "an hour and a half",
    "python experiments/from_scratch.py": "hours",
    "PYTHONPATH=. python experiments/side_by_side.py": "minutes of drawing",
    "PYTHONPATH=. python experiments/native_returns.py": "75 minutes, and packages of peers",
    "python experiments/page_speed.py": "it wants an idle machine; test_web.py visits the same page",
    "PYTHONPATH=. python experiments/page_sentences.py": "minutes; test_web.py compares a few sentences",
    "python experiments/page_suite.py": (
        "minutes; test_web.py compares physics and transformer with Python's, step by step"
    ),
    "pip install ": "it changes the environment of the reader; `make test` installs the same packages",
    "accelerate launch finetune_llm.py --config configs/llm/tinyllama.yaml": (
        "TinyLlama from the Hub, and a GPU; tests/test_finetune_llm.py trains one of its shape"
    ),
}
# Python that cannot be had here: lerobot pins an older huggingface_hub than ours.
PYTHON_NOT_RUN = {"docs/dataset.md"}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """Every command of the pages and of the scripts' docstrings, with where it stands."""
    found = []
    for page in PAGES:
        lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
        inline = re.findall(rf"`((?:{'|'.join(INLINE)}) [^`]+)`", page.read_text())
        found += [(str(page.relative_to(ROOT)), line.split("  # ")[0].strip()) for line in [*lines, *inline]]
    for script in sorted(ROOT.glob("*.py")):
        lines = (ast.get_docstring(ast.parse(script.read_text())) or "").replace("\\\n", " ").splitlines()
        found += [(script.name, line.strip()) for line in lines if line.strip().startswith(LAUNCHERS)]
    return [(place, command) for place, command in found if command]


def begins(command: str, table: dict[str, str]) -> str:
    """What a table has for a command."""
    return next((value for start, value in table.items() if command.startswith(start)), "")


def lines_to_run() -> list[tuple[str, ...]]:
    """Script and flags of each command that is run here, once, after those that make what it reads."""
    dry = subprocess.run(["make", "-Bn", "quickstart"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    typed = [line.replace(".venv/bin/", "").strip() for line in dry.replace("\\\n", " ").splitlines()]
    typed += [command for _, command in commands() if not begins(command, ELSEWHERE | NOT_RUN)]
    words = [shlex.split(line) for line in typed if re.match(r"(python|accelerate launch) \w+\.py ", line)]
    lines = [tuple(line[2 if line[0] == "accelerate" else 1 :]) for line in words]
    lines = {frozenset(" ".join(line).split(" --")): line for line in lines}  # in whatever order its flags are
    return sorted(lines.values(), key=lambda line: [*TINY].index(Path(line[0]).stem))


def anchors(page: Path) -> set[str]:
    """The fragments that lead to the headings of a page, as GitHub makes them."""
    headings = re.findall("^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith("https://"):
            path, _, fragment = target.partition("#")
            there = page.parent / path if path else page
            assert there.exists(), target
            assert not fragment or fragment in anchors(there), target


def test_the_readme_can_be_read_in_ten_minutes():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


def test_a_file_that_the_log_names_exists_or_is_said_to_be_gone():
    log = " ".join((ROOT / "docs" / "log.md").read_text().split())
    for named, after in re.findall(r"`([\w/.-]+/[\w.-]+\.\w+)`(.{0,14})", log):
        assert (ROOT / named).exists() or after.startswith((" (gone since)", " (now in ")), named


def test_every_command_is_run_by_something_that_is_named():
    for place, command in commands():
        test = begins(command, ELSEWHERE)
        if "::" in test:
            file, name = test.split("::")
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(), test
        known = test or begins(command, NOT_RUN) or re.match(r"(python|accelerate launch) \w+\.py ", command)
        assert known, f"{place}: nothing runs {command!r}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder to type the commands in: what the repo has of data and settings, nothing that was made of it, and a
    small base model.
    """
    folder = tmp_path_factory.mktemp("clone")
    for name in ("configs", "pretrained"):
        (folder / name).symlink_to(ROOT / name)
    (folder / FEW).parent.mkdir(parents=True)
    with (ROOT / "tests" / "instructions" / "instructions_physical.jsonl").open() as lines:
        (folder / FEW).write_text(next(lines))
    write_base(folder / "base")
    # Collecting comes before measuring here, and reads what measuring proposes. Experiments are not run.
    (folder / "runs").mkdir()
    MotorPolicy(MotorPolicyConfig(body="g1", widths=[16, 8])).save_pretrained(folder / "runs" / "g1_arms")
    write_programs(folder / "runs" / "proposals.jsonl", [GoalProgram((Goal(1.0, seconds=1.0),))])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("line", lines_to_run(), ids=" ".join)
def test_a_command_does_what_it_says(line, clone, monkeypatch, server):
    name = Path(line[0]).stem
    flags = [*line, *TINY[name].split()]
    if name == "finetune_llm":
        flags += shlex.split(NO_FEEDBACK) + ["--base_model", "base"] * ("--init_from" not in flags)
    if {"--video", "--strip"} & set(flags):
        flags += ["--instruction", "walk forward for half a second"]
    if "--shove_at" in flags:
        flags += ["--shove_at", "0.3"]
    if "--instructions_file" in flags:
        flags += ["--instructions_file", FEW]
    monkeypatch.chdir(clone)
    monkeypatch.setattr(sys, "argv", flags)
    for constant, value in SHORT.items():
        monkeypatch.setattr(constant, value)
    script = importlib.import_module(name)
    gc.collect()  # the lock that a run before, in this process, has on its folder
    with pytest.raises(SystemExit) as exited:
        arguments.run(script.main, script.Arguments)
    assert exited.value.code == 0
    outputs = ("--output_dir", "--video", "--strip", "--report", "--json")
    made = [flags[flags.index(flag) + 1] for flag in outputs if flag in flags]
    assert all((clone / path).exists() for path in made)
    assert name != "publish" or server.repo(flags[flags.index("--push_to_hub") + 1]).private


def pages_with_python():
    """Each page that has some; those that load a planner take longer."""
    for page in PAGES:
        if code := "\n".join(blocks(page, "python")):
            slow = bool(re.search("MotorAgent|Planner", code))
            yield pytest.param(page, marks=[pytest.mark.slow] * slow, id=page.stem)


@pytest.mark.parametrize("page", list(pages_with_python()))
def test_the_python_of_a_page_runs(page, monkeypatch):
    code = compile("\n".join(blocks(page, "python")), page.name, "exec")
    if str(page.relative_to(ROOT)) not in PYTHON_NOT_RUN:
        monkeypatch.chdir(ROOT)
        exec(code, {})


# Its own libraries warn of one another.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs_from_top_to_bottom_and_plots():
    notebook = nbformat.read(ROOT / "docs" / "humanoid.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without what it prints"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "docs")}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("still on its feet" in output.get("text", "") for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
