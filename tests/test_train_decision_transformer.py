"""Training: the schedule, the loss over processes, resuming, and the script as a user calls it."""

import gc
import json
import os
import re
import shutil
import signal
from dataclasses import replace
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
import torch
from conftest import contents, run_script
from pyarrow import parquet
from safetensors.torch import load_file

import collect_dataset
import train_decision_transformer as script
from agent.artefacts.arguments import parse_arguments
from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID
from agent.data import schema
from agent.goals import Goal
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig, GoalMLP
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.simulation.env import make_env
from train_decision_transformer import Arguments

TINY = {
    "context_length": 4,
    "hidden_size": 16,
    "n_layer": 1,
    "n_head": 2,
    "updates": 6,
    "batch_size": 8,
    "warmup_updates": 2,
    "learning_rate": 0.01,
    "log_every": 1,
    "evaluate_every": 6,
    "evaluation_episodes": 1,
    "checkpoint_every": 3,
    "report_to": "none",
}


def flags(**changes) -> list[str]:
    return [word for name, value in (TINY | changes).items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Real steps of a random policy that moves, 240 of them."""
    folder, policy = tmp_path_factory.mktemp("dataset"), tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    teacher = MotorPolicy(MotorPolicyConfig(widths=[16, 8]))
    with torch.no_grad():
        for parameter in teacher.network.head.parameters():
            parameter *= 50
    teacher.save_pretrained(policy)
    sizes = ["--num_envs", "4", "--num_threads", "1", "--shard_steps", "60", "--num_steps", "240"]
    words = ["--policy", str(policy), "--output_dir", str(folder), *sizes]
    collect_dataset.main(parse_arguments(collect_dataset.Arguments, words))
    return folder


@pytest.fixture(scope="module", autouse=True)
def small_world(tmp_path_factory):
    """A cache of our own, and evaluations of two commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent.data.windows.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(script, "COMMANDS", script.COMMANDS[:2])
        yield


def train(dataset, folder, /, **changes) -> list[dict]:
    """Rows of metrics of a run in this process."""
    words = ["--dataset", str(dataset), "--output_dir", str(folder), *flags(**changes)]
    script.main(parse_arguments(Arguments, words))
    return read_metrics(folder)


def read_metrics(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(rows) -> list[float]:
    return [row["loss/action"] for row in rows]


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    train(dataset, folder)
    return folder


def test_the_learning_rate_warms_up_and_decays_in_lines(dataset, tmp_path):
    rows = train(dataset, tmp_path, updates=10, warmup_updates=4, learning_rate=1e-3)
    rates = [row["policy/learning_rate"] for row in rows]
    np.testing.assert_allclose(rates, 1e-3 * np.array([0, 1 / 4, 2 / 4, 3 / 4, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]))


def test_a_run_leaves_a_model_its_card_its_curves_and_a_summary(trained):
    model = GoalDecisionTransformer.from_pretrained(trained)
    statistics = model.statistics["humanoid"]
    assert statistics.observation_std.min() > 0
    assert not torch.equal(statistics.observation_std, torch.ones(45))
    assert statistics.target_return == statistics.return_mean == 0, "no return-to-go by default"
    rows = read_metrics(trained)
    assert [row["step"] for row in rows] == list(range(1, 7))
    assert 0 <= rows[-1]["evaluation/survival"] <= 1
    assert losses(rows)[-1] < losses(rows)[0]
    summary = json.loads((trained / "summary.json").read_text())
    assert summary["stage"] == "transformer"
    assert {"README.md", "provenance.json", "curves.png", "last", "checkpoint"} <= set(os.listdir(trained))
    assert "survival" in (trained / "README.md").read_text()


def test_with_a_horizon_an_actor_aims_at_a_return_above_the_mean(dataset):
    args = parse_arguments(Arguments, ["--dataset", str(dataset), *flags(return_horizon=60)])
    statistics = script.build_model(args, script.open_bodies(dataset)).statistics["humanoid"]
    assert statistics.target_return > statistics.return_mean


def test_what_was_trained_on_a_collected_dataset_acts_in_the_env_in_every_posture(trained):
    model, env = GoalDecisionTransformer.from_pretrained(trained, body="humanoid").eval(), make_env("humanoid")
    observation, _ = env.reset(seed=0)
    for height, arms in product(model.body.heights, model.body.arms):
        model.prompt(Goal(0.6, height=height, arms=arms))
        observation, *_ = env.step(model.act(observation))
    assert np.isfinite(observation).all() and observation.shape == (45 + 5,)
    env.close()


def test_a_run_that_was_interrupted_has_the_losses_of_one_that_was_not(dataset, trained, tmp_path, monkeypatch):
    real_update, calls = script.update, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return real_update(*args)

    monkeypatch.setattr(script, "update", interrupted)
    with pytest.raises(SystemExit, match="143"):
        train(dataset, tmp_path)
    gc.collect()  # the traceback keeps the run's claim on its folder
    assert json.loads((tmp_path / "checkpoint/progress.json").read_text())["update"] == 5
    monkeypatch.setattr(script, "update", real_update)
    with pytest.raises(ValueError, match=r"batch_size was \d+ and is 2"):
        train(dataset, tmp_path, resume=True, batch_size=2)
    gc.collect()
    rows = train(dataset, tmp_path, resume=True)
    assert losses(rows) == losses(read_metrics(trained))
    whole, resumed = (GoalDecisionTransformer.from_pretrained(folder) for folder in (trained, tmp_path))
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_a_run_goes_on_with_its_own_data_alone_wherever_that_is(dataset, trained, tmp_path):
    run, moved, other = (
        shutil.copytree(source, tmp_path / name)
        for source, name in ((trained, "run"), (dataset, "moved"), (dataset, "other"))
    )
    train(moved, run, resume=True)
    path = other / schema.DATA_PATH.format(**schema.file_indices(0))
    shard = next(schema.read_shards(dataset))
    schema.write_shard(path, shard | {"next.reward": shard["next.reward"] + 1}, HUMANOID)
    (other / "manifest.json").unlink()
    before = contents(run)
    with pytest.raises(
        ValueError, match=rf"other is not the data that .*provenance.json names, which was in {dataset.name}"
    ):
        train(other, run, resume=True)
    assert contents(run) == before


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(dataset, trained, tmp_path):
    launcher = ["-m", "accelerate.commands.launch", "--config_file", "configs/accelerate/two_cpu.yaml"]
    files = ["train_decision_transformer.py", "--dataset", dataset, "--output_dir", tmp_path]
    cache = {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "ACCELERATE_USE_CPU": "true"}
    result = run_script(*launcher, *files, *flags(num_processes=2), **cache)
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(losses(read_metrics(tmp_path)), losses(read_metrics(trained)), rtol=1e-4)
    assert {"process_0.safetensors", "process_1.safetensors"} <= set(os.listdir(tmp_path / "checkpoint"))


def test_several_datasets_are_taken_together_and_are_all_named(dataset, tmp_path):
    words = ["--dataset", str(dataset), str(dataset), "--output_dir", str(tmp_path)]
    words += flags(updates=1, report_to="tensorboard")
    script.main(parse_arguments(Arguments, words))
    assert "480 recorded steps" in (tmp_path / "README.md").read_text()
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["upstream"]["dataset"].count(dataset.name) == 2


@pytest.fixture
def two_bodies(dataset, tmp_path, monkeypatch):
    """The dataset, and the same of another body."""
    monkeypatch.setitem(BODIES, "twin", replace(HUMANOID, name="twin"))
    folder = shutil.copytree(dataset, tmp_path / "twin_data")
    (folder / "manifest.json").unlink()
    info = folder / "meta" / "info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"body": "twin"}))
    return [str(dataset), str(folder)]


@pytest.mark.parametrize("model", ["transformer", "mlp"])
def test_datasets_of_two_bodies_train_one_model_on_both(two_bodies, tmp_path, monkeypatch, model):
    batches, measured, update = [], [], script.update

    def noted(*args):
        batches.append({name: len(batch["states"]) for name, batch in args[-1].items()})
        return update(*args)

    def measure(actor, commands, episodes, seed):
        measured.append(actor.body.name)
        return {"mean": {"survival": 1.0, "velocity_error": 0.1, "yaw_error": None}}

    monkeypatch.setattr(script, "update", noted)
    monkeypatch.setattr(script, "measure_commands", measure)
    changes = {"model": model, "updates": 2, "evaluate_every": 2}
    words = ["--dataset", *two_bodies, "--output_dir", str(tmp_path / "out"), *flags(**changes)]
    script.main(parse_arguments(Arguments, words))
    assert batches == [{"humanoid": 4, "twin": 4}] * 2, "as many windows of each"
    assert measured == ["humanoid", "twin"]
    row = read_metrics(tmp_path / "out")[-1]
    assert row["evaluation/humanoid/survival"] == row["evaluation/twin/survival"] == 1.0
    for body in ("humanoid", "twin"):
        actor = script.MODELS[model].from_pretrained(tmp_path / "out", body=body)
        assert actor.body is BODIES[body]
        assert actor.act(np.zeros((2, 45), dtype=np.float32)).shape == (2, 17)
    assert script.MODELS[model].from_pretrained(tmp_path / "out").body is HUMANOID


def test_windows_are_shared_out_evenly_over_bodies(two_bodies, tmp_path):
    words = ["--dataset", *two_bodies, "--output_dir", str(tmp_path / "out"), *flags(batch_size=7)]
    with pytest.raises(ValueError, match="batch_size=7 must be a multiple of 2"):
        script.main(parse_arguments(Arguments, words))


def test_a_model_of_other_bodies_is_refused_as_a_start(two_bodies, trained, tmp_path):
    words = ["--dataset", *two_bodies, "--output_dir", str(tmp_path / "out"), *flags(init_from=trained)]
    with pytest.raises(ValueError, match=r"is for .*\['humanoid'\].*, the data for .*\['humanoid', 'twin'\]"):
        script.main(parse_arguments(Arguments, words))


def test_an_mlp_comes_from_the_same_script(dataset, tmp_path):
    rows = train(dataset, tmp_path, model="mlp", updates=40, evaluate_every=40, learning_rate=3e-3)
    assert losses(rows)[-1] < losses(rows)[0]
    assert "GoalMLP" in (tmp_path / "README.md").read_text()
    GoalMLP.from_pretrained(tmp_path)


def test_the_mean_of_the_weights_is_what_is_kept(trained):
    checkpoint = load_file(trained / "checkpoint" / "models.safetensors")
    last, kept = GoalDecisionTransformer.from_pretrained(trained / "last"), "predict_action.humanoid.bias"
    assert torch.equal(last.state_dict()[kept], checkpoint[f"average.module.{kept}"])
    assert not torch.equal(last.state_dict()[kept], checkpoint[f"model.{kept}"])


def test_a_run_goes_on_from_a_model_with_its_statistics(dataset, trained, tmp_path):
    train(dataset, tmp_path, init_from=trained, updates=1, warmup_updates=0)
    first, second = (GoalDecisionTransformer.from_pretrained(folder) for folder in (trained, tmp_path / "last"))
    for name in ("observation_mean", "target_return"):
        buffers = (model.statistics["humanoid"].get_buffer(name) for model in (first, second))
        assert torch.equal(*buffers), name
    assert not torch.equal(first.predict_action["humanoid"].bias, second.predict_action["humanoid"].bias)


def test_a_robot_of_the_first_model_without_a_dataset_is_left_out_with_a_word(dataset, tmp_path, capsys):
    sizes = {name: TINY[name] for name in ("context_length", "hidden_size", "n_layer", "n_head")}
    config = GoalDecisionTransformerConfig(bodies=["g1", "humanoid"], return_horizon=0, **sizes)
    GoalDecisionTransformer(config).save_pretrained(tmp_path / "both")
    train(dataset, tmp_path / "one", init_from=tmp_path / "both", updates=1, warmup_updates=0)
    assert "there is no dataset of g1: leaving it out" in capsys.readouterr().err
    assert GoalDecisionTransformer.from_pretrained(tmp_path / "one").config.bodies == ["humanoid"]


@pytest.mark.parametrize(("name", "own", "asked"), [("context_length", 4, 5), ("n_head", 2, 4)])
def test_a_model_to_start_from_keeps_its_sizes(dataset, trained, tmp_path, name, own, asked):
    with pytest.raises(ValueError, match=f"has {name}={own}, not {asked}: give --{name} {own}"):
        train(dataset, tmp_path, init_from=trained, **{name: asked})


def test_what_a_run_starts_from_stays_the_best_until_something_is_better(dataset, trained, tmp_path, monkeypatch):
    scores = iter([(1.0, {"survival": 1.0}), (0.5, {"survival": 0.5})])
    monkeypatch.setattr(script, "evaluate", lambda model, args: next(scores))
    train(dataset, tmp_path, init_from=trained, updates=2)
    first, best, last = (
        GoalDecisionTransformer.from_pretrained(path) for path in (trained, tmp_path, tmp_path / "last")
    )
    assert torch.equal(best.predict_action["humanoid"].bias, first.predict_action["humanoid"].bias)
    assert not torch.equal(last.predict_action["humanoid"].bias, first.predict_action["humanoid"].bias)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "lstm"}, "model='lstm' is unknown: choose one of transformer, mlp"),
        ({"updates": 0}, "updates=0 must be at least 1"),
        ({"resume": True}, "no checkpoint in"),
        ({"resume": True, "init_from": "x"}, "give one of them"),
        ({"dataset": ""}, "--dataset is missing"),
        ({"average_decay": 1.5}, "average_decay=1.5 must be at least 0 and less than 1"),
    ],
)
def test_wrong_input_is_refused_in_one_line(dataset, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(dataset, tmp_path, **changes)


def test_a_dataset_of_another_vocabulary_is_refused(dataset, tmp_path):
    (tmp_path / "meta").mkdir()
    info = json.loads((dataset / "meta" / "info.json").read_text())
    (tmp_path / "meta" / "info.json").write_text(json.dumps(info | {"goal_version": "0"}))
    with pytest.raises(ValueError, match="vocabulary 0, but this code uses 2"):
        train(tmp_path, tmp_path / "out")


def test_a_dataset_of_other_dimensions_is_refused(dataset, tmp_path, monkeypatch):
    path = tmp_path / schema.DATA_PATH.format(**schema.file_indices(0))
    path.parent.mkdir(parents=True)
    (tmp_path / "meta").mkdir()
    for name in ("info.json", "tasks.parquet"):
        shutil.copy(dataset / "meta" / name, tmp_path / "meta")
    shard = next(schema.read_shards(dataset)) | {"action": np.zeros((240, 8), dtype=np.float32)}
    columns = schema.columns(HUMANOID) | {"action": schema.Column("float32", 8, "of a smaller body")}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "columns", lambda body: columns)
        schema.write_shard(path, shard, HUMANOID)
    with pytest.raises(ValueError, match=r"column 'action'.*\[8\].*\[17\]"):
        train(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("model", ["transformer", "mlp"])
def test_episodes_of_another_project_train_a_model_of_their_sizes(tmp_path, monkeypatch, model):
    """Actions that depend on the observations, in the layout of one row per episode."""
    states = np.random.default_rng(0).uniform(-1, 1, (8, 30, 3))
    actions = 1.5 * states[..., :2]
    episodes = {"observations": states.tolist(), "actions": actions.tolist()}
    episodes |= {"rewards": states.sum(2).tolist(), "dones": np.zeros((8, 30), dtype=bool).tolist()}
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(episodes), tmp_path / "data" / "0000.parquet")
    changes = {"updates": 40, "evaluate_every": 20, "checkpoint_every": 40, "average_decay": 0.9}
    rows = train(tmp_path / "data", tmp_path / "out", model=model, **changes)
    assert rows[-1]["evaluation/action_loss"] < 0.7 * rows[0]["loss/action"]
    trained = script.MODELS[model].from_pretrained(tmp_path / "out")
    assert (trained.config.bodies, trained.config.state_dims, trained.config.act_dims) == (["other"], [3], [2])
    assert trained.config.action_scales[0] == pytest.approx([np.abs(actions).max()] * 2)
    assert trained.act(np.zeros((5, 3), dtype=np.float32)).shape == (5, 2)
    assert "action loss" in json.loads((tmp_path / "out" / "summary.json").read_text())["metric"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "240 steps of episodes that were not collected here: 3\nnumbers in an observation, 2 in an action" in card
    assert not re.search("Humanoid|motor policy|commands suite|make_env", card)
    monkeypatch.chdir(tmp_path)
    exec(card.split("```python")[1].split("```")[0], found := {})
    assert found["action"].shape == (2,)


def test_a_dataset_of_another_project_is_judged_by_its_loss_even_with_the_sizes_of_a_body(tmp_path):
    states, actions = np.zeros((2, 5, 45)), np.full((2, 5, 17), 0.3)
    episodes = {"observations": states.tolist(), "actions": actions.tolist()}
    episodes |= {"rewards": np.zeros((2, 5)).tolist(), "dones": np.zeros((2, 5), dtype=bool).tolist()}
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(episodes), tmp_path / "data" / "0000.parquet")
    rows = train(tmp_path / "data", tmp_path / "out", updates=1)
    assert "evaluation/action_loss" in rows[-1] and "evaluation/survival" not in rows[-1]
