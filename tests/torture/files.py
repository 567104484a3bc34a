"""Disks without room, folders that may not be written, files that are damaged, runs that do not belong together."""

import functools
import random
import resource
import shutil
from pathlib import Path

import numpy as np
import torch
from conftest import SCRIPTS
from pyarrow import parquet
from samples import open_steps

from agent.artefacts import arguments, runs
from agent.bodies.humanoid import HUMANOID
from agent.data import schema
from agent.data.windows import sample_windows, take_windows
from agent.language.planner import Planner
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.motor_agent import MotorAgent
from torture import Tally
from torture.stages import SCRIPTS as STAGES
from torture.stages import SHARD_ROWS, prepare

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "pretrained" / "agent"
LOADERS = {"policy/humanoid": MotorPolicy, "decision_transformer": GoalDecisionTransformer, "planner": Planner}
MORE = {"pretrain_ppo": {"total_steps": 64 * 40}, "collect_dataset": {"num_steps": 4 * SHARD_ROWS}}
MORE |= {"train_decision_transformer": {}, "finetune_llm": {}}
LESS = {"pretrain_ppo": {"total_steps": 64 * 4}, "collect_dataset": {"num_steps": 2 * SHARD_ROWS}}
LESS |= {"train_decision_transformer": {"updates": 4}, "finetune_llm": {}}


