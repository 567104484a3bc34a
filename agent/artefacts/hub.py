"""Artefacts by name: a folder, or a repo on the Hugging Face Hub. No network is needed for folders.

Every argument that takes the folder of an artefact also takes `owner/name` or `owner/name@revision`; a revision is a
branch, a tag or a commit. Only the file types of artefacts are downloaded from a repo. Each file is compared with its
hash, and `checks` refuses what cannot be trusted.
"""

import functools
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import httpx2
import torch
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_token,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.sha import git_hash

from agent.artefacts import checks, runs
from agent.goals import check_goal_version

T = TypeVar("T")

AGENT_TYPE = "motor_agent"
# File types of artefacts. Nothing else is published or downloaded: no pickle, no code, no log.
SUFFIXES = (".json", ".jsonl", ".safetensors", ".parquet", ".md", ".png", ".mp4", ".txt", ".model", ".jinja")
TEXTS = (".json", ".jsonl", ".md", ".txt", ".jinja")
# Exceptions of huggingface_hub; the last one if a proxy or a login page answers instead of the Hub.
FAILURES = (httpx2.HTTPError, OSError, RuntimeError, HFValidationError, JSONDecodeError)
RETRY_SECONDS = (1, 2, 4, 8, 16)
BUSY = (408, 409, 412, 429)  # and 5xx: these are retried


# Loading


def folder(
    name: str | Path, *, revision: str | None = None, token: str | None = None, repo_type: str = "model"
) -> Path:
    """The local folder of an artefact: `name` itself where that is a folder, else the snapshot of the Hub repo.

    Without a connection the cache is used, and stderr says so.

    Raises:
        ValueError: neither a folder nor a repo that can be reached, or `checks.check_folder` refuses it.
    """
    if os.path.isdir(name):  # Path.is_dir raises an error for a name that is too long
        path = Path(name)
    else:
        repo_id, _, after = str(name).partition("@")
        revision = revision or after or None
        if revision and ".." in revision:
            raise ValueError(f"{name} has no revision {revision!r}: give a branch, a tag or a commit")
        path = _snapshot(repo_id, revision, token, repo_type)
    # A file in the cache is a link to a blob next to the snapshots, or in the store that all repos share.
    cache = repo_cache(path)
    checks.check_folder(path, cache.parent if cache else path.resolve(), name)
    return path


def agent_folder(path: str | Path, *, revision: str | None = None, token: str | None = None) -> Path:
    """The local folder of an agent. Raises ValueError if there is no such folder or repo, it is no agent, a part is
    missing, or it has another goal vocabulary.
    """
    parts = folder(path, revision=revision, token=token)
    config = runs.read_json(parts / "config.json")
    if config.get("model_type") != AGENT_TYPE:
        raise ValueError(
            f"{path} holds no motor agent (model_type is {config.get('model_type')!r}): "
            "give the folder that finetune_llm.py assembled"
        )
    check_goal_version(config.get("goal_version"), str(path))
    policies = [f"policy/{body}" for body in agent_bodies(parts)]
    for part in (*policies, "decision_transformer", "planner"):
        if not (parts / part).is_dir():
            raise ValueError(f"{path} has no {part}/: assemble the agent again with finetune_llm.py")
    return parts


def agent_bodies(folder: Path) -> list[str]:
    """Names of the robots that the agent in a folder moves. Raises ValueError if they are not names."""
    bodies = runs.read_json(folder / "config.json").get("bodies")
    named = isinstance(bodies, list) and all(isinstance(body, str) and body.isidentifier() for body in bodies)
    if not bodies or not named or len(set(bodies)) < len(bodies):
        raise ValueError(
            f"{folder} has bodies={bodies!r:.60} in its config.json, which must be a list of names: assemble the "
            "agent again with finetune_llm.py"
        )
    return bodies


def load_pretrained(
    kind: Any,
    load: Callable[..., Any],
    name: str | Path,
    *,
    sizes: Callable[[dict], Mapping[str, Any]],
    revision: str | None = None,
    token: str | None = None,
    **kwargs,
) -> Any:
    """The model of the class `kind` in the artefact `name`, a folder or a Hub repo.

    `load` is its `from_pretrained` of transformers, called with a folder and `kwargs`. `sizes` takes the config, and
    returns the values that the config must have, by name.

    Raises:
        ValueError: there is no such artefact, it is another kind of model, of another size, has another goal
        vocabulary, is damaged, or cannot be trusted.
    """
    path = folder(name, revision=revision, token=token)
    config = checks.check_artefact(path, name, model_type=kind.config_class.model_type)
    check_goal_version(config.get("goal_version"), str(name))
    for field, size in sizes(config).items():
        if config.get(field, size) != size:
            raise ValueError(
                f"{name} has {field}={config[field]}, here it is {size}: give a model of this body, or train it again "
                "if the body has changed since"
            )
    checks.check_sizes(path, name, lambda: kind(kind.config_class.from_dict(config)))
    kwargs.setdefault("dtype", torch.float32)
    return checks.load_weights(load, path, name, **kwargs)


