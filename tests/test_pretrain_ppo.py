"""PPO: advantages by hand, what a fall and a time limit are worth, and runs that are stopped and go on."""

import contextlib
import copy
import dataclasses
import gc
import io
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch.distributions import Normal

import pretrain_ppo
from agent.artefacts import checkpoints, runs
from agent.artefacts.arguments import parse_arguments
from agent.evaluation import suites
from agent.models.motor_policy import MotorPolicy
from agent.simulation.heading import world_observation
from agent.simulation.vector_env import GoalVectorEnv
from pretrain_ppo import (
    Arguments,
    adapt_learning_rate,
    build_envs,
    build_models,
    collect,
    generalized_advantages,
    kickstart,
    learning_batch,
    update,
)

TINY = {
    "num_envs": 4,
    "num_threads": 1,
    "rollout_steps": 16,
    "total_steps": 64,
    "minibatch_size": 32,
    "epochs": 1,
    "report_to": "none",
}

NATIVE = {"reward": "native", "goal_conditioned": "false"}
MODELS = "checkpoint/models.safetensors"


def tiny(**changes) -> Arguments:
    flags = [word for name, value in (TINY | changes).items() for word in (f"--{name}", str(value))]
    return parse_arguments(Arguments, ["--widths", "16", "8", *flags])


@pytest.fixture(scope="module", autouse=True)
def short_evaluations():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suites, "COMMANDS", [(1.0, 0.0, 0.0)])
        yield


def advantages_of(rewards, values, next_values, terminated, done) -> list[float]:
    """Advantages of one body, with gamma .5 and lambda .5, so that everything can be computed by hand."""
    numbers = [torch.tensor(each, dtype=torch.float32)[:, None] for each in (rewards, values, next_values)]
    flags = [torch.tensor(each, dtype=torch.bool)[:, None] for each in (terminated, done)]
    return generalized_advantages(*numbers, *flags, gamma=0.5, lam=0.5).squeeze(1).tolist()


def test_advantages_are_the_hand_computed_ones():
    # deltas: 1 + .5 * 4 - 2 = 1;  2 + .5 * 6 - 4 = 1;  3 + .5 * 8 - 6 = 1.  Sums: 1;  1 + .25 * 1;  1 + .25 * 1.25.
    assert advantages_of([1, 2, 3], [2, 4, 6], [4, 6, 8], [0, 0, 0], [0, 0, 0]) == [1.3125, 1.25, 1.0]


def test_a_time_limit_keeps_the_future_but_a_fall_does_not():
    # Step 1 ends an episode. As a time limit its delta is 2 + .5 * 6 - 4 = 1, as a fall 2 - 4 = -2.
    limit = advantages_of([1, 2, 3], [2, 4, 6], [4, 6, 8], [0, 0, 0], [0, 1, 0])
    fall = advantages_of([1, 2, 3], [2, 4, 6], [4, 6, 8], [0, 1, 0], [0, 1, 0])
    assert limit == [1.25, 1.0, 1.0]
    assert fall == [0.5, -2.0, 1.0]


def test_advantages_of_bodies_do_not_mix():
    one = torch.tensor([[1.0], [2.0]]), torch.zeros(2, 1), torch.ones(2, 1)
    no = torch.zeros(2, 1, dtype=torch.bool)
    alone = generalized_advantages(*one, no, no, gamma=0.9, lam=0.8)
    both = [torch.cat([each, each * 100], dim=1) for each in one]
    together = generalized_advantages(*both, no.expand(2, 2), no.expand(2, 2), gamma=0.9, lam=0.8)
    assert torch.equal(together[:, :1], alone)


@pytest.fixture
def learner():
    """Arguments, models, optimizer and bodies of a tiny run, as `main` makes them."""
    torch.manual_seed(0)
    args = tiny(rollout_steps=32, epochs=4, learning_rate=0.003, push_speed=0.0)
    accelerator = Accelerator(cpu=True)
    policy, critic = build_models(args, accelerator.device)
    optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], lr=args.learning_rate)
    return args, accelerator, policy, critic, optimizer, build_envs(args, seed=0)


