"""The output folder of a stage: what made it, how it went, and files that are complete the moment they exist."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import signal
import sys
from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
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
METRICS = "metrics.jsonl"
CURVES = "curves.png"
PROVENANCE = "provenance.json"
SUMMARY = "summary.json"


def claim(folder: str | Path) -> filelock.BaseFileLock:
    """Keep other runs out of `folder` while what is returned lives; no longer than this process, however that ends.

    Raises:
        ValueError: another run is in it.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(Path(folder) / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ValueError(f"another run writes into {folder}: give another output_dir, or end that run") from error
    return lock


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


def check_resume(folder: str | Path, arguments: "DataclassInstance", free: Collection[str]) -> None:
    """Look whether the run in `folder` may go on with `arguments`; those in `free` may have changed.

    Raises:
        ValueError: others have changed; all of them are listed.
    """
    before = read_json(Path(folder) / PROVENANCE)["arguments"]
    changed = [
        f"{name} was {before.get(name)!r} and is {value!r}"
        for name, value in resolved(arguments).items()
        if name not in free and before.get(name) != value
    ]
    if changed:
        raise ValueError(f"{folder} cannot be resumed with other arguments: {', '.join(changed)}")


@contextlib.contextmanager
def replacing(path: str | Path) -> Generator[Path]:
    """A path to write a file or folder at; it takes the place of `path` only once it is whole and on the disk."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    _remove(beside)
    yield beside
    for file in sorted(beside.rglob("*")) if beside.is_dir() else [beside]:
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
    if path.is_dir():
        _remove(old)
        path.rename(old)
    beside.replace(path)
    _remove(old)


def newest(path: str | Path) -> Path | None:
    """The last whole version of `path` that `replacing` left, also when it was stopped between its two renames."""
    path = Path(path)
    old = path.with_name(f".{path.name}.old")
    return path if path.exists() else old if old.exists() else None


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
        "processes": int(os.environ.get("WORLD_SIZE", 1)),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "upstream": dict(upstream or {}),
    }
    write_json(Path(folder) / PROVENANCE, provenance)
    return provenance


def resolved(arguments: "DataclassInstance") -> dict:
    """Arguments by name, as anyone may read them."""
    return {
        name: without_place(value) if isinstance(value, str) else value
        for name, value in dataclasses.asdict(arguments).items()
    }


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

    A row is a dict of floats with a `step`. A resumed run drops the rows after the step that it resumes from.

    Raises:
        ValueError: another run writes into `folder`.
    """

    def __init__(self, folder: str | Path, resume_step: int = 0):
        self.folder = Path(folder)
        self.lock = claim(folder)
        path = self.folder / METRICS
        rows = (
            [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []
        )
        self.rows = [row for row in rows if row["step"] <= resume_step]
        path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step, **{name: float(value) for name, value in values.items()}}
        self.rows.append(row)
        with (self.folder / METRICS).open("a") as stream:
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
            axis.plot(*zip(*points, strict=True), linewidth=1)
            axis.set_title(name, fontsize=9)
            axis.tick_params(labelsize=7)
        figure.tight_layout()
        with replacing(self.folder / CURVES) as beside:
            figure.savefig(beside, format="png", dpi=80)
        pyplot.close(figure)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
