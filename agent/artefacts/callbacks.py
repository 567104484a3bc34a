"""Additions to transformers' Trainer: sealed checkpoints, a stop that saves, and progress only on stderr."""

from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import ProgressCallback, TrainerCallback

from agent.artefacts import runs


class SealedCheckpoints(TrainerCallback):
    """Seals every checkpoint once it is written, so that training never resumes from an incomplete one."""

    def on_step_end(self, args, state, control, model: Any = None, **kwargs):
        if control.should_save and state.is_world_process_zero:
            trained = sum(weight.nbytes for weight in model.parameters() if weight.requires_grad)
            with runs.writing(Path(args.output_dir) / f"checkpoint-{state.global_step}", 3 * trained):
                pass  # raises if the disk has no room for the weights and both Adam moments

    def on_save(self, args, state, control, **kwargs):
        PartialState().wait_for_everyone()  # every process writes a part of the checkpoint
        if state.is_world_process_zero:
            runs.seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class StopOnSignal(TrainerCallback):
    """Saves and stops after the update during which any process received a signal."""

    def __init__(self, interruption: runs.Interruption):
        self.interruption = interruption

    def on_step_end(self, args, state, control, **kwargs):
        if signal := max(gather_object([self.interruption.signal])):
            self.interruption.signal = signal
            control.should_save = control.should_training_stop = True


class ProgressBar(ProgressCallback):
    """The trainer's bar, without its rows of numbers on stdout."""

    def on_log(self, args, state, control, logs: Any = None, **kwargs):
        if self.training_bar is not None and "loss" in logs:
            self.training_bar.set_postfix_str(f"loss {float(logs['loss']):.3f}")


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a folder. Raises ValueError if one of its files is damaged."""
    complete = [path.parent for path in folder.glob(f"checkpoint-*/{runs.MANIFEST}")]
    newest = max(complete, key=checkpoint_step, default=None)
    if newest is not None:
        runs.check(newest)
    return newest


def checkpoint_step(checkpoint: Path) -> int:
    """The update after which it was written."""
    return int(checkpoint.name.rsplit("-", 1)[1])
