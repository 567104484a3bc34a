"""Checkpoints that are sealed, the one to resume from, and a stop that saves."""

from types import SimpleNamespace

import pytest
import torch
from transformers import TrainerControl, TrainerState

from agent.artefacts import runs
from agent.artefacts.callbacks import SealedCheckpoints, StopOnSignal, last_checkpoint


def write_checkpoint(folder, step):
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").write_bytes(bytes([step]))
    return checkpoint


def test_a_checkpoint_is_resumed_from_once_it_is_sealed(tmp_path):
    state, args = TrainerState(global_step=9, is_world_process_zero=True), SimpleNamespace(output_dir=tmp_path)
    write_checkpoint(tmp_path, 9)
    assert last_checkpoint(tmp_path) is None
    SealedCheckpoints().on_save(args, state, TrainerControl())
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    runs.seal(write_checkpoint(tmp_path, 10))
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_a_damaged_checkpoint_is_refused(tmp_path):
    checkpoint = write_checkpoint(tmp_path, 1)
    runs.seal(checkpoint)
    (checkpoint / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ValueError, match="damaged"):
        last_checkpoint(tmp_path)


def test_without_room_for_weights_and_moments_nothing_is_written(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs.os, "posix_fallocate", full)
    state, args = TrainerState(global_step=2, is_world_process_zero=True), SimpleNamespace(output_dir=tmp_path)
    with pytest.raises(ValueError, match="make room"):
        SealedCheckpoints().on_step_end(args, state, TrainerControl(should_save=True), model=torch.nn.Linear(8, 8))


def test_a_signal_saves_and_stops():
    interruption, control = runs.Interruption(), TrainerControl()
    callback = StopOnSignal(interruption)
    callback.on_step_end(None, None, control)
    assert not control.should_save and not control.should_training_stop
    interruption.signal = 15
    callback.on_step_end(None, None, control)
    assert control.should_save and control.should_training_stop
