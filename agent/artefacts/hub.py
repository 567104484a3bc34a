"""Artefacts by name: a folder, or a repo on the Hugging Face Hub. No network is needed for folders.

Wherever an artefact is asked for, `owner/name` or `owner/name@revision` does as well as a folder; a revision is a
branch, a tag or a commit. What comes from elsewhere is looked at before it is used: nothing is unpickled, no code of a
repo is run, no file lies outside of its folder, and no config makes this process allocate more than there are weights.
"""

import contextlib
import hashlib
import html
import math
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import httpx2
import numpy as np
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
from safetensors import SafetensorError, safe_open
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from agent.artefacts import runs
from agent.goals import check_goal_version

T = TypeVar("T")

AGENT_TYPE = "motor_agent"
AGENT_PARTS = ("policy", "decision_transformer", "planner")
# What artefacts consist of. Nothing else is published or downloaded: no pickle, no code, no log.
SUFFIXES = (".json", ".jsonl", ".safetensors", ".parquet", ".md", ".png", ".mp4", ".txt", ".model", ".jinja")
TEXTS = (".json", ".jsonl", ".md", ".txt", ".jinja")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
# What huggingface_hub raises, the last one where a proxy or a login page answers instead of the Hub.
FAILURES = (httpx2.HTTPError, OSError, RuntimeError, HFValidationError, JSONDecodeError)
COUNTS = re.compile("layer|expert|block|depth|labels")  # names of settings that say how many parts to make
MOST_PARTS = 8  # modules and parameters for each array of weights
MAX_TABLES = 2**26  # numbers that a model computes and keeps, as masks and angles are
RETRY_SECONDS = (1, 2, 4, 8, 16)
BUSY = (408, 409, 412, 429)  # and 5xx: another try may do
MAX_TEXT = 2**24  # bytes of a card or a config
# Elements that run or load something, handlers of events, and links that are programs. Each is looked for wherever it
# stands, as the end of an element is a matter of quotes, and browsers take spaces out of the name of a program.
SCRIPT = re.compile(
    r"<\s*(script|iframe|object|embed|form|link|meta|base)\b"
    r"|[\s/\"']on(abort|after|animation|auxclick|before|begin|blur|cancel|canplay|change|click|close|context|copy|cut"
    r"|dblclick|drag|drop|end|error|focus|hash|input|invalid|key|load|message|mouse|page|paste|play|pointer|progress"
    r"|reset|resize|scroll|search|seek|select|show|start|submit|suspend|time|toggle|touch|transition|unload|volume"
    r"|wheel)\w*\s*=",
    re.IGNORECASE,
)
PROGRAM = re.compile("javascript:|vbscript:|data:text/html", re.IGNORECASE)
SPACES = re.compile(r"[\0-\x20]+")


def folder(
    name: str | Path, *, revision: str | None = None, token: str | None = None, repo_type: str = "model"
) -> Path:
    """The local folder of an artefact: `name` itself where that is a folder, else the snapshot of the Hub repo.

    Without a connection it is what the cache has, and stderr says so.

    Raises:
        ValueError: neither a folder nor a repo that can be reached, or in it a link leads out, a file is not what the
        manifest says, the card has a script, or a config asks for code of the repo.
    """
    if Path(name).is_dir():
        path = Path(name)
    else:
        repo_id, _, named = str(name).partition("@")
        revision = revision or named or None
        if revision and ".." in revision:
            raise ValueError(f"{name} has no revision {revision!r}: give a branch, a tag or a commit")
        path = _snapshot(repo_id, revision, token, repo_type)
    root = repo_cache(path) or path.resolve()  # a file of the cache is a link to a blob beside the snapshots
    for file in path.rglob("*"):
        if file.is_symlink() and not file.resolve().is_relative_to(root):
            raise ValueError(f"{name} has a link out of its folder, {file.relative_to(path)}: take the link away")
    for file in (*path.glob("README.md"), *path.glob("*.json")):
        if file.stat().st_size > MAX_TEXT and file.name != "tokenizer.json":
            raise ValueError(f"{name} has a {file.name} of {file.stat().st_size:,} bytes: refused")
    runs.check(path)
    check_card(path, name)
    for file in sorted(path.glob("*config.json")):
        key = asks_for_code(runs.read_json(file))
        if key:
            raise ValueError(f"{name} asks in {file.name} to run code of a repo ({key}): no code is run")
    return path


