"""Checks before an artefact is used: no pickles, no code from a repo, no sizes that the weights do not have, no NaNs.

An artefact may come from anyone. Nothing is unpickled, no code from a repo is run, and no config makes this process
allocate much more than the weights take. Every refusal is a ValueError that names the artefact.
"""

import contextlib
import math
import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from agent.artefacts import runs

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
COUNTS = re.compile("layer|expert|block|depth|labels")  # settings that say how many modules to create
MOST_PARTS = 8  # modules and parameters per array of weights
MAX_TABLES = 2**26  # numbers in a model's buffers, such as masks and rotary angles
MAX_TEXT = 2**24  # bytes of a card or a config


def check_folder(path: Path, root: Path, name: str | Path) -> None:
    """Refuse a folder in which a link leads out of `root`, a file differs from the manifest, or a config asks to run
    code from the repo.
    """
    for file in path.rglob("*"):
        if file.is_symlink() and not file.resolve().is_relative_to(root):
            raise ValueError(f"{name} has a link out of its folder, {file.relative_to(path)}: remove the link")
    for file in (*path.glob("README.md"), *path.glob("*.json")):
        if file.stat().st_size > MAX_TEXT and file.name != "tokenizer.json":
            raise ValueError(f"{name} has a {file.name} of {file.stat().st_size:,} bytes: refused")
    runs.check(path)
    for file in sorted(path.glob("*config.json")):
        for key, value in settings(runs.read_json(file)):
            if key == "auto_map" or (key.endswith("_implementation") and "/" in str(value)):
                raise ValueError(f"{name} asks in {file.name} to run code of a repo ({key}): no code is run")


def settings(config: object) -> Generator[tuple[str, Any]]:
    """The names and values in a config, and in the configs nested in it."""
    for key, value in config.items() if isinstance(config, dict) else ():
        yield key, value
        yield from settings(value)
    for value in config if isinstance(config, list) else ():
        yield from settings(value)


def check_artefact(path: Path, name: str | Path, config: str = "config.json", model_type: str = "") -> dict:
    """The config of a model's folder. Refuse a model of another type than `model_type`, and weights that are missing,
    pickled or outside of the folder.
    """
    found = runs.read_json(path / config).get("model_type") if (path / config).is_file() else model_type
    if model_type and found != model_type:
        raise ValueError(f"{name} holds a {found}: give a folder or repo of a {model_type}")
    if not list(path.glob("*.safetensors")):
        pickles = [file.name for file in sorted(path.iterdir()) if file.suffix in PICKLES]
        reason = f"{pickles[0]} is a pickle, which can run code" if pickles else "it has no *.safetensors"
        raise ValueError(f"{name} cannot be loaded ({reason}): give weights as safetensors")
    for index in path.glob("*.index.json"):
        shards = runs.read_json(index).get("weight_map")
        for shard in shards.values() if isinstance(shards, dict) else ():
            if shard not in {file.name for file in path.iterdir()}:
                raise ValueError(f"{name} has weights in {str(shard)!r:.60}, by {index.name}: no file of its folder")
    return runs.read_json(path / config)


def check_sizes(path: Path, name: str | Path, build: Callable[[], Any]) -> None:
    """Refuse a config.json that declares a larger model than the weights next to it, before the model is created.

    `build` creates the model of the config; here it is called on the meta device, which allocates no memory.
    """
    shapes = read_shapes(path, name)
    stored = sum(math.prod(shape) for shape in shapes.values())
    for key, value in settings(runs.read_json(path / "config.json")):
        sizes = isinstance(value, list) and not any(isinstance(each, float) for each in value)  # others are scales
        count = len(value) if sizes else value if COUNTS.search(key) else 0
        if isinstance(count, int) and count > len(shapes):
            raise ValueError(f"{name} declares {key}={value!r:.60}, its weights are {len(shapes)} arrays: refused")
    try:
        with torch.device("meta"), at_most(MOST_PARTS * len(shapes)):
            model = build()
    except Exception as error:  # an untrusted config can be wrong in any way
        raise ValueError(f"{name} has a config.json that makes no model: {first_line(error)}") from error
    declared = sum(parameter.numel() for parameter in model.parameters())
    if declared > 2 * stored:  # a head that is tied to the embeddings is not stored twice
        raise ValueError(f"{name} declares {declared:,} parameters, its weights are {stored:,} numbers: refused")
    tables = sum(buffer.numel() for buffer in model.buffers())
    if tables > 2 * stored + MAX_TABLES:
        raise ValueError(f"{name} declares tables of {tables:,} numbers, its weights are {stored:,}: refused")


@contextlib.contextmanager
def at_most(count: int) -> Generator[None]:
    """Raise ValueError when more than `count` modules and parameters are created inside the context."""
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
        raise unloadable(name, error) from error
    return shapes


def load_weights(load: Callable[..., Any], path: Path, name: str | Path, *, surplus: bool = False, **kwargs) -> Any:
    """The model in the folder `path`, whose config has been checked, with all its weights.

    `load` is a `from_pretrained` of transformers, called with the folder and `kwargs`. With `surplus`, the folder may
    have weights that the model does not use.

    Raises:
        ValueError: weights are missing, of other shapes than the config says, damaged, or not finite.
    """
    try:
        model, report = load(path, output_loading_info=True, use_safetensors=True, **kwargs)
    except Exception as error:  # an untrusted artefact can be wrong in any way
        raise unloadable(name, error) from error
    unused = () if surplus else report["unexpected_keys"]
    wrong = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"], *unused]))
    if wrong:
        raise ValueError(
            f"{name} has other weights than its config.json says, {wrong[0]} for one: make or load it again"
        )
    check_finite(model, name)
    # Copied, because memory-mapped tensors are not aligned: other kernels would process them and round differently,
    # so a loaded model would not act exactly like the saved one. The file may also be replaced.
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()
    return model


def check_finite(model: Any, name: str | Path) -> None:
    """Refuse a model with a weight that is not finite."""
    for key, value in model.state_dict().items():
        # The extremes are NaN if any value is. Unlike isfinite on all values, they need no memory of the same size.
        if value.is_floating_point() and value.numel() and not torch.stack(value.aminmax()).isfinite().all():
            raise ValueError(f"{name} has weights that are not finite, {key} for one: make or load it again")


def check_acts(actor: Any, size: int, name: str | Path) -> None:
    """Refuse an actor whose action for an observation of `size` zeros is not finite."""
    if not np.isfinite(actor.act(np.zeros(size, np.float32))).all():
        raise ValueError(f"{name} acts with numbers that are not finite: make or load it again")
    actor.reset()


def unloadable(name: str | Path, error: BaseException) -> ValueError:
    return ValueError(
        f"{name} cannot be loaded ({first_line(error)}): the files are damaged or missing, make or load them again"
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