def repo_cache(path: Path) -> Path | None:
    """The cache's folder of the repo that `path` is, or is part of; None if `path` is not in the cache."""
    for parent in path.resolve().parents:
        if parent.name == "snapshots" and parent.parent.name.startswith(("models--", "datasets--")):
            return parent.parent
    return None


def origin(name: str | Path, path: Path) -> str:
    """The origin to record for an artefact `name` found in `path`: `owner/name@commit`, or its folder."""
    if repo_cache(path) and not Path(name).is_dir():
        return f"{str(name).partition('@')[0]}@{path.name}"
    return runs.strip_location(str(name))


def _snapshot(repo_id: str, revision: str | None, token: str | None, repo_type: str) -> Path:
    """The cached folder of a repo at a revision. Every file has the hash that the Hub announced."""
    name = f"{repo_id}@{revision}" if revision else repo_id
    api = HfApi(token=token)
    wanted = [f"*{suffix}" for suffix in SUFFIXES]
    get = functools.partial(
        snapshot_download, repo_id, revision=revision, repo_type=repo_type, token=token, allow_patterns=wanted
    )

    def download() -> Path:
        commit = api.repo_info(repo_id, revision=revision, repo_type=repo_type).sha
        listed = api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type=repo_type)
        files = [file for file in listed if isinstance(file, RepoFile)]
        check_names(name, files)
        cached = functools.partial(try_to_load_from_cache, repo_id, revision=commit, repo_type=repo_type)
        needed = [file for file in files if file.path.endswith(SUFFIXES) and not isinstance(cached(file.path), str)]
        check_room(name, sum(file.size for file in needed))
        path = Path(get())
        if path.name != commit:
            raise ValueError(f"{name} was published anew while it was loaded: load it again")
        return path

    for _ in range(2):  # a damaged file is downloaded once more
        try:
            path = _retry(download)
        except FAILURES as error:
            unusable = f"{name} is neither a folder nor a Hub repo that can be loaded ({_reason(error)}"
            if not (_is_temporary(error) or isinstance(error, OfflineModeIsEnabled)):
                raise ValueError(f"{unusable}): give a path that exists or owner/name") from error
            try:
                path = Path(get(local_files_only=True))
            except (OSError, HFValidationError):
                raise ValueError(
                    f"{unusable}, and it is not in the cache): give a path that exists or owner/name"
                ) from error
            print(f"the Hub cannot be reached: taking {name} at {path.name[:7]} from the cache", file=sys.stderr)
        damaged = drop_damaged(path)
        if not damaged:
            return path
    raise ValueError(f"{name} has a damaged {damaged[0]}: it is not what the Hub announced, load it again later")


def check_names(name: str, files: Sequence[RepoFile]) -> None:
    """Raise ValueError where a repo has a file that would lie outside of its folder."""
    for file in files:
        place = PurePosixPath(file.path)
        if place.is_absolute() or ".." in place.parts or re.search(r"[\\:\0]", file.path):
            raise ValueError(f"{name} has a file {file.path!r} that would lie outside of its folder: refused")


def check_room(name: str, size: int) -> None:
    """Raise ValueError where the cache has no room for `size` bytes; huggingface_hub only warns."""
    cache = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(next(each for each in (cache, *cache.parents) if each.exists())).free
    if size > free:
        raise ValueError(f"{name} needs {size / 1e9:.1f} GB, the disk has {free / 1e9:.1f} left: make room")


def drop_damaged(path: Path) -> list[str]:
    """Remove the damaged files of a snapshot from the cache, and return their names. Works without a connection."""
    links = [file for file in sorted(path.rglob("*")) if file.is_symlink()]
    # Each leads to a blob named by its hash, which may be a link to a file that several repos share.
    blobs = {link: Path(os.path.normpath(link.parent / link.readlink())) for link in links}
    broken = {blob for blob in blobs.values() if not (blob.is_file() and has_hash(blob, blob.name))}
    damaged = [link for link in links if blobs[link] in broken]
    for file in (*damaged, *[blob.resolve() for blob in broken], *broken):
        file.unlink(missing_ok=True)
    return [link.relative_to(path).as_posix() for link in damaged]


def has_hash(file: Path, name: str) -> bool:
    """Whether `name` is the hash that the Hub has for the content of `file`: its sha256, or git's sha1."""
    found = runs.digest(file) if len(name) == 64 else git_hash(file.read_bytes())
    return found == name


# Publishing


def published_files(path: str | Path) -> list[str]:
    """The files of an artefact, relative to its folder, without those that only its training needs."""
    places = [file.relative_to(path) for file in Path(path).rglob("*") if file.is_file()]
    return sorted(
        place.as_posix() for place in places if place.suffix in SUFFIXES and not runs.is_training_only(place)
    )