def test_updates_make_rewarded_actions_more_likely(learner):
    args, accelerator, policy, critic, optimizer, envs = learner
    before = collect(args, envs, policy)[0]["actions"][..., 3].mean()
    for _ in range(8):
        rollout, _ = collect(args, envs, policy)
        rollout["rewards"] = rollout["actions"][..., 3]
        row = update(args, accelerator, policy, critic, optimizer, rollout, critic_only=False)
        assert all(np.isfinite(value) for value in row.values())
    assert collect(args, envs, policy)[0]["actions"][..., 3].mean() > before + 0.1


@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # of torch, by torch
@pytest.mark.slow
def test_compiled_actions_and_updates_are_those_of_the_interpreter(learner, monkeypatch):
    args, accelerator, policy, critic, optimizer, envs = learner
    compile, compiled = torch.compile, []
    monkeypatch.setattr(torch, "compile", lambda each, **how: compiled.append(each) or compile(each, **how))
    pretrain_ppo.compiled.cache_clear()
    rollout, _ = collect(dataclasses.replace(args, compile=True), envs, policy)
    noise = Normal(*policy(*(rollout[name].flatten(0, 1) for name in ("observations", "commands", "phase"))))
    log_probs = noise.log_prob(rollout["actions"].flatten(0, 1)).sum(-1)
    torch.testing.assert_close(rollout["log_probs"].flatten(), log_probs, atol=1e-4, rtol=1e-4)
    before = copy.deepcopy((policy.state_dict(), critic.state_dict(), optimizer.state_dict()))
    learned = []
    for fused in (False, True):
        for model, state in zip((policy, critic, optimizer), before, strict=True):
            model.load_state_dict(copy.deepcopy(state))
        torch.manual_seed(1)
        chosen = dataclasses.replace(args, compile=fused, epochs=1)
        row = update(chosen, accelerator, policy, critic, optimizer, rollout, critic_only=False)
        learned.append((row, [value.clone() for value in policy.parameters()]))
    (row, weights), (compiled_row, compiled_weights) = learned
    assert compiled_row == pytest.approx(row, abs=1e-5)
    torch.testing.assert_close(compiled_weights, weights, atol=1e-5, rtol=1e-4)
    assert not torch.equal(weights[0], before[0]["network.hidden.0.even.weight"])
    assert compiled == [MotorPolicy.forward, pretrain_ppo.minibatch_losses]


def test_compiling_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="needs the compiler no-such-compiler: install it"):
        tiny(compile=True)


def test_a_rollout_chains_its_steps_and_marks_its_ends(learner):
    args, _, policy, _, _, envs = learner
    rollout, row = collect(args, envs, policy)
    going_on = ~rollout["done"][:-1]
    torch.testing.assert_close(rollout["observations"][1:][going_on], rollout["next_observations"][:-1][going_on])
    assert rollout["done"].any() and not (rollout["terminated"] & ~rollout["done"]).any()
    mean, std = policy(rollout["observations"], rollout["commands"], rollout["phase"])
    log_probs = torch.distributions.Normal(mean, std).log_prob(rollout["actions"]).sum(-1)
    torch.testing.assert_close(rollout["log_probs"], log_probs, rtol=1e-4, atol=1e-4)
    parts = sum(value for name, value in row.items() if name.startswith("reward/"))
    assert row["rollout/reward"] == pytest.approx(parts, abs=1e-4)
    assert row["rollout/reward"] == pytest.approx(float(rollout["rewards"].mean()), abs=1e-4)


def test_a_step_is_worth_what_follows_under_the_same_command_unless_the_body_fell(learner):
    args, accelerator, policy, critic, _, envs = learner
    rollout, _ = collect(args, envs, policy)
    rollout["done"][3, 1], rollout["terminated"][3, 1] = True, False  # a time limit
    before = learning_batch(args, accelerator, policy, copy.deepcopy(critic), rollout)["returns"]

    def changed(rows: torch.Tensor) -> bool:
        other = rollout | {"next_observations": rollout["next_observations"] + 3.0 * rows[..., None]}
        after = learning_batch(args, accelerator, policy, copy.deepcopy(critic), other)["returns"]
        return not torch.allclose(after, before)

    done, terminated = rollout["done"], rollout["terminated"]
    assert changed(done & ~terminated), "a time limit has a value"
    assert changed(~done) and not changed(terminated)