def tree(folder: Path) -> dict[str, str]:
    """Hashes of all files in a folder, without hidden ones."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): runs.digest(path) for path in files}


def limit(size: int) -> None:
    """No file of this process may grow beyond `size` bytes, which is what a full disk is to it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def no_room(tally: Tally, home: Path) -> None:
    """Stages whose files may not grow beyond a random size, and folders that nobody may make or write."""
    rng = random.Random(0)
    for stage in prepare(home):
        for _ in range(tally.often(8, 1)):
            folder = home / f"{stage.script}_full"
            size = int(10 ** rng.uniform(3, 4.5))  # bytes; the log, which has to hold the line, is limited as well
            code, line = stage.run(folder, functools.partial(limit, size))
            refused = code == 2 and "(File too large)" in line and str(folder.parent) in line
            tally.expect(refused, f"{stage.script} with {size} bytes: {code} {line}")
            try:
                stage.progress(folder)
            except (ValueError, OSError) as error:
                tally.expect(False, f"{stage.script} with {size} bytes left {error}")
            shutil.rmtree(folder, ignore_errors=True)
        (home / "taken").write_text("")
        for place in (Path("/sys/humanoid"), home / "taken" / "runs"):
            process = stage.start(home / f"{stage.script}_nowhere", None, output_dir=place)
            process.join()
            line = stage.log(home / f"{stage.script}_nowhere").read_text().strip().splitlines()[-1]
            tally.expect(process.exitcode == 2 and str(place) in line, f"{stage.script} in {place}: {line}")


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with one bit of it turned over, or without its end."""
    place = rng.randrange(len(content))
    if rng.random() < 0.3:
        return content[: max(0, place - 1)]
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def damage(tally: Tally, home: Path) -> None:
    """One bit, or the end, of a file of each kind of artefact; and of every YAML."""
    rng, lengths = random.Random(0), [30] * 8
    write_dataset(home / "episodes", episodes(lengths, zeros=False), lengths)
    runs.seal(home / "episodes")
    agent = home / "agent"
    shutil.copytree(SHIPPED, agent)
    with runs.replacing(home / "checkpoint") as beside:
        beside.mkdir()
        for name in ("models.safetensors", "process_0.safetensors", "progress.json"):
            (beside / name).write_bytes(rng.randbytes(2000))
    loads = [(agent / part, kind.from_pretrained) for part, kind in LOADERS.items()]
    loads += [(agent, MotorAgent.from_pretrained), (home / "episodes", runs.check), (home / "checkpoint", runs.newest)]
    for folder, load in loads:
        files = [folder / name for name in (*runs.read_manifest(folder), runs.MANIFEST)]
        for _ in range(tally.often(250, 4)):
            path = rng.choice(files)
            content = path.read_bytes()
            path.write_bytes(damaged(content, rng))
            tally.expect(path.name in refusal(load, folder), f"{path} was damaged, and loaded")
            path.write_bytes(content)
    for path in sorted((ROOT / "configs").glob("[!a]*/*.yaml")):
        script = STAGES[["ppo", "dataset", "decision_transformer", "llm"].index(kind_of(path))]
        for _ in range(tally.often(40, 1)):
            broken = home / "broken.yaml"
            broken.write_bytes(damaged(path.read_bytes(), rng))
            module = __import__(script)
            words = [*SCRIPTS[script][0], "--config", str(broken)]
            said = refusal(functools.partial(arguments.parse_arguments, module.Arguments), words)
            tally.expect(not said or ("broken.yaml" in said and "\n" not in said), f"{path} was damaged: {said}")
    tally.notes.append("of a YAML, the values that are still sound ones cannot be told from what was meant")


def kind_of(path: Path) -> str:
    return path.stem if path.parent.name == "quickstart" else path.parent.name


def refusal(call, *words) -> str:
    """What a ValueError says, or nothing where there is none."""
    try:
        call(*words)
    except ValueError as error:
        return str(error)
    return ""


def others(tally: Tally, home: Path) -> None:
    """Going on with other arguments, other sizes or other versions, and a second run in the folder of a first."""
    changes = {
        "pretrain_ppo": [{"widths": [8, 8]}, {"gamma": 0.9}, {"num_envs": 3}, {"seed": 1}],
        "collect_dataset": [{"shard_steps": 20}, {"num_envs": 3}, {"noise_levels": "0"}, {"seed": 1}],
        "train_decision_transformer": [{"hidden_size": 32}, {"n_layer": 2}, {"batch_size": 4}, {"seed": 1}],
        "finetune_llm": [{"lora_rank": 4}, {"learning_rate": 0.1}, {"generated_examples": 40}, {"seed": 1}],
    }
    for stage in prepare(home):
        folder = home / f"{stage.script}_before"
        code, line = stage.run(folder, **LESS[stage.script])
        assert code == 0, line
        before = tree(folder)
        for change in changes[stage.script][: tally.often(4, 1)]:
            code, line = stage.run(folder, **LESS[stage.script] | change)
            listed = all(f"{name} was " in line for name in change)
            tally.expect(code == 2 and listed and tree(folder) == before, f"{stage.script} with {change}: {line}")
        record = runs.read_json(folder / runs.PROVENANCE)
        libraries = record["libraries"] | {"torch": "1.0", "mujoco": "2.0"}
        runs.write_json(folder / runs.PROVENANCE, record | {"libraries": libraries})
        code, line = stage.run(folder, **LESS[stage.script])
        tally.expect(code == 2 and "torch was '1.0'" in line and "mujoco was '2.0'" in line, f"{stage.script}: {line}")
        runs.write_json(folder / runs.PROVENANCE, record)
        first = runs.claim(folder)
        code, line = stage.run(folder, **LESS[stage.script] | MORE[stage.script])
        tally.expect(code == 2 and "another run writes into" in line, f"{stage.script}, a second run: {line}")
        tally.expect(tree(folder) == before, f"{stage.script}: what was refused has changed the folder")
        del first


def datasets(tally: Tally, home: Path) -> None:
    """Episodes of one step and all zeros, none at all, a shard that is gone: read right or refused by the file."""
    prepare(home)
    good = home / "dataset"
    for number in range(tally.often(30, 3)):
        rng = np.random.default_rng(number)
        folder = home / f"odd_{number}"
        lengths = [1, *rng.integers(1, 300, 3).tolist(), 20_000 if number % 3 == 0 else 2]
        shard = episodes(lengths, zeros=number % 2 == 0)
        write_dataset(folder, shard, lengths)
        steps = open_steps(folder)
        windows = take_windows(steps, steps.returns_to_go(60), sample_windows(rng, steps, 64, 20), 20)
        finite = all(np.isfinite(value).all() for value in windows.values())
        tally.expect(len(steps) == sum(lengths) and finite, f"episodes of {lengths} steps")
        model = GoalDecisionTransformer.from_pretrained(SHIPPED / "decision_transformer")
        model.set_statistics(HUMANOID.name, *steps.moments(), 0.0, 0.0, 0.0)
        loss = model(**{name: torch.from_numpy(value) for name, value in windows.items()}).loss
        tally.expect(bool(loss.isfinite()), f"the loss on episodes of {lengths} steps")
        shutil.rmtree(folder)
    for name in ("data/chunk-000/file-000.parquet", "data/chunk-000/file-001.parquet"):
        for sealed in (True, False):
            folder = home / "lacking"
            shutil.copytree(good, folder)
            (folder / name).unlink()
            if not sealed:
                (folder / runs.MANIFEST).unlink()
            said = refusal(runs.check if sealed else schema.validate, folder)
            tally.expect("file-00" in said, f"without {name}: {said or 'read'}")
            shutil.rmtree(folder)
    for rows in (None, 0):
        folder = home / "empty"
        shutil.copytree(good, folder)
        for path in folder.glob("data/*/*.parquet"):
            if rows is None:
                path.unlink()
            else:
                parquet.write_table(parquet.read_table(path).slice(0, 0), path)
        said = refusal(schema.validate, folder)
        tally.expect(str(folder) in said and ("has no" in said), f"an empty dataset: {said or 'read'}")
        shutil.rmtree(folder)


def episodes(lengths: list[int], zeros: bool) -> schema.Shard:
    """Sound episodes of these lengths, all but the order of which is zero, or random."""
    rng, count = np.random.default_rng(0), sum(lengths)
    frame = np.concatenate([np.arange(length) for length in lengths])
    done = np.zeros(count, dtype=bool)
    done[np.cumsum(lengths) - 1] = True
    shard = {name: np.zeros((count, *column.shape), column.dtype) for name, column in schema.columns(HUMANOID).items()}
    if not zeros:
        for name in ("observation.state", "action", "teacher.action", "next.reward"):
            shard[name] = rng.uniform(-0.4, 0.4, shard[name].shape).astype(np.float32)
    return shard | {
        **{"next.done": done, "next.truncated": done, "frame_index": frame, "index": np.arange(count)},
        "timestamp": (frame * 0.015).astype(np.float32),
        "episode_index": np.repeat(np.arange(len(lengths)), lengths),
    }


def write_dataset(folder: Path, shard: schema.Shard, lengths: list[int]) -> None:
    import pyarrow as pa

    place, ends = schema.file_indices(0), np.cumsum(lengths)
    rows = {"episode_index": range(len(lengths)), "length": lengths}
    rows |= {"dataset_from_index": ends - lengths, "dataset_to_index": ends}
    for path in (schema.DATA_PATH, schema.EPISODES_PATH):
        (folder / path.format(**place)).parent.mkdir(parents=True)
    schema.write_shard(folder / schema.DATA_PATH.format(**place), shard, HUMANOID)
    parquet.write_table(
        pa.table({name: list(value) for name, value in rows.items()}), folder / schema.EPISODES_PATH.format(**place)
    )
    schema.write_tasks(folder, schema.occurring(shard["goal.command"]))
    info = {"body": HUMANOID.name, "goal_version": schema.GOAL_VERSION}
    info |= {"total_frames": int(ends[-1]), "total_episodes": len(lengths)}
    runs.write_json(folder / "meta" / "info.json", info)