def asks_for_code(config: dict) -> str:
    """The key by which a config wants code run: of its own repo, or of one with kernels; empty without one."""
    for key, value in settings(config):
        if key == "auto_map" or (key.endswith("_implementation") and "/" in str(value)):
            return key
    return ""


def settings(config: object) -> Generator[tuple[str, Any]]:
    """The names and values in a config, also of the configs in it."""
    for key, value in config.items() if isinstance(config, dict) else ():
        yield key, value
        yield from settings(value)
    for value in config if isinstance(config, list) else ():
        yield from settings(value)


def repo_cache(path: Path) -> Path | None:
    """Where the cache keeps the repo that the folder `path` is, or is part of; None for what is not from the Hub."""
    for parent in path.resolve().parents:
        if parent.name == "snapshots" and parent.parent.name.startswith(("models--", "datasets--")):
            return parent.parent
    return None


def by_name(model: str) -> str:
    """`owner/name@commit` of a snapshot that lies in the cache of the Hub, else what is given."""
    path = Path(model).resolve()
    repo = repo_cache(path) if Path(model).is_dir() else None
    if repo is None or path.parent != repo / "snapshots" or repo.parent != Path(constants.HF_HUB_CACHE).resolve():
        return model
    return f"{repo.name.removeprefix('models--').replace('--', '/')}@{path.name}"


def origin(name: str | Path, path: Path) -> str:
    """What to record of an artefact `name` that was found in `path`: `owner/name@commit`, or its folder."""
    if repo_cache(path) and not Path(name).is_dir():
        return f"{str(name).partition('@')[0]}@{path.name}"
    return runs.without_place(str(name))


def load_pretrained(
    kind: Any,
    load: Callable[..., Any],
    name: str | Path,
    *,
    sizes: Callable[[dict], Mapping[str, float]],
    revision: str | None = None,
    token: str | None = None,
    **kwargs,
) -> Any:
    """What `load`, the transformers `from_pretrained` of the model class `kind`, makes of the artefact `name`.

    Args:
        kind: the class of the model.
        load: what loads it from a folder.
        name: a folder or a Hub repo.
        sizes: what a config must say, by name.
        revision: of the repo.
        token: for the Hub.
        kwargs: for `load`.

    Raises:
        ValueError: there is no such artefact, it is another kind of model, of another size, speaks another goal
        vocabulary, is damaged, or is nothing to be trusted.
    """
    path = folder(name, revision=revision, token=token)
    config = check_artefact(path, name, model_type=kind.config_class.model_type)
    check_goal_version(config.get("goal_version"), str(name))
    for field, size in sizes(config).items():
        if config.get(field, size) != size:
            raise ValueError(f"{name} has {field}={config[field]}, here it is {size}: give a model of this body")
    check_sizes(path, name, lambda: kind(kind.config_class.from_dict(config)))
    kwargs.setdefault("dtype", torch.float32)
    return load_weights(load, path, name, **kwargs)


def load_weights(load: Callable[..., Any], path: Path, name: str | Path, *, surplus: bool = False, **kwargs) -> Any:
    """What `load`, a `from_pretrained` of transformers, makes of the folder `path`: a model with all of its weights.

    Args:
        load: called with the folder and `kwargs`.
        path: the folder, whose config has been looked at.
        name: of the artefact, for messages.
        surplus: whether weights may lie there that the model has no place for.
        kwargs: for `load`.

    Raises:
        ValueError: weights are missing, of other shapes than the config says, damaged, or not finite.
    """
    try:
        model, report = load(path, output_loading_info=True, use_safetensors=True, **kwargs)
    except Exception as error:  # what comes from anywhere can be wrong in any way
        raise ValueError(
            f"{name} cannot be loaded ({first_line(error)}): the files are damaged or missing, make or load them again"
        ) from error
    extra = () if surplus else report["unexpected_keys"]
    wrong = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"], *extra]))
    if wrong:
        raise ValueError(
            f"{name} has other weights than its config.json says, {wrong[0]} for one: make or load it again"
        )
    check_finite(model, name)
    # Out of the file that they are mapped from: there they are not aligned, so that other kernels work on them, which
    # round otherwise, and a loaded model would not act exactly as the saved one. And files are replaced.
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()
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