def diverge(envs: GoalVectorEnv, row: int) -> None:
    envs.physics.set_state(np.array([row]), np.full((1, 24), np.nan), envs.state.qvel[[row]])


def test_a_diverged_body_never_enters_a_batch(learner, monkeypatch):
    args, accelerator, policy, critic, optimizer, envs = learner
    monkeypatch.setattr(pretrain_ppo, "MAX_DIVERGED", 0.5)
    step, steps = envs.step, iter(range(args.rollout_steps))

    def diverging_step(actions):
        if next(steps) == 7:
            diverge(envs, 2)
        return step(actions)

    monkeypatch.setattr(envs, "step", diverging_step)
    rollout, row = collect(args, envs, policy)
    valid = rollout["valid"]
    assert (~valid).nonzero().tolist() == [[7, 2]]
    assert rollout["done"][7, 2] and rollout["terminated"][7, 2]
    assert row["rollout/diverged"] == pytest.approx(1 / (args.rollout_steps * args.num_envs))
    assert all(torch.isfinite(value[valid]).all() for value in rollout.values())
    assert all(np.isfinite(value) for value in row.values())
    batch = learning_batch(args, accelerator, policy, copy.deepcopy(critic), rollout)
    assert {len(value) for value in batch.values()} == {args.batch_size - 1}
    assert torch.equal(batch["actions"], rollout["actions"][valid])
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    assert all(
        np.isfinite(value)
        for value in update(args, accelerator, policy, critic, optimizer, rollout, critic_only=False).values()
    )
    policy.update_statistics(policy.moments(rollout["observations"]))
    assert all(torch.isfinite(value).all() for value in policy.state_dict().values())
    assert any((value != before[name]).any() for name, value in policy.state_dict().items())


def test_gradients_become_the_mean_over_processes():
    class Two:
        num_processes = 2

        def reduce(self, tensor, how):
            return tensor / 2  # the gradients of the other process are 0

    first, second, unused = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (2,), (1,)))
    first.grad, second.grad = torch.full((2, 3), 4.0), torch.full((2,), 6.0)
    pretrain_ppo.average_gradients([first, second, unused], Two())
    assert (first.grad == 2).all() and (second.grad == 3).all() and unused.grad is None


def test_a_run_stops_when_too_many_steps_diverge(learner, monkeypatch):
    args, _, policy, _, _, envs = learner
    step, steps = envs.step, iter(range(args.rollout_steps))

    def diverging_step(actions):
        if next(steps) == 0:
            diverge(envs, 0)
        return step(actions)

    monkeypatch.setattr(envs, "step", diverging_step)
    with pytest.raises(ValueError, match=r"0\.78% of the simulation steps diverged: lower push_speed"):
        collect(args, envs, policy)


def test_the_state_of_the_envs_continues_bit_for_bit(learner):
    args, _, policy, _, _, envs = learner
    collect(args, envs, policy)
    saved, generator = envs.state_dict(), torch.get_rng_state()
    saved = {name: np.copy(value) for name, value in saved.items()}
    expected, expected_row = collect(args, envs, policy)
    other = build_envs(args, seed=77)
    other.load_state_dict(saved)
    torch.set_rng_state(generator)
    rollout, row = collect(args, other, policy)
    assert row == expected_row
    for name, value in expected.items():
        assert torch.equal(rollout[name], value), name


def test_the_target_of_the_change_per_update_goes_down_over_the_run():
    args = tiny(target_kl=0.05, last_kl=0.01, total_steps=1000)
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=5e-4)
    rates = []
    for step in (0, 500, 1000):  # targets .05, .03 and .01
        optimizer.param_groups[0]["lr"] = 5e-4
        adapt_learning_rate(args, optimizer, 0.02, step)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([6e-4, 5e-4, 5e-4 / 1.2])


