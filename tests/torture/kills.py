"""Runs that are killed, or asked to stop, at any moment, and then go on."""

import functools
import os
import random
import shutil
import signal
import time
from pathlib import Path

from torture import Tally
from torture.stages import Stage, ended, prepare, wait

PATIENCE = 60.0  # seconds in which a run that was asked to stop must have saved and ended, on a busy machine

LONGEST = 8.0  # seconds until a kill


@functools.cache
def whole_run(stage: Stage) -> tuple[dict[str, str], float]:
    """What an uninterrupted run makes, and how many seconds it takes."""
    folder, begin = stage.home / f"{stage.script}_whole", time.monotonic()
    code, line = stage.run(folder)
    assert code == 0, f"{stage.script}: {line}"
    return stage.result(folder), time.monotonic() - begin


def kill(tally: Tally, home: Path) -> None:
    """SIGKILL, half of them while a checkpoint or a shard is being written; what is left loads, no less than before.

    A run that comes to its end, and the last one of all, must have made what the uninterrupted one has.
    """
    rng = random.Random(0)
    amid = 0
    for stage in prepare(home):
        expected, seconds = whole_run(stage)
        folder, before, kills, wanted = home / f"{stage.script}_killed", 0, 0, tally.often(55, 2)
        while True:
            last = kills == wanted
            process = stage.start(folder)
            with ended(process):
                if last:
                    process.join()
                elif kills % 2:
                    wait(process, rng.uniform(0, min(seconds, LONGEST)))
                else:  # not the first write, but one of the following
                    wait(process, rng.uniform(0, min(seconds, LONGEST) / 2))
                    wait(process, seconds, functools.partial(stage.writes, folder))
                    time.sleep(rng.uniform(0, 0.004))
                if process.exitcode is None:
                    os.kill(process.pid, signal.SIGKILL)
                    process.join()
            if process.exitcode == -signal.SIGKILL:
                kills += 1
                amid += stage.writes(folder)
                try:
                    reached = stage.progress(folder) if folder.exists() else 0
                    tally.expect(reached >= before, f"{stage.script} went back from {before} to {reached}")
                    before = reached
                except Exception as error:  # whatever it is, it was lost
                    tally.expect(False, f"{stage.script}: {error}")
                continue
            line = stage.log(folder).read_text().strip().splitlines()[-1:]
            tally.expect(process.exitcode == 0, f"{stage.script} cannot go on: {line}")
            same = process.exitcode == 0 and stage.result(folder) == expected
            tally.expect(same, f"{stage.script} made something else than an uninterrupted run")
            shutil.rmtree(folder)
            before = 0
            if last:
                break
    tally.notes.append(f"{amid} of the kills amid a write")


def interrupt(tally: Tally, home: Path) -> None:
    """SIGINT and SIGTERM: saved and ended, by the right exit code; a second signal ends it at once."""
    rng = random.Random(1)
    slowest = 0.0
    for stage in prepare(home):
        expected, seconds = whole_run(stage)
        folder, before = home / f"{stage.script}_interrupted", 0
        for number in [signal.SIGTERM, signal.SIGINT] * tally.often(4, 1):
            twice = rng.random() < 0.3
            process = stage.start(folder)
            with ended(process):
                wait(process, rng.uniform(0.3, 0.9) * seconds)
                if process.exitcode is not None:
                    break
                os.kill(process.pid, number)
                begin = time.monotonic()
                if twice:
                    wait(process, 0.05)
                    if process.exitcode is None:
                        os.kill(process.pid, number)
                process.join(PATIENCE)
                slowest = max(slowest, time.monotonic() - begin)
                # Before it trains, and while it collects, a signal does what it does to any Python program.
                # One that comes after the last update finds nothing to stop.
                done = process.exitcode == 0 and stage.result(folder) == expected
                stopped = process.exitcode in (128 + number, -number)
                tally.expect(stopped or done, f"{stage.script}: signal {number} gave {process.exitcode}")
            reached = stage.progress(folder) if folder.exists() else 0
            tally.expect(reached >= before, f"{stage.script} went back from {before} to {reached}")
            before = reached
        code, line = stage.run(folder)
        tally.expect(code == 0, f"{stage.script} cannot go on: {line}")
        tally.expect(stage.result(folder) == expected, f"{stage.script} made something else after signals")
    tally.notes.append(f"gone after {slowest:.1f} s at most")
