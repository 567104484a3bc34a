"""Arguments of every script: one strict dataclass, then `--config FILE`, then the command line.

Precedence is default < YAML < command line. A mistake in either ends the program with one line on stderr and exit code
2, before any work.
"""

import contextlib
import dataclasses
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import yaml
from huggingface_hub.errors import StrictDataclassError
from transformers import HfArgumentParser

from agent.artefacts.runs import UNWRITABLE, started_processes

T = TypeVar("T")


def option(default: Any, help: str) -> Any:
    """A field of an arguments dataclass with its help text."""
    return field(default=default, metadata={"help": help})


def check_counts(arguments: object, *names: str) -> None:
    """Raise ValueError for an argument that is less than 1."""
    for name in names:
        if getattr(arguments, name) < 1:
            raise ValueError(f"{name}={getattr(arguments, name)} must be at least 1")


def check_shares(arguments: object, *names: str) -> None:
    """Raise ValueError for an argument that is not from 0 to 1."""
    for name in names:
        if not 0 <= getattr(arguments, name) <= 1:
            raise ValueError(f"{name}={getattr(arguments, name)} must be from 0 to 1")


def check_decay(arguments: Any) -> None:
    """Raise ValueError if the average of the weights would never leave the first ones."""
    if not 0 <= arguments.average_decay < 1:
        raise ValueError(f"average_decay={arguments.average_decay} must be at least 0 and less than 1")


@dataclass
class PublishArguments:
    """Where to publish the stage's output."""

    push_to_hub: str = option("", "Hub repo, owner/name, to publish the result in")
    private: bool = option(False, "make that repo a private one")
    tag: str = option("", "name of the release, a tag in that repo")

    def validate_push(self):
        if self.push_to_hub and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.push_to_hub):
            raise ValueError(f"push_to_hub={self.push_to_hub!r} must be a Hub repo, owner/name")
        if (self.private or self.tag) and not self.push_to_hub:
            raise ValueError("--private and --tag apply to what is published: give --push_to_hub too")


@dataclass
class StageArguments(PublishArguments):
    """Arguments of every stage: where to publish its output, and how many processes must run it."""

    num_processes: int = option(0, "processes that must have started; 0: the number that the launcher announces")

    def check_processes(self, started: int, *, may_shard: bool = False) -> None:
        """Raise ValueError unless the launcher `started` as many processes as requested, and asked for FSDP only if
        the stage `may_shard` its model on this machine.

        Without a GPU, accelerate can start one process instead of several, and it does not shard a model. It reports
        neither.
        """
        asked = self.num_processes or started_processes()
        if started != asked:
            raise ValueError(
                f"num_processes={asked}, but {started} started: launch with a config file from configs/accelerate"
            )
        # `accelerate launch --cpu --num_processes 2` sets a rendezvous port but starts one process.
        if {"ACCELERATE_USE_CPU", "MASTER_PORT"} <= os.environ.keys() and started == 1:
            raise ValueError(
                "the launcher was asked for several processes and started one, as it does for --cpu and MULTI_CPU: "
                "launch with a file of configs/accelerate"
            )
        if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true" and not may_shard:
            raise ValueError("FSDP is for finetune_llm.py on GPUs: launch with another file of configs/accelerate")


@dataclass
class TrainingArguments(StageArguments):
    """Arguments of every training: those of a stage, and the experiment tracker."""

    report_to: str = option("tensorboard", "experiment tracker: tensorboard, trackio, wandb or none")

    def validate_report_to(self):
        """Refuse a tracker that is not installed, because Accelerate would silently train without it."""
        if self.report_to == "none":
            return
        from accelerate.tracking import get_available_trackers  # only a training needs it

        choices = [*(tracker.value for tracker in get_available_trackers()), "none"]
        if self.report_to not in choices:
            raise ValueError(
                f"report_to={self.report_to!r} is not installed: pip install it, or choose {' or '.join(choices)}"
            )


# Arguments that may differ when a run is resumed, in every stage.
ALWAYS_FREE = {"resume", "output_dir", *(each.name for each in dataclasses.fields(TrainingArguments))}


class OneLineParser(HfArgumentParser):
    """A parser that raises a ValueError of one line, instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see python {self.prog} --help)")


def parse_arguments(kind: type[T], argv: Sequence[str] | None = None) -> T:
    """Parse the command line and its YAML file into a `kind`. Raises ValueError of one line for a mistake.

    `kind` is decorated with `huggingface_hub.dataclasses.strict`, which checks the types of its fields and calls its
    `validate_*` methods. A mistake that is only in the YAML file is reported with the file's name.
    """
    first = OneLineParser([], add_help=False, allow_abbrev=False)
    first.add_argument("--config", default="")
    known, argv = first.parse_known_args(argv)
    path, config = known.config, _read_config(known.config) if known.config else {}
    try:
        return _parse(kind, argv, config)
    except (StrictDataclassError, ValueError) as error:
        message = one_line(error.__cause__ or error)
        with contextlib.suppress(StrictDataclassError, ValueError):
            _parse(kind, argv, {})
            message = f"{path}: {message}"  # without the file there is no mistake
        raise ValueError(message) from error


def _read_config(path: str) -> dict[str, Any]:
    """The values in a YAML file by name. Raises ValueError where it is not a mapping, or cannot be read."""
    try:
        config = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ValueError(f"cannot read config file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {one_line(error)}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} is not a YAML mapping, but {config!r:.60}")
    return config


def _parse(kind: type[T], argv: list[str], config: dict[str, Any]) -> T:
    parser = OneLineParser(kind, allow_abbrev=False)  # ty: ignore[invalid-argument-type]
    names = {each.name for each in dataclasses.fields(kind)}  # ty: ignore[invalid-argument-type]
    for name, value in config.items():
        if name not in names:
            raise ValueError(f"{name}={value!r:.60} is not an argument of {parser.prog} (see --help)")
    parser.set_defaults(**config)
    (arguments,) = parser.parse_args_into_dataclasses(argv, look_for_args_file=False)
    check_numbers(arguments)
    return cast(T, arguments)


def check_numbers(arguments: object) -> None:
    """Raise ValueError for a number that no script accepts: one that is negative or not finite, an integer beyond 63
    bits, or a seed beyond 32 bits.
    """
    for name, value in vars(arguments).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}={value} must be finite")
        if isinstance(value, int | float) and value < 0:
            raise ValueError(f"{name}={value} must be at least 0")
        if isinstance(value, int) and value >= (limit := 2**32 if name == "seed" else 2**63):
            raise ValueError(f"{name}={value} must be below {limit}")


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def run(main: Callable[[T], None], kind: type[T]) -> NoReturn:
    """Parse the arguments, call `main` with them, and exit: 0 done, 2 bad input, 130 interrupted."""
    # Printed after the except block: by then the progress bars that the error kept alive are closed, and the message
    # is the last line.
    code, message = 0, ""
    try:
        main(parse_arguments(kind))
    except ValueError as error:
        code, message = 2, one_line(error)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        code, message = 2, f"cannot write {error.filename or ''}: {error.strerror}"
    except KeyboardInterrupt:
        code, message = 130, "interrupted"
    if code:
        print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(code)
