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
from huggingface_hub import constants
from hypothesis import settings

from agent import arguments, hub

ROOT = Path(__file__).parent.parent

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


def run_script(*command: str | Path, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the repo as a user does; stdout and stderr come back as text."""
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def contents(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refusal(monkeypatch, capsys):
    """The line with which a script refuses what it is told, after any progress; called in this process."""

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


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A running Hub that this process talks to, with a cache of its own; short waits between tries."""
    with hub_server.serving() as running:
        for name, value in running.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        # What huggingface_hub has read from the environment when it was imported.
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = running.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(hub, "RETRY_SECONDS", (0.01, 0.01))
        yield running
