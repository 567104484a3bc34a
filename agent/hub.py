"""Artefacts by name: a folder, or a repo on the Hugging Face Hub. No network is needed for folders."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, HfHubHTTPError, LocalEntryNotFoundError


def folder(name: str | Path, *, revision: str | None = None, token: str | None = None, repo_type: str = "model") -> Path:
    """The local folder of an artefact: `name` itself where that is a folder, else the Hub repo's snapshot.

    Raises:
        ValueError: neither a folder nor a repo that can be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(str(name), revision=revision, token=token, repo_type=repo_type))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        cause = str(error).strip().splitlines()[0]
        raise ValueError(f"{name} is no folder, and no Hub repo that can be loaded ({cause}): give a path that exists or owner/name") from error


@contextlib.contextmanager
def staging() -> Iterator[Path]:
    """An empty folder to lay out what is to be pushed."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def push_folder(path: str | Path, repo_id: str, *, private: bool = False, repo_type: str = "model", ignore: list[str] | None = None) -> str:
    """Publish a folder in one commit, and return its address. The repo is made when it is not there."""
    api = HfApi()
    api.create_repo(repo_id, private=private, repo_type=repo_type, exist_ok=True)
    commit = api.upload_folder(folder_path=str(path), repo_id=repo_id, repo_type=repo_type, ignore_patterns=ignore, commit_message=f"Publish {Path(path).name}")
    return str(commit.commit_url)
