"""What every test shares: quiet libraries, one thread each, the scripts as a user calls them, and a Hub."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

# Read when libraries are imported. Nothing may reach out, not even by mistake: with no network everything runs.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import hub_server
import pytest
from accelerate.state import AcceleratorState
from huggingface_hub import constants
from hypothesis import settings

from agent.artefacts import arguments, hub, runs

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "pretrained" / "agent"
# Script -> flags without which it has nothing to do, and its flag that names an artefact.
SCRIPTS = {
    "pretrain_ppo": ([], "--init_from"),
    "collect_dataset": (["--policy", "nowhere"], "--policy"),
    "train_decision_transformer": (["--dataset", "nowhere"], "--dataset"),
    "finetune_llm": ([], "--init_from"),
    "play": (["--instruction", "turn left"], "--agent"),
    "evaluate": ([], "--agent"),
    "publish": (["--folder", "nowhere", "--push_to_hub", "me/it"], "--folder"),
    "app": ([], "--agent"),
}

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


def run_script(*command: str | Path, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the repo as a user does; stdout and stderr come back as text."""
    try:
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"").decode(errors="replace")[-3000:]
        pytest.fail(f"{' '.join(map(str, command))} still ran after {timeout} s. Its last lines:\n{said}")


@pytest.fixture(scope="module", autouse=True)
def own_precision():
    """Accelerate keeps the precision of the first training of a process; each file of tests has its own."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def contents(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_manifests(folder) -> dict[str, bytes]:
    """The same, so that what is wrong with a file is looked at, and not only that it was changed."""
    return {name: content for name, content in contents(folder).items() if not name.endswith(runs.MANIFEST)}


@pytest.fixture
def refusal(monkeypatch, capsys):
    """The line with which a script refuses its input, after any progress; called in this process."""

    def refuse(name: str, *words: str | Path) -> str:
        script = importlib.import_module(name)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            arguments.run(script.main, script.Arguments)
        out, err = capsys.readouterr()
        line = err.splitlines()[-1]
        assert (caught.value.code, out) == (2, "") and line.startswith(f"{name}.py: "), err
        return line

    return refuse


def use_hub(running: hub_server.Hub, home: Path, patch: pytest.MonkeyPatch) -> None:
    """Let this process talk to that Hub with caches in `home`, as a new one would; waits between tries are short.

    What libraries read from the environment when they are imported is put into them.
    """
    for name, value in running.environment(home).items():
        patch.setenv(name, value)
    patch.setattr(constants, "ENDPOINT", running.url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr("agent.data.windows.HF_DATASETS_CACHE", home / "datasets")
    patch.setattr(hub, "RETRY_SECONDS", (0.01, 0.01))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A running Hub that this process talks to, with a cache of its own."""
    with hub_server.serving() as running:
        use_hub(running, tmp_path / "home", monkeypatch)
        yield running
