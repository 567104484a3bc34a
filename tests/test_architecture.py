"""The order of the modules: imports point down, and scripts never import each other."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

# From the bottom to the top. A module imports only what stands before it.
ORDER = [
    "goals",
    "arguments",
    "runs",
    "cards",
    "hub",
    "env",
    "vector_env",
    "video",
    "spelling",
    "quantities",
    "plain_words",
    "phrases",
    "instructions",
    "steps",
    "schema",
    "episodes",
    "mirror",
    "motor_policy",
    "windows",
    "decision_transformer",
    "feedback",
    "pursuit",
    "hindsight",
    "lessons",
    "proposals",
    "planner",
    "trials",
    "evaluation",
    "report",
    "motor_agent",
    "live",
]
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
MODULES = sorted(path.stem for path in (ROOT / "agent").glob("*.py") if path.stem != "__init__")


def our_imports(source: str) -> set[str]:
    """What `source` imports of ours, anywhere in it: modules of `agent` by their name, scripts as `script.py`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [f"agent.{node.module or alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"agent.{alias.name}" for alias in node.names] if node.module == "agent" else [str(node.module)]
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
    return our_imports(source) - set(ORDER[: ORDER.index(module)])


def test_every_module_has_a_place_in_the_order():
    assert set(MODULES) <= set(ORDER), "a new module needs a place in ORDER"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    assert not misplaced(module, (ROOT / "agent" / f"{module}.py").read_text())


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
        "def later():\n    from .motor_agent import MotorAgent",
        "import play",
        "from agent import MotorAgent",
    ],
)
def test_an_import_that_points_up_is_seen(source):
    assert misplaced("env", source)
    assert not misplaced("env", "import numpy\nfrom agent.goals import Goal\nfrom agent import goals")


@pytest.mark.parametrize(
    "name", [*(f"agent/{module}.py" for module in MODULES), *(f"{script}.py" for script in SCRIPTS)]
)
def test_every_file_has_its_tests(name):
    assert (ROOT / "tests" / f"test_{Path(name).name}").exists()
