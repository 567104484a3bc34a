"""Arguments of every script: one strict dataclass, then `--config FILE`, then the command line.

Precedence is default < YAML < command line. Whatever is wrong with what the user gave ends the program with one line
on stderr and exit code 2, before any work.
"""

import dataclasses
import errno
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import yaml
from accelerate.tracking import get_available_trackers
from huggingface_hub.errors import StrictDataclassError
from trl import TrlParser

T = TypeVar("T")

# What the system answers where nothing can be written: no room, no right, or no such place.
UNWRITABLE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
}


def option(default: Any, help: str) -> Any:
    """A field of an arguments dataclass with its help text."""
    return field(default=default, metadata={"help": help})


def check_counts(arguments: object, *names: str) -> None:
    """Raise ValueError for an argument that is less than 1."""
    for name in names:
        if getattr(arguments, name) < 1:
            raise ValueError(f"{name}={getattr(arguments, name)} must be at least 1")


def check_shares(arguments: object, *names: str, together: bool = False) -> None:
    """Raise ValueError for an argument that is not from 0 to 1, or for several that are more than 1 `together`."""
    for name in names:
        if not 0 <= getattr(arguments, name) <= 1:
            raise ValueError(f"{name}={getattr(arguments, name)} must be from 0 to 1")
    if together and sum(getattr(arguments, name) for name in names) > 1:
        given = " and ".join(f"{name}={getattr(arguments, name)}" for name in names)
        raise ValueError(f"{given} must not add up to more than 1")


@dataclass
class PublishArguments:
    """Where to publish what a stage makes."""

    push_to_hub: str = field(default="", metadata={"help": "Hub repo, owner/name, to publish the result in"})
    private: bool = field(default=False, metadata={"help": "make that repo a private one"})
    tag: str = field(default="", metadata={"help": "name of the release, a tag in that repo"})

    def validate_push(self):
        if self.push_to_hub and not re.fullmatch(r"[\w.-]+/[\w.-]+", self.push_to_hub):
            raise ValueError(f"push_to_hub={self.push_to_hub!r} must be a Hub repo, owner/name")
        if (self.private or self.tag) and not self.push_to_hub:
            raise ValueError("--private and --tag are about what is published: give --push_to_hub too")


@dataclass
class StageArguments(PublishArguments):
    """What every stage can be told: where to publish what it makes, and how many processes it must be run by."""

    num_processes: int = field(
        default=0, metadata={"help": "processes that must have started; 0: those that the launcher says it starts"}
    )

    def validate_num_processes(self):
        if self.num_processes < 0:
            raise ValueError(f"num_processes={self.num_processes} must be at least 0")

    def check_processes(self, started: int, *, may_shard: bool = False) -> None:
        """Raise ValueError unless the launcher started what it was asked for.

        Asked for several processes without a GPU, accelerate can start one; and it keeps a model whole that was to be
        in shards. It says nothing of either.

        Args:
            started: processes that work on this.
            may_shard: whether FSDP is something for this stage, on this machine.
        """
        asked = self.num_processes or int(os.environ.get("WORLD_SIZE", 1))
        if started != asked:
            raise ValueError(
                f"num_processes={asked} should work on this, {started} do: launch with a file of configs/accelerate"
            )
        # A port to meet at, and a world of nobody else: what `accelerate launch --cpu --num_processes 2` leaves.
        if {"ACCELERATE_USE_CPU", "MASTER_PORT"} <= os.environ.keys() and started == 1:
            raise ValueError(
                "the launcher was asked for several processes and started one, as it does for --cpu and MULTI_CPU: "
                "launch with a file of configs/accelerate"
            )
        if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true" and not may_shard:
            raise ValueError("FSDP is for finetune_llm.py on GPUs: launch with another file of configs/accelerate")


@dataclass
class TrainingArguments(StageArguments):
    """What every training can be told beside: who is shown how it goes."""

    report_to: str = field(
        default="tensorboard", metadata={"help": "experiment tracker: tensorboard, trackio, wandb or none"}
    )

    def validate_report_to(self):
        """Accelerate trains on without a tracker that is not installed."""
        installed = [tracker.value for tracker in get_available_trackers()]
        if self.report_to not in (*installed, "none"):
            choices = " or ".join((*installed, "none"))
            raise ValueError(f"report_to={self.report_to!r} is not installed: pip install it, or choose {choices}")


# What may change when any stage goes on: that it does, where it writes, what it publishes and who is shown.
ALWAYS_FREE = {"resume", "output_dir", *(each.name for each in dataclasses.fields(TrainingArguments))}


class OneLineParser(TrlParser):
    """TrlParser that reports a mistake in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see python {self.prog} --help)")


def parse_arguments(kind: type[T], argv: Sequence[str] | None = None) -> T:
    """The `kind` that the command line and its YAML describe. Raises ValueError with one line for a wrong one.

    `kind` is decorated with `huggingface_hub.dataclasses.strict`, so its fields are checked for type and its
    `validate_*` methods for everything else. What only its YAML has wrong is said to be in that file.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = OneLineParser([kind], allow_abbrev=False)  # ty: ignore[invalid-argument-type]
    if argv[-1:] == ["--config"]:
        raise ValueError("--config needs a file: give the path of a YAML file")
    try:
        (arguments,) = parser.parse_args_and_config(argv)
        check_numbers(arguments)
    except OSError as error:
        raise ValueError(f"cannot read config file {error.filename}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{argv[argv.index('--config') + 1]} is no YAML: {one_line(error)}") from error
    except (StrictDataclassError, ValueError) as error:
        said = one_line(error.__cause__ or error)
        if "--config" not in argv:
            raise ValueError(said) from error
        place = argv.index("--config")
        try:
            parse_arguments(kind, [*argv[:place], *argv[place + 2 :]])
        except ValueError:
            raise ValueError(said) from error
        raise ValueError(f"{argv[place + 1]}: {said}") from error
    return cast(T, arguments)


def check_numbers(arguments: object) -> None:
    """Raise ValueError for a number that no script takes: one that is not finite, or is negative and no weight of a
    reward, or a whole number beyond 63 bits, a seed beyond 32.
    """
    for name, value in vars(arguments).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name}={value} must be finite")
        if isinstance(value, int | float) and value < 0 and not name.endswith("_weight"):
            raise ValueError(f"{name}={value} must be at least 0")
        if isinstance(value, int) and value >= (limit := 2**32 if name == "seed" else 2**63):
            raise ValueError(f"{name}={value} must be below {limit}")


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def run(main: Callable[[T], None], kind: type[T]) -> NoReturn:
    """Parse the arguments, call `main` with them, and exit: 0 done, 2 bad input, 130 interrupted."""
    # Said when the error is gone, and with it the bars that it kept open: the last line is the one that counts.
    code, said = 0, ""
    try:
        main(parse_arguments(kind))
    except ValueError as error:
        code, said = 2, one_line(error)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        code, said = 2, f"cannot write {error.filename or ''}: {error.strerror}"
    except KeyboardInterrupt:
        code, said = 130, "interrupted"
    if code:
        print(f"{Path(sys.argv[0]).name}: {said}", file=sys.stderr)
    sys.exit(code)
