"""Checkpoints for exact resume: everything that the next update of a training depends on, as safetensors.

A damaged checkpoint is refused with the name of the file (`find`; `runs.check` compares the hashes), and no older one
is used instead. Non-finite gradients never reach a checkpoint: the scripts skip such updates.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from agent.artefacts import runs

FOLDER = "checkpoint"


class Resumable(Protocol):
    """The state that each process has of its own: its envs."""

    def state_dict(self) -> dict[str, np.ndarray]: ...
    def load_state_dict(self, state: dict[str, np.ndarray]) -> None: ...


def save(
    folder: Path,
    accelerator: Accelerator,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    envs: Resumable | None,
    progress: dict,
) -> None:
    """Write a checkpoint, with the envs of every process if there are any. The folder appears once it is complete."""
    envs_state = envs.state_dict() if envs else {}
    own = {f"envs.{name}": np.ascontiguousarray(value) for name, value in envs_state.items()}
    own["torch_generator"] = torch.get_rng_state().numpy()
    if accelerator.device.type == "cuda":
        own["cuda_generator"] = torch.cuda.get_rng_state().numpy()
    processes = gather_object([own])
    if not accelerator.is_main_process:
        return
    tensors = {
        f"{prefix}.{name}": value.contiguous()
        for prefix, module in modules.items()
        for name, value in module.state_dict().items()
    }
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    size = sum(value.nbytes for arrays in (tensors, *processes) for value in arrays.values())
    with runs.replacing(folder, size) as new:
        new.mkdir()
        for index, arrays in enumerate(processes):
            save_arrays(arrays, new / f"process_{index}.safetensors")
        save_file(tensors, new / "models.safetensors")
        rates = [group["lr"] for group in optimizer.param_groups]
        runs.write_json(new / "progress.json", progress | {"learning_rates": rates})


def find(output_dir: str, arguments: object, free: Collection[str]) -> Path:
    """The last checkpoint of a run. Raises ValueError if there is none, a file of it is damaged, or `arguments` differ
    from those of the run in more than the `free` ones.
    """
    found = runs.newest(Path(output_dir) / FOLDER)
    if found is None:
        raise ValueError(f"no checkpoint in {Path(output_dir) / FOLDER}: start without --resume")
    runs.check_resume(output_dir, arguments, free)
    return found


def load(
    folder: Path,
    accelerator: Accelerator,
    modules: Mapping[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    envs: Resumable | None = None,
) -> None:
    """Restore what `save` wrote."""
    tensors = load_file(folder / "models.safetensors", device=str(accelerator.device))
    for prefix, module in modules.items():
        module.load_state_dict(_below(tensors, prefix))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _below(tensors, "optimizer").items():
        index, entry = name.split(".")
        state.setdefault(int(index), {})[entry] = value
    groups = optimizer.state_dict()["param_groups"]
    for group, rate in zip(groups, runs.read_json(folder / "progress.json")["learning_rates"], strict=True):
        group["lr"] = rate
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    own = load_file(folder / f"process_{accelerator.process_index}.safetensors")
    torch.set_rng_state(own["torch_generator"])
    if "cuda_generator" in own and accelerator.device.type == "cuda":  # the device may have changed
        torch.cuda.set_rng_state(own["cuda_generator"])
    if envs:
        envs.load_state_dict({name: value.numpy() for name, value in _below(own, "envs").items()})


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, which is removed."""
    return {name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
