"""The output folder of a stage: its provenance, its metrics, and files that are complete as soon as they exist."""

import contextlib
import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import filelock

LIBRARIES = (
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "peft",
    "trl",
    "huggingface_hub",
    "gymnasium",
    "mujoco",
    "numpy",
)
# Errors of the system where nothing can be written: no room, no permission, or no such place.
UNWRITABLE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
}
METRICS = "metrics.jsonl"
CURVES = "curves.png"
PROVENANCE = "provenance.json"
SUMMARY = "summary.json"
MANIFEST = "manifest.json"
# File types that a manifest covers: everything that is loaded. Cards, pictures and records may change later.
SEALED = (".safetensors", ".json", ".parquet", ".txt", ".model", ".jinja", ".bin", ".pkl", ".pt", ".pth")
UNSEALED = (PROVENANCE, SUMMARY, MANIFEST)
# Files in an artefact's folder that only its training needs.
TRAINING_ONLY = ("checkpoint*", "last", "runs", ".*")


def claim(folder: str | Path) -> filelock.BaseFileLock:
    """Lock `folder` against other runs while the returned lock exists, at most until this process ends. Raises
    ValueError if another run is using it.
    """
    lock = filelock.FileLock(Path(folder) / ".lock")
    try:
        with writing(lock.lock_file):
            lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise ValueError(f"another run writes into {folder}: give another output_dir, or end that run") from error
    return lock


@contextlib.contextmanager
def writing(path: str | Path, size: int = 0) -> Generator[None]:
    """A context in which `path` is written, entered once there is room for `size` bytes.

    Raises:
        ValueError: there is no room or no permission to write; in one line, with the path, the needed and the free
        space.
    """
    path = Path(path)
    place = next(each for each in path.absolute().parents if each.is_dir())
    try:
        if size:
            with tempfile.TemporaryFile(dir=place) as stream:
                os.posix_fallocate(stream.fileno(), 0, size)
        yield
    except Exception as error:
        found = re.search(r"os error (\d+)", str(error))  # how safetensors reports it
        number = error.errno if isinstance(error, OSError) else int(found[1]) if found else None
        if number not in UNWRITABLE:
            raise
        needed = f"it needs {size / 1e6:.3f} MB, " if size else ""
        free = f"{shutil.disk_usage(place).free / 1e6:.3f} MB are free there"
        raise ValueError(
            f"{path} cannot be written ({os.strerror(number)}): {needed}{free}; make room, or give another place"
        ) from error


@dataclass
class Interruption:
    """The signal that asked a run to stop; 0 if there was none."""

    signal: int = 0


