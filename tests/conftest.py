"""What every test shares: quiet libraries, one thread each, and the scripts as a user calls them."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).parent.parent

# Nothing may reach out, not even by mistake: with no network everything runs.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")


def run_script(*command: str | Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run a script of the repo as a user does; stdout and stderr come back as text."""
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )
