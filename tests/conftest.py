"""What every test shares: quiet libraries, one thread each, the scripts as a user calls them, and a Hub."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# Nothing may reach out, not even by mistake: with no network everything runs.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
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
def server(tmp_path, monkeypatch):
    """A running Hub that this process talks to, with a cache of its own; short waits between tries."""
    import hub_server
    from huggingface_hub import constants

    from agent import hub

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