@pytest.mark.parametrize(("kl", "rate"), [(0.0, 6e-4), (0.03, 5e-4), (0.2, 5e-4 / 1.2)])
def test_the_learning_rate_follows_the_change_per_update(kl, rate):
    args = tiny(learning_rate=6e-4, learning_rate_min=2e-4)
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=5e-4)
    adapt_learning_rate(args, optimizer, kl, step=0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(rate)


def test_a_training_goes_on_with_the_critic_next_to_the_policy(tmp_path):
    pretrain_ppo.main(tiny(output_dir=tmp_path))
    _, critic = build_models(tiny(init_from=tmp_path), torch.device("cpu"), tmp_path)
    kept = load_file(tmp_path / pretrain_ppo.CRITIC)
    assert critic.return_scale != 1
    assert all(torch.equal(value, kept[name]) for name, value in critic.state_dict().items())

    save_file({name: value[:1] for name, value in kept.items() if value.ndim}, tmp_path / pretrain_ppo.CRITIC)
    (tmp_path / pretrain_ppo.CRITIC).with_name(runs.MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"critic/model.safetensors of .* does not fit .* delete this file"):
        build_models(tiny(init_from=tmp_path), torch.device("cpu"), tmp_path)


def test_the_policy_that_is_kept_is_the_mean_of_the_weights_on_the_way(whole):
    kept, checkpoint = load_file(whole / "last/model.safetensors"), load_file(whole / MODELS)
    for name, value in kept.items():
        assert torch.equal(value, checkpoint[f"average.module.{name}"]), name
    head = "network.head.even.weight"
    assert not torch.equal(kept[head], checkpoint[f"policy.{head}"])


def test_kickstarting_holds_a_policy_to_the_first_one_on_commands_without_a_posture(learner):
    args, accelerator, policy, critic, optimizer, envs = learner
    first = copy.deepcopy(policy)
    with torch.no_grad():
        policy.network.head.even.weight += 0.1
    rollout, _ = collect(args, envs, policy)
    rollout["commands"][:, 0, 3], rollout["commands"][:, 1, 4] = 1.0, 2.0
    rollout["rewards"][:] = 0.0
    args = dataclasses.replace(args, kickstart_weight=50.0)
    rollout |= kickstart(first, rollout, args)
    expected = torch.tensor([0.0, 0.0, 50.0, 50.0]).expand(args.rollout_steps, -1)
    assert torch.equal(rollout["first_weight"], expected)

    def apart() -> torch.Tensor:
        mean, _ = policy(*(rollout[name] for name in ("observations", "commands", "phase")))
        return (mean - rollout["first_actions"]).square().mean((0, 2))[2:].mean()

    before = apart()
    row = update(args, accelerator, policy, critic, optimizer, rollout, critic_only=False)
    assert row["loss/kickstart"] > 0 and apart() < 0.8 * before


def test_a_policy_that_learns_postures_is_chosen_by_them_too(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "POSTURE_COMMANDS", {"standing": (0.0, 0.0, 0.0)})
    for share in (0.0, 0.5):
        torch.manual_seed(0)
        args = tiny(arms_share=share, output_dir=tmp_path / str(share))
        (tmp_path / str(share)).mkdir()
        runs.record_provenance(args.output_dir, args, None)
        progress = {"best_score": None, "best": {}, "step": 0, "seconds": 0.0}
        row = pretrain_ppo.keep_if_best(*build_models(args, torch.device("cpu")), args, progress)
        assert ("evaluation/postures_survival" in row) == (share > 0)


def test_goal_conditioned_training_goes_on_from_a_goal_blind_policy(tmp_path):
    torch.manual_seed(0)
    blind = MotorPolicy(pretrain_ppo.MotorPolicyConfig(widths=[16, 8], goal_conditioned=False))
    blind.save_pretrained(tmp_path / "blind")
    folder = tmp_path / "goal"
    pretrain_ppo.main(tiny(init_from=tmp_path / "blind", output_dir=folder, widths="8"))
    policy = MotorPolicy.from_pretrained(folder / "last")
    assert policy.config.goal_conditioned
    assert policy.goal_embedding.even.weight.abs().max() > 0, "the goal is learned"
    moved = max(
        (a - b).abs().max() for a, b in zip(policy.network.parameters(), blind.network.parameters(), strict=True)
    )
    assert 0 < moved < 0.1, "from there, not from anew"
    assert json.loads((folder / "provenance.json").read_text())["upstream"]["init_from"] == "blind"


def test_the_policy_that_is_kept_may_lie_between_the_first_and_the_trained_one(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "COMMANDS", [(1.0, 0.0, 0.0)])
    MotorPolicy(pretrain_ppo.MotorPolicyConfig(widths=[16, 8])).save_pretrained(tmp_path / "first")
    pretrain_ppo.main(tiny(init_from=tmp_path / "first", output_dir=tmp_path / "run", initial_share=0.25))
    kept, checkpoint = (load_file(tmp_path / "run" / name) for name in ("last/model.safetensors", MODELS))
    for name, value in kept.items():
        trained, first = checkpoint[f"average.module.{name}"], checkpoint[f"first.{name}"]
        torch.testing.assert_close(value, 0.75 * trained + 0.25 * first)
    head = "network.head.even.weight"
    assert not torch.equal(checkpoint[f"average.module.{head}"], checkpoint[f"first.{head}"])


@pytest.mark.parametrize("name, value", [("initial_share", 0.25), ("kickstart_weight", 0.1), ("start_crouch", True)])
def test_what_is_about_a_trained_policy_needs_one(name, value, tmp_path):
    with pytest.raises(ValueError, match=f"{name}={value} is about a trained policy: give --init_from"):
        pretrain_ppo.main(tiny(output_dir=tmp_path, **{name: value}))


def test_errors_are_averaged_over_a_control_step_at_least():
    with pytest.raises(ValueError, match="must be at least a control step of body humanoid"):
        tiny(smoothing_seconds=0.01)


def test_the_native_reward_is_that_of_the_env_and_seen_in_the_world_s_frame(monkeypatch):
    torch.manual_seed(0)
    args = tiny(**NATIVE)
    policy, _ = build_models(args, torch.device("cpu"))
    envs = build_envs(args, seed=0)
    results, step = [], envs.step
    monkeypatch.setattr(envs, "step", lambda actions: results.append(step(actions)) or results[-1])
    rollout, row = collect(args, envs, policy)
    np.testing.assert_allclose(rollout["rewards"], np.stack([result[1] for result in results]), rtol=1e-6)
    assert min(result[4]["reward_contact"].min() for result in results) < 0, "contacts cost something"
    parts = {"reward/survive", "reward/forward", "reward/ctrl", "reward/contact"}
    assert {name for name in row if name.startswith("reward/")} == parts
    np.testing.assert_array_equal(envs.observe()[:, :45], world_observation(envs.state.qpos, envs.state.qvel))


def test_a_native_policy_is_measured_and_shown_without_goals(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "MAX_EPISODE_STEPS", 30)
    pretrain_ppo.main(tiny(**NATIVE, output_dir=tmp_path))
    card = (tmp_path / "README.md").read_text()
    assert "| episode | survival | forward_speed | native_return |" in card
    code = card.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path.parent)
    names = {}
    exec(code.replace("range(1000)", "range(3)"), names)
    assert names["observations"].shape == (1, 45 + 5)
    assert MotorPolicy.from_pretrained(tmp_path).config.frame == "world"
    with pytest.raises(ValueError, match="has frame=world, this run heading: give another --init_from"):
        pretrain_ppo.main(tiny(output_dir=tmp_path / "goal", init_from=tmp_path))
    with pytest.raises(ValueError, match="reward=native has no goals"):
        tiny(reward="native")


