"""Checkpoints: restored to the last bit, and refused where they are damaged."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from agent.artefacts import checkpoints, runs


@dataclass
class Arguments:
    learning_rate: float = 1e-3
    total_steps: int = 10


class Envs:
    """Stands in for a vector env: all that a checkpoint needs of one."""

    def __init__(self, seed: int):
        self.state = {"qpos": np.random.default_rng(seed).normal(size=(2, 3)), "goal_left": np.arange(2) + seed}

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


def training(seed: int):
    torch.manual_seed(seed)
    modules = {"policy": nn.Linear(3, 2), "critic": nn.Linear(3, 1)}
    groups = [{"params": module.parameters(), "lr": 0.1 * (seed + 1)} for module in modules.values()]
    return modules, torch.optim.Adam(groups), Envs(seed)


def update(modules, optimizer) -> None:
    """One update on random data."""
    loss = sum(module(torch.randn(4, 3)).square().mean() for module in modules.values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@pytest.fixture
def saved(tmp_path):
    """The folder of a run with a checkpoint, and what it was made of."""
    modules, optimizer, envs = training(0)
    update(modules, optimizer)
    runs.record_provenance(tmp_path, Arguments())
    folder = tmp_path / checkpoints.FOLDER
    checkpoints.save(folder, Accelerator(cpu=True), modules, optimizer, envs, {"step": 7})
    return tmp_path, modules, optimizer, envs


def test_a_restored_run_continues_to_the_last_bit(saved):
    folder, modules, optimizer, envs = saved
    found = checkpoints.find(str(folder), Arguments(total_steps=20), {"total_steps"})
    assert runs.read_json(found / "progress.json")["step"] == 7
    update(modules, optimizer)

    other_modules, other_optimizer, other_envs = training(1)
    checkpoints.load(found, Accelerator(cpu=True), other_modules, other_optimizer, other_envs)
    update(other_modules, other_optimizer)
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            assert torch.equal(other_modules[name].state_dict()[key], value), key
    for name, value in envs.state.items():
        np.testing.assert_array_equal(other_envs.state[name], value)


def test_other_arguments_a_damaged_file_and_no_checkpoint_are_refused_by_name(saved, tmp_path):
    folder = str(saved[0])
    with pytest.raises(ValueError, match=r"learning_rate was 0\.001 and is 0\.01"):
        checkpoints.find(folder, Arguments(learning_rate=0.01), {"total_steps"})
    weights = saved[0] / checkpoints.FOLDER / "models.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"models\.safetensors is not what"):
        checkpoints.find(folder, Arguments(), ())
    with pytest.raises(ValueError, match=r"no checkpoint in .*: start without --resume"):
        checkpoints.find(str(tmp_path / "elsewhere"), Arguments(), ())
