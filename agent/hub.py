"""Artefacts by name: a folder, or a repo on the Hugging Face Hub. No network is needed for folders."""

import contextlib
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError

from agent import runs
from agent.goals import check_goal_version

AGENT_TYPE = "motor_agent"
AGENT_PARTS = ("policy", "decision_transformer", "planner")


def folder(
    name: str | Path, *, revision: str | None = None, token: str | None = None, repo_type: str = "model"
) -> Path:
    """The local folder of an artefact: `name` itself where that is a folder, else the Hub repo's snapshot.

    Raises:
        ValueError: neither a folder nor a repo that can be reached.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(str(name), revision=revision, token=token, repo_type=repo_type))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ValueError(
            f"{name} is no folder, and no Hub repo that can be loaded ({_first_line(error)}): "
            "give a path that exists or owner/name"
        ) from error


def load_pretrained(
    load: Callable[..., Any],
    model_type: str,
    name: str | Path,
    *,
    revision: str | None = None,
    token: str | None = None,
    **kwargs,
) -> Any:
    """What `load`, a transformers `from_pretrained`, makes of the artefact `name`, after a look at what it is.

    Raises:
        ValueError: there is no such artefact, it is another kind of model, speaks another goal vocabulary, or is
        damaged.
    """
    path = folder(name, revision=revision, token=token)
    config = runs.read_json(path / "config.json")
    if config.get("model_type") != model_type:
        raise ValueError(f"{name} holds a {config.get('model_type')}: give a folder or repo of a {model_type}")
    check_goal_version(config.get("goal_version"), str(name))
    try:
        model, report = load(path, output_loading_info=True, use_safetensors=True, **kwargs)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{name} cannot be loaded ({_first_line(error)}): "
            "the files are damaged or missing, make or load them again"
        ) from error
    wrong = sorted(map(str, [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]))
    if wrong:
        raise ValueError(
            f"{name} has other weights than its config.json says, {wrong[0]} for one: make or load it again"
        )
    return model


def agent_folder(path: str | Path, *, revision: str | None = None, token: str | None = None) -> Path:
    """The local folder of an agent, after a look at whether it is one.

    Raises:
        ValueError: there is no such folder or repo, a part is missing, or it speaks another goal vocabulary.
    """
    parts = folder(path, revision=revision, token=token)
    config = runs.read_json(parts / "config.json")
    if config.get("model_type") != AGENT_TYPE:
        raise ValueError(
            f"{path} holds no motor agent (model_type is {config.get('model_type')!r}): "
            "give the folder that finetune_llm.py assembled"
        )
    check_goal_version(config.get("goal_version"), str(path))
    for part in AGENT_PARTS:
        if not (parts / part).is_dir():
            raise ValueError(f"{path} has no {part}/: assemble the agent again with finetune_llm.py")
    return parts


@contextlib.contextmanager
def staging() -> Generator[Path]:
    """An empty folder to lay out what is to be pushed."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def push_folder(
    path: str | Path, repo_id: str, *, private: bool = False, repo_type: str = "model", ignore: list[str] | None = None
) -> str:
    """Publish a folder in one commit, and return its address. The repo is made when it is not there."""
    api = HfApi()
    api.create_repo(repo_id, private=private, repo_type=repo_type, exist_ok=True)
    message = f"Publish {Path(path).name}"
    commit = api.upload_folder(
        folder_path=str(path), repo_id=repo_id, repo_type=repo_type, ignore_patterns=ignore, commit_message=message
    )
    return str(commit.commit_url)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