def curves(folder: Path) -> list[dict]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


RUN = {"total_steps": 64 * 6, "checkpoint_every": 3, "evaluate_every": 1000, "max_episode_steps": 40}
RUN |= {"kickstart_weight": 0.5, "assist": 0.05}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    torch.manual_seed(0)
    MotorPolicy(pretrain_ppo.MotorPolicyConfig(widths=[16, 8])).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("whole"), io.StringIO()
    with contextlib.redirect_stdout(said):
        pretrain_ppo.main(tiny(**RUN, init_from=start, output_dir=folder))
    assert said.getvalue() == "", "results go to stdout and there are none; progress goes to stderr"
    assert (folder / "curves.png").exists() and (folder / "last" / "model.safetensors").exists()
    return folder


class Died(Exception):
    """A run that ends without saving."""


def die():
    raise Died


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "ends", "saved"), [(die, Died, 3), (terminate, SystemExit, 5)])
def test_a_run_stopped_mid_update_and_resumed_ends_bit_for_bit_as_an_uninterrupted_one(
    start, whole, tmp_path, monkeypatch, stop, ends, saved
):
    updates = []

    def stopped(*args):
        updates.append(1)
        if len(updates) == 5:
            stop()
        return update(*args)

    with monkeypatch.context() as patch, pytest.raises(ends) as ended:
        patch.setattr(pretrain_ppo, "update", stopped)
        pretrain_ppo.main(tiny(**RUN, init_from=start, output_dir=tmp_path))
    assert ends is Died or ended.value.code == 143
    assert runs.read_json(tmp_path / "checkpoint/progress.json")["update"] == saved
    del ended
    gc.collect()  # the traceback keeps the run's claim on its folder
    pretrain_ppo.main(tiny(**RUN, output_dir=tmp_path, resume=True))
    assert curves(tmp_path) == curves(whole)
    for file in ("model.safetensors", MODELS, "checkpoint/process_0.safetensors"):
        assert (tmp_path / file).read_bytes() == (whole / file).read_bytes(), file
    progress = [runs.read_json(folder / "checkpoint/progress.json") for folder in (whole, tmp_path)]
    assert progress[0] | {"seconds": 0} == progress[1] | {"seconds": 0}


