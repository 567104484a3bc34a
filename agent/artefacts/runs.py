"""The output folder of a stage: what made it, how it went, and files that are complete the moment they exist."""

import contextlib
import dataclasses
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
from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import filelock

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

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
# What the system answers where nothing can be written: no room, no right, or no such place.
UNWRITABLE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
}
METRICS = "metrics.jsonl"
CURVES = "curves.png"
PROVENANCE = "provenance.json"
SUMMARY = "summary.json"
MANIFEST = "manifest.json"
# What a manifest covers: all that is loaded. Cards, pictures and records of how it was made may change later.
SEALED = (".safetensors", ".json", ".parquet", ".txt", ".model", ".jinja", ".bin", ".pkl", ".pt", ".pth")
UNSEALED = (PROVENANCE, SUMMARY, MANIFEST)
# What only served the training of an artefact, in its folder.
TRAINING_ONLY = ("*_training", "checkpoint*", "last", "runs", "not_finite.safetensors", ".*")


def claim(folder: str | Path) -> filelock.BaseFileLock:
    """Keep other runs out of `folder` while what is returned lives; no longer than this process, however that ends.

    Raises:
        ValueError: another run is in it.
    """
    lock = filelock.FileLock(Path(folder) / ".lock")
    try:
        with writing(Path(folder) / ".lock"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ValueError(f"another run writes into {folder}: give another output_dir, or end that run") from error
    return lock


@contextlib.contextmanager
def writing(path: str | Path, size: int = 0) -> Generator[None]:
    """Inside, `path` is written; there is room for `size` bytes of it.

    Raises:
        ValueError: there is no room or no right to write; in one line, with the path, what is needed and what is free.
    """
    path = Path(path)
    place = next(each for each in path.absolute().parents if each.is_dir())
    try:
        if size:
            with tempfile.TemporaryFile(dir=place) as stream:
                os.posix_fallocate(stream.fileno(), 0, size)
        yield
    except Exception as error:
        # safetensors says in words what the system said
        said = re.search(r"os error (\d+)", str(error))
        number = error.errno if isinstance(error, OSError) else int(said[1]) if said else None
        if number not in UNWRITABLE:
            raise
        needed = f"it needs {size / 1e6:.3f} MB, " if size else ""
        free = f"{shutil.disk_usage(place).free / 1e6:.3f} MB are free there"
        raise ValueError(
            f"{path} cannot be written ({os.strerror(number)}): {needed}{free}; make room, or give another place"
        ) from error


@dataclass
class Interruption:
    """The signal that asked a run to stop, 0 while none did."""

    signal: int = 0


@contextlib.contextmanager
def interruptible() -> Generator[Interruption]:
    """Inside, a first SIGINT or SIGTERM is noted, so that a run can save and stop; a second one ends the process at
    once.
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
    """The sha256 of what `files` of a folder hold, wherever it is.

    What its manifest has, which hub.folder has compared with the files, is not read again.
    """
    known = read_manifest(folder)
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    hashes = {name: known.get(name) or digest(folder / name) for name in names}
    return hashlib.sha256(repr(hashes).encode()).hexdigest()


def check_resume(folder: str | Path, arguments: "DataclassInstance", free: Collection[str]) -> None:
    """Look whether the run in `folder` may go on with `arguments`, as many processes, and the libraries that there
    are; what is in `free` may have changed.

    Raises:
        ValueError: others have changed; all of them are listed.
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
    """A path to write a file or folder at; it takes the place of `path` only once it is whole and on the disk.

    There is room for `size` bytes, and for as many as `path` has now. A folder is sealed.

    Raises:
        ValueError: there is no room or no right to write; what was there is as it was.
    """
    path = Path(path)
    beside, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    with writing(path, max(size, sum(file.stat().st_size for file in _files(path)))):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(beside)
        try:
            yield beside
            if beside.is_dir():
                seal(beside)
            _sync(beside)
        except Exception:
            _remove(beside)  # what is half written takes room
            raise
        if path.is_dir():
            _remove(old)
            path.rename(old)
        beside.replace(path)
        _remove(old)


def newest(path: str | Path) -> Path | None:
    """The last whole version of `path` that `replacing` left, also when it was stopped between its two renames.

    Raises:
        ValueError: a file in it is not what was written.
    """
    path = Path(path)
    found = next((each for each in (path, path.with_name(f".{path.name}.old")) if each.exists()), None)
    if found is not None:
        check(found)
    return found


@contextlib.contextmanager
def placing(folder: str | Path, size: int = 0) -> Generator[Path]:
    """A folder to write files of `size` bytes in, which then take their places in `folder`, beside the others there.
    That is sealed.

    Stopped in between, `folder` has no manifest until the next time, but each of its files is whole.

    Raises:
        ValueError: there is no room or no right to write; what was there is as it was.
    """
    folder = Path(folder)
    beside = folder / ".new"
    with writing(beside, size):
        _remove(beside)
        beside.mkdir(parents=True)
        try:
            yield beside
            _sync(beside)
        except Exception:
            _remove(beside)  # what is half written takes room
            raise
    files = [file.relative_to(beside) for file in _files(beside)]
    changed = {file.as_posix() for file in files}
    known = {name: value for name, value in read_manifest(folder).items() if name not in changed}
    if any((folder / file).exists() for file in files):
        (folder / MANIFEST).unlink(missing_ok=True)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (beside / file).replace(folder / file)
    _remove(beside)
    seal(folder, known)


def seal(folder: str | Path, known: Mapping[str, str] | None = None) -> None:
    """Write the manifest of `folder`: the hash of every file that is loaded from it, but for folders in it that have
    one of their own. Those `known` are not computed again.
    """
    folder, known = Path(folder), known or {}
    own = {path.parent for path in folder.rglob(MANIFEST)} - {folder}
    hashes = {}
    for file in sorted(folder.rglob("*")):
        place = file.relative_to(folder)
        aside = any(PurePosixPath(part).match(pattern) for part in place.parts for pattern in TRAINING_ONLY)
        covered = file.suffix in SEALED and file.name not in UNSEALED and not aside and own.isdisjoint(file.parents)
        if covered and file.is_file():
            hashes[place.as_posix()] = known.get(place.as_posix()) or digest(file)
    write_json(folder / MANIFEST, {"sha256": hashes})


def read_manifest(folder: str | Path) -> dict[str, str]:
    """The hash of each file that the manifest of `folder` covers; empty where there is none.

    Raises:
        ValueError: it is damaged, or has a file that would lie outside of its folder.
    """
    path = Path(folder) / MANIFEST
    hashes = read_json(path).get("sha256") if path.exists() else {}
    if not isinstance(hashes, dict):
        raise ValueError(f"{path} has no hashes: the file is damaged, make or load it again")
    for name in hashes:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{path} has a file {name!r} that would lie outside of its folder: refused")
    return hashes


def check(folder: str | Path, *, may_lack: bool = False) -> None:
    """Raise ValueError, naming the file, where `folder` is not what its manifest says, if it has one.

    Files that it lacks are fine where it `may_lack` some.
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
    """Write `value` as indented JSON, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


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


def record_provenance(
    folder: str | Path, arguments: "DataclassInstance", upstream: Mapping[str, str] | None = None
) -> dict:
    """Write what made `folder`: script, resolved arguments, library versions and the artefacts it was made from."""
    provenance = {
        "command": shlex.join([Path(sys.argv[0]).name, *map(without_place, sys.argv[1:])]),
        "arguments": resolved(arguments),
        "processes": started_processes(),
        "python": platform.python_version(),
        "libraries": library_versions(),
        "upstream": dict(upstream or {}),
    }
    write_json(Path(folder) / PROVENANCE, provenance)
    return provenance


def started_processes() -> int:
    """How many processes the launcher says it starts."""
    return int(os.environ.get("WORLD_SIZE", 1))


def library_versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def resolved(arguments: "DataclassInstance") -> dict:
    """Arguments by name, as anyone may read them."""

    def readable(value: object) -> object:
        if isinstance(value, list):
            return [readable(each) for each in value]
        return without_place(value) if isinstance(value, str) else value

    return {name: readable(value) for name, value in dataclasses.asdict(arguments).items()}


def without_place(value: str) -> str:
    """A path, or `--flag=path`, as anyone may read it: only the name of one that leads out of the working folder."""
    flag, equals, path = value.rpartition("=") if value.startswith("--") else ("", "", value)
    leads_out = Path(path).is_absolute() or ".." in Path(path).parts or path.startswith("~")
    return flag + equals + Path(path).name if leads_out else value


def write_summary(folder: str | Path, *, stage: str, made: str, seconds: float, metric: str) -> None:
    """Say what a stage made. Written last, so that a folder with a summary is a complete one."""
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

    A row is a dict of floats with a `step`. A resumed run drops the rows after the step that it resumes from, a new
    one all of them.

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
        with replacing(path) as beside:
            beside.write_text("".join(json.dumps(row) + "\n" for row in self.rows))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step, **{name: float(value) for name, value in values.items()}}
        self.rows.append(row)
        with writing(self.folder / METRICS), (self.folder / METRICS).open("a") as stream:
            stream.write(json.dumps(row) + "\n")

    def draw(self) -> None:
        """Draw every metric over steps into `curves.png`."""
        import matplotlib  # half a second that only a run with curves needs

        matplotlib.use("agg")
        from matplotlib import pyplot

        names = sorted({name for row in self.rows for name in row} - {"step"})
        columns = 4
        rows = max(1, -(-len(names) // columns))
        figure, axes = pyplot.subplots(rows, columns, figsize=(16, 2.6 * rows), squeeze=False)
        for axis in axes.flat[len(names) :]:
            axis.axis("off")
        for axis, name in zip(axes.flat, names, strict=False):
            points = [(row["step"], row[name]) for row in self.rows if name in row]
            axis.plot(*zip(*points, strict=True), linewidth=1, marker="." if len(points) < 10 else None)
            axis.set_title(name, fontsize=9)
            axis.tick_params(labelsize=7)
        figure.tight_layout()
        with replacing(self.folder / CURVES) as beside:
            figure.savefig(beside, format="png", dpi=80)
        pyplot.close(figure)


def _files(path: Path) -> list[Path]:
    """A file, or every file in a folder; none where there is nothing."""
    return [file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]


def _sync(path: Path) -> None:
    """Return when a file, or every file in a folder, is on the disk."""
    for file in _files(path):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