def check_artefact(path: Path, name: str | Path, config: str = "config.json", model_type: str = "") -> dict:
    """The config of a model's folder, after a look at the kind of model that it says, and at the weights beside it.

    Raises:
        ValueError: it is of another kind than `model_type`, or the weights are missing or pickled.
    """
    held = runs.read_json(path / config).get("model_type") if (path / config).is_file() else model_type
    if model_type and held != model_type:
        raise ValueError(f"{name} holds a {held}: give a folder or repo of a {model_type}")
    if not list(path.glob("*.safetensors")):
        pickles = [file.name for file in sorted(path.iterdir()) if file.suffix in PICKLES]
        found = f"{pickles[0]} is a pickle, which can run code" if pickles else "it has no *.safetensors"
        raise ValueError(f"{name} cannot be loaded ({found}): give weights as safetensors")
    for index in path.glob("*.index.json"):
        places = runs.read_json(index).get("weight_map")
        for place in places.values() if isinstance(places, dict) else ():
            if place not in {file.name for file in path.iterdir()}:
                raise ValueError(f"{name} has weights in {str(place)!r:.60}, by {index.name}: no file of its folder")
    return runs.read_json(path / config)


def check_card(path: Path, name: str | Path) -> None:
    """Raise ValueError where the card in the folder `path` has a script in it."""
    card = path / "README.md"
    text = html.unescape(card.read_text(errors="replace")) if card.is_file() else ""
    found = SCRIPT.search(text) or PROGRAM.search(SPACES.sub("", text))
    if found:
        raise ValueError(f"{name} has a script in its README.md ({found[0]}): a card is text")


def check_sizes(path: Path, name: str | Path, build: Callable[[], Any]) -> None:
    """Raise ValueError where config.json declares a larger model than the weights beside it are, before it is made.

    `build` makes the model of the config; here it is called on the meta device, where nothing takes memory.
    """
    shapes = read_shapes(path, name)
    held = sum(math.prod(shape) for shape in shapes.values())
    for key, value in settings(runs.read_json(path / "config.json")):
        count = len(value) if isinstance(value, list) else value if COUNTS.search(key) else 0
        if isinstance(count, int) and count > len(shapes):
            raise ValueError(f"{name} declares {key}={value!r:.60}, its weights are {len(shapes)} arrays: refused")
    try:
        with torch.device("meta"), at_most(MOST_PARTS * len(shapes)):
            model = build()
    except Exception as error:  # a config from anywhere can be wrong in any way
        raise ValueError(f"{name} has a config.json that makes no model: {first_line(error)}") from error
    declared = sum(parameter.numel() for parameter in model.parameters())
    if declared > 2 * held:  # a head that is tied to the embeddings is not stored twice
        raise ValueError(f"{name} declares {declared:,} parameters, its weights are {held:,} numbers: refused")
    tables = sum(buffer.numel() for buffer in model.buffers())
    if tables > 2 * held + MAX_TABLES:
        raise ValueError(f"{name} declares tables of {tables:,} numbers, its weights are {held:,}: refused")


@contextlib.contextmanager
def at_most(count: int) -> Generator[None]:
    """Raise ValueError when more than `count` modules and parameters are made inside."""
    left = iter(range(count))

    def note(*_: object) -> None:
        if next(left, None) is None:
            raise ValueError(f"it has more than {count} parts")

    hooks = register_module_module_registration_hook(note), register_module_parameter_registration_hook(note)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def read_shapes(path: Path, name: str | Path) -> dict[str, list[int]]:
    """Names and shapes of the weights in a folder; the weights themselves are not read."""
    shapes: dict[str, list[int]] = {}
    try:
        for file in path.glob("*.safetensors"):
            with safe_open(file, "np") as weights:
                shapes |= {key: weights.get_slice(key).get_shape() for key in weights.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(
            f"{name} cannot be loaded ({first_line(error)}): the files are damaged, make or load them again"
        ) from error
    return shapes


def check_finite(model: Any, name: str | Path) -> None:
    """Raise ValueError where a weight of `model` is not finite."""
    for key, value in model.state_dict().items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} has weights that are not finite, {key} for one: make or load it again")