@pytest.mark.slow
def test_a_run_from_a_policy_of_other_widths_goes_on(tmp_path):
    MotorPolicy(pretrain_ppo.MotorPolicyConfig(widths=[4, 4])).save_pretrained(tmp_path / "narrow")
    pretrain_ppo.main(tiny(init_from=tmp_path / "narrow", output_dir=tmp_path / "run"))
    pretrain_ppo.main(tiny(output_dir=tmp_path / "run", total_steps=128, resume=True))
    assert MotorPolicy.from_pretrained(tmp_path / "run" / "last").config.widths == [4, 4]
    assert curves(tmp_path / "run")[-1]["step"] == 128


def test_a_run_is_not_resumed_by_another_number_of_processes(whole, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="processes was 1 and is 2"):
        checkpoints.find(whole, tiny(output_dir=whole, **RUN), pretrain_ppo.FREE)


def test_resuming_with_other_arguments_lists_the_differences_and_changes_nothing(whole):
    before = (whole / "checkpoint/progress.json").read_bytes(), (whole / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match=r"num_envs was \d+ and is 3, gamma was 0.99 and is 0.9"):
        pretrain_ppo.main(tiny(**RUN, output_dir=whole, resume=True, gamma=0.9, num_envs=3))
    assert before == ((whole / "checkpoint/progress.json").read_bytes(), (whole / "metrics.jsonl").read_bytes())


def test_gradients_that_are_not_finite_never_reach_the_weights(learner):
    args, accelerator, policy, critic, optimizer, envs = learner
    rollout, _ = collect(args, envs, policy)
    rollout["rewards"][3, 1] = float("nan")
    before = {name: value.clone() for name, value in policy.named_parameters()}
    row = update(args, accelerator, policy, critic, optimizer, rollout, critic_only=False)
    assert row["loss/skipped"] == args.epochs * -(-args.batch_size // args.minibatch_size)
    assert all(torch.equal(value, before[name]) for name, value in policy.named_parameters())


def test_a_run_stops_when_its_gradients_are_not_finite(tmp_path, monkeypatch):
    def broken(*args):
        rollout, row = collect(*args)
        rollout["rewards"][0, 0] = float("inf")
        return rollout, row

    monkeypatch.setattr(pretrain_ppo, "collect", broken)
    with pytest.raises(ValueError, match=r"not finite: start again, --init_from the best policy"):
        pretrain_ppo.main(tiny(output_dir=tmp_path, total_steps=10**6, evaluate_every=10**6))


def test_resuming_what_never_ran_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no checkpoint in .*: start without --resume"):
        pretrain_ppo.main(tiny(output_dir=tmp_path / "nothing", resume=True))


def test_a_crouch_to_start_from_needs_a_body_that_has_one():
    with pytest.raises(ValueError, match="needs a crouch_offset, which body g1 lacks: leave it out"):
        tiny(body="g1", start_crouch=True)
