"""The order of folders and files: imports point down, and scripts never import each other."""

import ast

import pytest
from conftest import ROOT

# From the bottom to the top: files of `agent/`, and folders with their files. A module imports only what stands before
# it, so neither two folders nor two files ever import each other.
ORDER: dict[str, list[str]] = {
    "goals": [],
    "artefacts": ["runs", "arguments", "cards", "checkpoints", "callbacks", "checks", "hub"],
    "bodies": ["body", "humanoid", "g1"],
    "simulation": ["heading", "physics", "task", "curriculum", "vector_env", "env", "rollouts", "video"],
    "models": ["mirror", "motor_policy", "decision_transformer"],
    "data": ["schema", "episodes", "windows", "hindsight"],
    "feedback": ["outcomes", "pursuit", "proposals", "trials", "lessons"],
    "language": [
        *("amounts", "program", "corpus.phrases", "corpus.written", "corpus.generator"),
        *("base_model", "planner"),
    ],
    "evaluation": ["suites", "sentences", "journeys", "report"],
    "motor_agent": [],
}
REGISTRY = "bodies"  # the one folder that is imported as a whole: its __init__ registers every robot
PLACES = []
for name, files in ORDER.items():
    PLACES += [f"{name}.{file}" for file in files] or [name]
    PLACES += [name] * (name == REGISTRY)
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
FILES = sorted(path.relative_to(ROOT / "agent") for path in (ROOT / "agent").rglob("*.py"))
MODULES = {".".join(path.with_suffix("").parts): path for path in FILES if path.stem != "__init__"}
FOLDERS = [path for path in FILES if path.stem == "__init__" and path.parent.name]


def our_imports(source: str) -> set[str]:
    """What `source` imports of ours, anywhere in it: modules of `agent` by their place, scripts as `script.py`.

    A relative import is named with its dots, which is no place: imports are absolute.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [f"agent..{node.module or ''}"]
        elif isinstance(node, ast.ImportFrom):
            module = str(node.module)
            imported = [f"{module}.{alias.name}" for alias in node.names]
            names = [name if name.removeprefix("agent.") in MODULES else module for name in imported]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "agent":
                found.add(name.removeprefix("agent."))
            elif name in SCRIPTS:
                found.add(f"{name}.py")
    return found


def misplaced(module: str, source: str) -> set[str]:
    """What `module` of the package imports although it does not stand below it."""
    return our_imports(source) - set(PLACES[: PLACES.index(module)])


def test_every_module_has_a_place_in_the_order():
    assert {*MODULES, REGISTRY} == set(PLACES), "a new module needs a place in ORDER"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    assert not misplaced(module, (ROOT / "agent" / MODULES[module]).read_text())


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_never_import_each_other(script):
    imported = our_imports((ROOT / f"{script}.py").read_text())
    assert not {name for name in imported if name.endswith(".py")}


@pytest.mark.parametrize(
    "source",
    [
        "from agent.motor_agent import MotorAgent",
        "from agent import motor_agent",
        "import agent.motor_agent",
        "from . import motor_agent",
        "def later():\n    from ..goals import Goal",
        "import play",
        "from agent import MotorAgent",
        "from agent import language",
        "import agent",
        "from agent.language import planner",
        "from agent.language.planner import Planner",
        "from agent.simulation import video",
        "from agent.simulation import vector_env",
    ],
)
def test_an_import_that_points_up_is_seen(source):
    assert misplaced("simulation.vector_env", source)


def test_an_import_that_points_down_is_allowed():
    allowed = (
        "import numpy\nfrom agent import goals\nfrom agent.artefacts import runs\n"
        "from agent.bodies import Body\nfrom agent.simulation.heading import yaw"
    )
    assert our_imports(allowed) == {"goals", "artefacts.runs", "bodies", "simulation.heading"}
    assert not misplaced("simulation.vector_env", allowed)


@pytest.mark.parametrize("path", FOLDERS, ids=str)
def test_a_folder_says_what_is_in_it_and_nothing_else(path):
    module = ast.parse((ROOT / "agent" / path).read_text())
    assert ast.get_docstring(module) and (len(module.body) == 1 or path.parent.name == REGISTRY)


# Robots are data: tests/bodies/test_body.py is about all of them.
TESTED = [path for path in MODULES.values() if path.parent.name != REGISTRY or path.stem == "body"]


@pytest.mark.parametrize("path", [*TESTED, *(ROOT.glob("*.py"))], ids=lambda path: path.name)
def test_every_file_has_its_tests(path):
    tests = ROOT / "tests" / ("" if path.is_absolute() else path.parent)
    assert (tests / f"test_{path.name}").exists()
