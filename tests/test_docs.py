"""What README and docs say to type.

Commands of our scripts are parsed by the parsers of these scripts, with the configs that they name, and a flag that is
gone fails here; that the scripts then do what they say is in their own tests. Targets of make must exist. The commands
that make a Space are run, against a Hub that runs here, and the Space then starts (`test_a_space_...`). Python is run
from top to bottom, page by page, and so is the notebook.
"""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import hub_server
import nbformat
import pytest
from conftest import ROOT, run_script
from nbclient import NotebookClient
from test_app import serving

from agent.arguments import parse_arguments

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LAUNCHERS = ("python", "accelerate launch", "docker run")
# What cannot be had here: lerobot pins an older huggingface_hub than ours.
NOT_RUN = {"docs/dataset.md"}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """Every command of the pages and of the scripts' docstrings, with where it stands."""
    found = []
    for page in PAGES:
        lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
        inline = re.findall(r"`((?:python|accelerate launch) [^`]+)`", page.read_text())
        found += [(str(page.relative_to(ROOT)), line.split("  # ")[0].strip()) for line in [*lines, *inline]]
    for script in sorted(ROOT.glob("*.py")):
        lines = (ast.get_docstring(ast.parse(script.read_text())) or "").replace("\\\n", " ").splitlines()
        found += [(script.name, line.strip()) for line in lines if line.strip().startswith(LAUNCHERS)]
    return [(place, command) for place, command in found if command]


@pytest.mark.parametrize(("place", "command"), commands())
def test_a_command_is_one_that_works(place, command, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = [word for word in shlex.split(command, comments=True) if "=" not in word or word.startswith("--")]
    script = next((word for word in words if (ROOT / word).suffix == ".py" and (ROOT / word).is_file()), None)
    if script:
        arguments = words[words.index(script) + 1 :]
        if "..." in arguments or "…" in arguments:
            pytest.fail(f"{place}: {command} cannot be typed")
        parse_arguments(importlib.import_module(Path(script).stem).Arguments, arguments)
    elif words[0] == "make":
        targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert targets and set(words[1:]) <= set(targets[1].split())
    elif words[0] == "hf":
        assert command in SPACE, "run below"
    else:
        assert words[0] in ("pre-commit", "docker"), f"nothing tests {command!r}"


SPACE = [line for line in "\n".join(blocks(ROOT / "docs" / "app.md", "bash")).splitlines() if line.startswith("hf ")]


def test_a_space_is_made_by_the_commands_of_the_page_and_starts(tmp_path):
    with hub_server.serving() as hub:
        environment = os.environ | hub.environment(tmp_path / "home") | {"DO_NOT_TRACK": "1"}
        for command in SPACE:
            done = subprocess.run(
                [sys.executable, "-m", "huggingface_hub.cli.hf", *shlex.split(command)[1:]],
                cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        for path, content in hub.files("me/humanoid", "spaces").items():
            (tmp_path / "space" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "space" / path).write_bytes(content)
    assert not list((tmp_path / "space").rglob("*.pyc"))
    assert (tmp_path / "space" / "README.md").read_bytes() == (ROOT / "space" / "README.md").read_bytes()
    with serving(tmp_path / "space"):
        pass


def test_a_space_installs_what_the_package_needs_and_the_gradio_that_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["app"]]
    assert (ROOT / "space" / "requirements.txt").read_text().split() == needed
    version = re.search(r"^sdk_version: (.*)$", (ROOT / "space" / "README.md").read_text(), re.MULTILINE)
    assert version and f"gradio=={version[1]}\n" in (ROOT / "requirements.txt").read_text()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page):
    code = "\n".join(blocks(page, "python"))
    if str(page.relative_to(ROOT)) in NOT_RUN:
        ast.parse(code)
    else:
        done = run_script("-c", code)
        assert done.returncode == 0, done.stderr


# Its own libraries warn of one another.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs_from_top_to_bottom_and_plots():
    notebook = nbformat.read(ROOT / "docs" / "humanoid.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without what it prints"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "docs")}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("still on its feet" in output.get("text", "") for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