def check_acts(actor: Any, size: int, name: str | Path) -> None:
    """Raise ValueError where an actor answers an observation of `size` numbers with what is no action."""
    if not np.isfinite(actor.act(np.zeros(size, np.float32))).all():
        raise ValueError(f"{name} acts with numbers that are not finite: make or load it again")
    actor.reset()


@contextlib.contextmanager
def staging() -> Generator[Path]:
    """An empty folder to lay out what is to be pushed."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def published_files(path: str | Path) -> list[str]:
    """The files of an artefact, relative to its folder, without what only served its training."""
    return sorted(
        place.as_posix()
        for place in (file.relative_to(path) for file in Path(path).rglob("*") if file.is_file())
        if place.suffix in SUFFIXES
        and not any(PurePosixPath(part).match(pattern) for part in place.parts for pattern in runs.TRAINING_ONLY)
    )


def push_folder(
    path: str | Path, repo_id: str, *, private: bool = False, tag: str = "", token: str | None = None
) -> str:
    """Make a repo hold what an artefact's folder holds, in one commit, and return the commit's address.

    The repo is made when it is not there. What is there already is not sent again, so a push that was cut off goes on,
    and one of the same files makes no commit. A tag stays where it is.

    Raises:
        ValueError: the Hub refused, or could not be reached in several tries; the files hold a secret or a path of
        this machine; the repo is public and `private` was asked for; the tag is there, of other files.
    """
    folder, api = Path(path), HfApi(token=token)
    repo_type = "dataset" if (folder / "meta" / "info.json").is_file() else "model"
    files = published_files(folder)
    if "README.md" not in files:
        raise ValueError(f"{folder} has no README.md: give the folder of a whole artefact")
    check_card(folder, folder)
    check_private_words(folder, files, token)

    def push() -> str:
        api.create_repo(repo_id, private=private, repo_type=repo_type, exist_ok=True)
        if private and not api.repo_info(repo_id, repo_type=repo_type).private:
            raise ValueError("it is public: make it private on the Hub, or leave out --private")
        if tag in {each.name for each in api.list_repo_refs(repo_id, repo_type=repo_type).tags}:
            tagged = listing(tag)
            if set(tagged) != set(files) or not all(has_hash(folder / file, tagged[file]) for file in files):
                raise ValueError(f"it has a tag {tag} of other files: give another --tag")
        commit = api.create_commit(
            repo_id,
            [
                *(CommitOperationAdd(file, folder / file) for file in files),
                *(CommitOperationDelete(file) for file in sorted(set(listing("main")) - set(files))),
            ],
            commit_message=f"Publish {tag}".strip(),
            repo_type=repo_type,
        )
        if tag:
            api.create_tag(repo_id, tag=tag, revision=commit.oid, repo_type=repo_type, exist_ok=True)
        return str(commit.commit_url)

    def listing(revision: str) -> dict[str, str]:
        listed = api.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type=repo_type)
        return {
            file.path: file.lfs.sha256 if file.lfs else file.blob_id
            for file in listed
            if isinstance(file, RepoFile) and file.path != ".gitattributes"
        }

    try:
        return _patiently(push)
    except (*FAILURES, ValueError) as error:
        raise ValueError(f"{repo_id} cannot be pushed to ({_reason(error)})") from error


def publish(path: str | Path, repo_id: str, *, private: bool = False, tag: str = "") -> None:
    """Push what a script has made. A training does not die of it: what went wrong, and what to do, is one line."""
    try:
        print(f"published: {push_folder(path, repo_id, private=private, tag=tag)}", file=sys.stderr)
    except ValueError as error:
        flags = ["--private"] * private + ["--tag", tag] * bool(tag)
        again = shlex.join(["python", "publish.py", "--folder", str(path), "--push_to_hub", repo_id, *flags])
        print(f"{path} is whole, but not published: {error}. Try again: {again}", file=sys.stderr)


def check_private_words(path: Path, files: Sequence[str], token: str | None) -> None:
    """Raise ValueError where a text that is to be published has the token or a path of this machine in it."""
    folders = [str(path.resolve()), *(f"{place}/" for place in (Path.home(), Path.cwd()) if place != Path("/"))]
    for file in files:
        if file.endswith(TEXTS):
            text = (path / file).read_text(errors="replace")
            for words in filter(None, (token or get_token(), *folders)):
                if words in text:
                    what = f"the path {words}" if words in folders else "the Hub token"
                    raise ValueError(f"{path.name}/{file} has {what} in it: take it out")


def _snapshot(repo_id: str, revision: str | None, token: str | None, repo_type: str) -> Path:
    """The folder in the cache that holds a repo at a revision, every file of it as the Hub announced it."""
    name = f"{repo_id}@{revision}" if revision else repo_id
    api = HfApi(token=token)

    def download() -> Path:
        commit = api.repo_info(repo_id, revision=revision, repo_type=repo_type).sha
        listed = api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type=repo_type)
        files = [file for file in listed if isinstance(file, RepoFile)]
        check_names(name, files)
        new = [file for file in files if file.path.endswith(SUFFIXES) and not known(file.path, commit)]
        check_room(name, sum(file.size for file in new))
        path = get()
        if path.name != commit:
            raise ValueError(f"{name} was published anew while it was loaded: load it again")
        return path

    def known(file: str, commit: str | None) -> bool:
        return isinstance(try_to_load_from_cache(repo_id, file, revision=commit, repo_type=repo_type), str)

    def get(cached: bool = False) -> Path:
        path = snapshot_download(
            repo_id,
            revision=revision,
            token=token,
            repo_type=repo_type,
            allow_patterns=[f"*{suffix}" for suffix in SUFFIXES],
            local_files_only=cached,
        )
        return Path(path)

    def fetch() -> Path:
        try:
            return _patiently(download)
        except FAILURES as error:
            unusable = f"{name} is no folder, and no Hub repo that can be loaded ({_reason(error)}"
            if not (_may_pass(error) or isinstance(error, OfflineModeIsEnabled)):
                raise ValueError(f"{unusable}): give a path that exists or owner/name") from error
            try:
                path = get(cached=True)
            except (OSError, HFValidationError):
                raise ValueError(
                    f"{unusable}, and it is not in the cache): give a path that exists or owner/name"
                ) from error
            print(f"the Hub cannot be reached: taking {name} at {path.name[:7]} from the cache", file=sys.stderr)
            return path

    for _ in range(2):  # what is damaged is loaded once more
        path = fetch()
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
    """Raise ValueError where the cache has no room for `size` bytes."""
    cache = Path(constants.HF_HUB_CACHE)
    free = shutil.disk_usage(next(each for each in (cache, *cache.parents) if each.exists())).free
    if size > free:
        raise ValueError(f"{name} needs {size / 1e9:.1f} GB, the disk has {free / 1e9:.1f} left: make room")


def drop_damaged(path: Path) -> list[str]:
    """Remove from the cache the files of a snapshot that are not what they should be, and return their names."""
    links = [file for file in sorted(path.rglob("*")) if file.is_symlink()]
    blobs = {link.resolve() for link in links}  # each is named by its hash
    broken = {blob for blob in blobs if not (blob.is_file() and has_hash(blob, blob.name))}
    damaged = [link for link in links if link.resolve() in broken]
    for file in (*damaged, *broken):
        file.unlink(missing_ok=True)
    return [link.relative_to(path).as_posix() for link in damaged]


def has_hash(file: Path, name: str) -> bool:
    """Whether `name` is the hash that the Hub has for the content of `file`: its sha256, or git's sha1."""
    with file.open("rb") as stream:
        if len(name) == 64:
            return hashlib.file_digest(stream, "sha256").hexdigest() == name
        return hashlib.sha1(b"blob %d\0" % file.stat().st_size + stream.read()).hexdigest() == name


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _patiently(call: Callable[[], T]) -> T:
    """What `call` returns, which is tried again, ever later, as long as the Hub is busy or the connection breaks.

    Where nobody answers at all, there is nothing to wait for.
    """
    for wait in (*RETRY_SECONDS, None):
        try:
            return call()
        except FAILURES as error:
            if wait is None or isinstance(error, httpx2.ConnectError) or not _may_pass(error):
                raise
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _causes(error: BaseException | None) -> Generator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _may_pass(error: BaseException) -> bool:
    """Whether the same may go well later: the Hub was busy, or the connection broke."""
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
            return f"{status}: {' '.join((cause.server_message or first_line(cause)).split())}"
        if isinstance(cause, JSONDecodeError):
            return "what answers is no Hub: look for a proxy or a login page"
    return first_line(error)