def push_folder(
    path: str | Path, repo_id: str, *, private: bool = False, tag: str = "", token: str | None = None
) -> str:
    """Make the contents of a repo those of an artefact's folder, in one commit, and return the commit's URL.

    A missing repo is created. Files that are already there are not sent again, so an interrupted push continues, and a
    push of the same files makes no commit. An existing tag is never moved.

    Raises:
        ValueError: the Hub refused, or could not be reached in several tries; the files hold a secret or a path of
        this machine; the repo is public and `private` was asked for; the tag exists, with other files.
    """
    folder, api = Path(path), HfApi(token=token)
    repo_type = "dataset" if (folder / "meta" / "info.json").is_file() else "model"
    files = published_files(folder)
    if "README.md" not in files:
        raise ValueError(f"{folder} has no README.md: give the folder of a whole artefact")
    check_private_words(folder, files, token)

    def push() -> str:
        api.create_repo(repo_id, private=private, repo_type=repo_type, exist_ok=True)
        if private and not api.repo_info(repo_id, repo_type=repo_type).private:
            raise ValueError("it is public: make it private on the Hub, or leave out --private")
        if tag in {each.name for each in api.list_repo_refs(repo_id, repo_type=repo_type).tags}:
            tagged = {
                file.path: file.lfs.sha256 if file.lfs else file.blob_id
                for file in api.list_repo_tree(repo_id, recursive=True, revision=tag, repo_type=repo_type)
                if isinstance(file, RepoFile) and file.path != ".gitattributes"
            }
            if set(tagged) != set(files) or not all(has_hash(folder / file, tagged[file]) for file in files):
                raise ValueError(f"it has a tag {tag} of other files: give another --tag")
        # upload_folder would make several commits of many files, and of more than 20 after a failure.
        gone = set(api.list_repo_files(repo_id, repo_type=repo_type)) - {*files, ".gitattributes"}
        operations = [
            *(CommitOperationDelete(file) for file in sorted(gone)),
            *(CommitOperationAdd(file, folder / file) for file in files),
        ]
        commit = api.create_commit(repo_id, operations, commit_message=f"Publish {tag}".strip(), repo_type=repo_type)
        if tag:
            api.create_tag(repo_id, tag=tag, revision=commit.oid, repo_type=repo_type, exist_ok=True)
        return str(commit.commit_url)

    try:
        return _retry(push)
    except (*FAILURES, ValueError) as error:
        raise ValueError(f"{repo_id} cannot be pushed to ({_reason(error)})") from error


def publish(path: str | Path, repo_id: str, *, private: bool = False, tag: str = "") -> None:
    """Push a stage's output. A failed push does not fail the stage: one line says what went wrong and how to retry."""
    try:
        print(f"published: {push_folder(path, repo_id, private=private, tag=tag)}", file=sys.stderr)
    except ValueError as error:
        flags = ["--private"] * private + ["--tag", tag] * bool(tag)
        again = shlex.join(["python", "publish.py", "--folder", str(path), "--push_to_hub", repo_id, *flags])
        print(f"{path} is complete, but not published: {error}. Try again: {again}", file=sys.stderr)


def check_private_words(path: Path, files: Sequence[str], token: str | None) -> None:
    """Raise ValueError if a text to publish contains the token or a path of this machine."""
    folders = [str(path.resolve()), *(f"{place}/" for place in (Path.home(), Path.cwd()) if place != Path("/"))]
    for file in files:
        if file.endswith(TEXTS):
            text = (path / file).read_text(errors="replace")
            for words in filter(None, (token or get_token(), *folders)):
                if words in text:
                    what = f"the path {words}" if words in folders else "the Hub token"
                    raise ValueError(f"{path.name}/{file} has {what} in it: take it out")


# Failures of the Hub


def _retry(call: Callable[[], T]) -> T:
    """Call until it succeeds, waiting longer each time, while the Hub is busy or the connection breaks.

    huggingface_hub retries single requests. The whole operation is retried here, for lost commits and truncated
    listings. An endpoint that does not answer at all is not retried.
    """
    for wait in RETRY_SECONDS:
        try:
            return call()
        except FAILURES as error:
            if isinstance(error, httpx2.ConnectError) or not _is_temporary(error):
                raise
            time.sleep(wait)
    return call()


def _causes(error: BaseException | None) -> Generator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_temporary(error: BaseException) -> bool:
    """Whether another try may succeed: the Hub was busy, or the connection broke."""
    for cause in _causes(error):
        if isinstance(cause, HfHubHTTPError):
            return cause.response.status_code in BUSY or cause.response.status_code >= 500
        if isinstance(cause, httpx2.TransportError | JSONDecodeError) or "Consistency check failed" in str(cause):
            return True
    return False


def _reason(error: BaseException) -> str:
    """In a few words, why the Hub did not do what was asked."""
    for cause in _causes(error):
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            if status in (401, 403):
                return f"{status}: there is no such repo, or it is not for this token; log in with `hf auth login`"
            return f"{status}: {' '.join((cause.server_message or checks.first_line(cause)).split())}"
        if isinstance(cause, JSONDecodeError):
            return "the answer is not from the Hub: look for a proxy or a login page"
    return checks.first_line(error)