@contextlib.contextmanager
def interruptible() -> Generator[Interruption]:
    """A context in which a first SIGINT or SIGTERM is only noted, so that a run can save and stop. A second one ends
    the process at once.
    """
    noted = Interruption()

    def note(number: int, frame: object) -> None:
        if noted.signal:
            os._exit(128 + number)
        noted.signal = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def digest(path: str | Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(folder: Path, files: Iterable[Path]) -> str:
    """The sha256 of the contents of `files` in a folder, independent of where the folder is.

    Hashes in its manifest, which hub.folder has compared with the files, are not computed again.
    """
    known = read_manifest(folder)
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    hashes = {name: known.get(name) or digest(folder / name) for name in names}
    return hashlib.sha256(repr(hashes).encode()).hexdigest()


def check_resume(folder: str | Path, arguments: object, free: Collection[str]) -> None:
    """Check that the run in `folder` may be resumed: with the same arguments except those in `free`, the same number
    of processes, and the same library versions. Raises ValueError, with all changes, if anything else has changed.
    """
    record = read_json(Path(folder) / PROVENANCE)
    before = record["arguments"] | record["libraries"] | {"processes": record["processes"]}
    now = resolved(arguments) | library_versions() | {"processes": started_processes()}
    changed = [
        f"{name} was {before.get(name)!r} and is {value!r}"
        for name, value in now.items()
        if name not in free and before.get(name) != value
    ]
    if changed:
        raise ValueError(f"{folder} cannot be resumed with other arguments or versions: {', '.join(changed)}")


@contextlib.contextmanager
def replacing(path: str | Path, size: int = 0) -> Generator[Path]:
    """A path to write a new version of the file or folder `path` at. It replaces `path` only once it is complete and
    on the disk; a folder is sealed.

    There is room for at least `size` bytes, and for the present size of `path`.

    Raises:
        ValueError: there is no room or no permission to write; the old version is unchanged.
    """
    path = Path(path)
    old = _old(path)
    size = max(size, sum(file.stat().st_size for file in _files(path)))
    with _writing_to(path.with_name(f".{path.name}.new"), path, size) as new:
        yield new
        if new.is_dir():
            seal(new)
    if path.is_dir():  # a folder cannot be replaced in one step
        _remove(old)
        path.rename(old)
    new.replace(path)
    _remove(old)


def make_once(folder: Path, make: Callable[[], None]) -> None:
    """Call `make`, which writes `folder` by `replacing`, unless the folder exists. Of several processes that call this
    at the same time, one makes the folder, and the others wait for it.
    """
    if folder.is_dir():
        return
    lock = folder.with_name(f"{folder.name}.lock")
    with writing(lock), filelock.FileLock(lock):
        if not folder.is_dir():  # another process may have made it while this one waited
            make()


def newest(path: str | Path) -> Path | None:
    """The last complete version of `path` that `replacing` left, even if it was stopped between its two renames.
    Raises ValueError if a file in it is damaged.
    """
    found = next((each for each in (Path(path), _old(Path(path))) if each.exists()), None)
    if found is not None:
        check(found)
    return found


@contextlib.contextmanager
def placing(folder: str | Path, size: int = 0) -> Generator[Path]:
    """A temporary folder to write new files of `size` bytes in. They then move to `folder` and replace files of the
    same name, and `folder` is sealed.

    A process that is killed during the move leaves `folder` without a manifest, but with every file complete.

    Raises:
        ValueError: there is no room or no permission to write; `folder` is unchanged.
    """
    folder = Path(folder)
    with _writing_to(folder / ".new", folder, size) as new:
        new.mkdir()
        yield new
    files = [file.relative_to(new) for file in _files(new)]
    changed = {file.as_posix() for file in files}
    known = {name: value for name, value in read_manifest(folder).items() if name not in changed}
    if any((folder / file).exists() for file in files):
        (folder / MANIFEST).unlink(missing_ok=True)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (new / file).replace(folder / file)
    _remove(new)
    seal(folder, known)


@contextlib.contextmanager
def _writing_to(new: Path, path: Path, size: int) -> Generator[Path]:
    """`new`, which does not exist yet, and is on the disk afterwards. An error removes it, to free its space."""
    with writing(path, size):
        new.parent.mkdir(parents=True, exist_ok=True)
        _remove(new)
        try:
            yield new
            for file in _files(new):
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        except Exception:
            _remove(new)
            raise


def seal(folder: str | Path, known: Mapping[str, str] | None = None) -> None:
    """Write the manifest of `folder`: the hash of every file that is loaded from it, except in subfolders that have a
    manifest of their own. Hashes that are `known` are not computed again.
    """
    folder, known = Path(folder), known or {}
    sealed = {path.parent for path in folder.rglob(MANIFEST)} - {folder}
    hashes = {}
    for file in sorted(folder.rglob("*")):
        place = file.relative_to(folder)
        covered = file.suffix in SEALED and file.name not in UNSEALED and not is_training_only(place)
        if covered and sealed.isdisjoint(file.parents) and file.is_file():
            hashes[place.as_posix()] = known.get(place.as_posix()) or digest(file)
    write_json(folder / MANIFEST, {"sha256": hashes})


def is_training_only(place: Path) -> bool:
    """Whether only the training of an artefact needs the file at `place` in its folder."""
    return any(fnmatch(part, pattern) for part in place.parts for pattern in TRAINING_ONLY)


def read_manifest(folder: str | Path) -> dict[str, str]:
    """The hash of each file that the manifest of `folder` covers; empty where there is none. Raises ValueError if it
    is damaged, or has a file that would lie outside of its folder.
    """
    path = Path(folder) / MANIFEST
    hashes = read_json(path).get("sha256") if path.exists() else {}
    if not isinstance(hashes, dict):
        raise ValueError(f"{path} has no hashes: the file is damaged, make or load it again")
    for name in hashes:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{path} has a file {name!r} that would lie outside of its folder: refused")
    return hashes


def check(folder: str | Path, *, may_lack: bool = False) -> None:
    """Raise ValueError, naming the file, if `folder` differs from its manifest. A folder without a manifest passes.

    With `may_lack`, files may be missing.
    """
    for name, value in read_manifest(folder).items():
        path = Path(folder) / name
        if not path.is_file():
            if may_lack:
                continue
            raise ValueError(f"{path} is missing, {MANIFEST} has it: make or load it again")
        if digest(path) != value:
            raise ValueError(
                f"{path} is not what {MANIFEST} says: it is damaged, make or load it again; "
                f"if it was changed on purpose, remove {MANIFEST}"
            )


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON, completely or not at all."""
    with replacing(path) as new:
        new.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> dict:
    """The JSON object in `path`. Raises ValueError when there is none."""
    try:
        value = json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: give the folder of a whole artefact") from error
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f"{path} is no JSON ({error}): the file is damaged, make or load it again") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object: the file is damaged, make or load it again")
    return value


def record_provenance(folder: str | Path, arguments: object, upstream: Mapping[str, str] | None = None) -> dict:
    """Record how `folder` was made: command, resolved arguments, library versions, and upstream artefacts."""
    provenance = {
        "command": re.sub(
            r"(?i) --resume(=\S+| true)?(?= |$)",  # a new run has nothing to resume
            "",
            shlex.join([Path(sys.argv[0]).name, *map(strip_location, sys.argv[1:])]),
        ),
        "arguments": resolved(arguments),
        "processes": started_processes(),
        "python": platform.python_version(),
        "libraries": library_versions(),
        "upstream": dict(upstream or {}),
    }
    write_json(Path(folder) / PROVENANCE, provenance)
    return provenance


def started_processes() -> int:
    """How many processes the launcher starts, as it announces."""
    return int(os.environ.get("WORLD_SIZE", 1))


def library_versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def resolved(arguments: object) -> dict:
    """The fields of a dataclass of arguments by name, without locations on this machine."""

    def public(value: object) -> object:
        if isinstance(value, list):
            return [public(each) for each in value]
        return strip_location(value) if isinstance(value, str) else value

    return {name: public(value) for name, value in vars(arguments).items()}


def strip_location(value: str) -> str:
    """A path, or `--flag=path`, that may be published: the last name of a path outside of the working folder."""
    flag, equals, path = value.rpartition("=") if value.startswith("--") else ("", "", value)
    outside = Path(path).is_absolute() or ".." in Path(path).parts or path.startswith("~")
    return flag + equals + Path(path).name if outside else value


def write_summary(folder: str | Path, *, stage: str, made: str, seconds: float, metric: str) -> None:
    """Describe a stage's output. Written last, so that a folder with a summary is complete."""
    write_json(Path(folder) / SUMMARY, {"stage": stage, "made": made, "seconds": round(seconds), "metric": metric})


def table(folders: Iterable[str | Path]) -> str:
    """The `summary.json` of each stage's folder as one aligned table."""
    rows = [("stage", "what was made", "seconds", "key metric")]
    for summary in (read_json(Path(folder) / SUMMARY) for folder in folders):
        rows.append((summary["stage"], summary["made"], f"{summary['seconds']:.0f}", summary["metric"]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


class Metrics:
    """Rows of numbers over steps, in `metrics.jsonl`, and their curves as a picture.

    A row is a dict of floats with a `step`. A resumed run drops the rows after the step that it resumes from; a new
    run drops all rows.

    Raises:
        ValueError: another run writes into `folder`.
    """

    def __init__(self, folder: str | Path, resume_step: int | None = None):
        self.folder = Path(folder)
        self.lock = claim(folder)
        path, self.rows = self.folder / METRICS, []
        if resume_step is not None and path.exists():
            rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
            self.rows = [row for row in rows if row["step"] <= resume_step]
        with replacing(path) as new:
            new.write_text("".join(json.dumps(row) + "\n" for row in self.rows))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step, **{name: float(value) for name, value in values.items()}}
        self.rows.append(row)
        with writing(self.folder / METRICS), (self.folder / METRICS).open("a") as stream:
            stream.write(json.dumps(row) + "\n")

    def draw(self) -> None:
        """Draw every metric over steps into `curves.png`."""
        from matplotlib.figure import Figure  # only a training draws

        names = sorted({name for row in self.rows for name in row} - {"step"})
        rows = max(1, -(-len(names) // 4))
        figure = Figure(figsize=(16, 2.6 * rows), layout="tight")
        for place, name in enumerate(names, 1):
            axis = figure.add_subplot(rows, 4, place)
            points = [(row["step"], row[name]) for row in self.rows if name in row]
            axis.plot(*zip(*points, strict=True), linewidth=1, marker="." if len(points) < 10 else None)
            axis.set_title(name, fontsize=9)
            axis.tick_params(labelsize=7)
        with replacing(self.folder / CURVES) as new:
            figure.savefig(new, format="png", dpi=80)


def _old(path: Path) -> Path:
    """Where `replacing` keeps a folder between its two renames."""
    return path.with_name(f".{path.name}.old")


def _files(path: Path) -> list[Path]:
    """A file, or every file in a folder; none where there is nothing."""
    return [file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def discard(folder: Path, *names: str) -> None:
    """Remove these files and folders from `folder`, with the old versions that `replacing` left."""
    for name in names:
        _remove(_old(folder / name))
        _remove(folder / name)
