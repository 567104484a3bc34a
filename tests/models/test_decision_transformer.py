"""The goal-prompted models: what they may see, what counts in their loss, and how they act."""

import functools
import json
from itertools import permutations

import numpy as np
import pytest
import torch
from conftest import ROOT
from torch import nn

from agent.artefacts import runs
from agent.bodies.humanoid import HUMANOID
from agent.evaluation.suites import roll_out
from agent.goals import SKILLS, Goal
from agent.models.decision_transformer import (
    GoalDecisionTransformer,
    GoalDecisionTransformerConfig,
    GoalMLP,
    GoalMLPConfig,
    masked_square_error,
)
from agent.simulation.env import make_env
from agent.simulation.task import wave_clock

GOALS = [Goal(1.0), Goal(wz=-0.8, arms="wave_left"), Goal(vy=0.4, height="low")]
B, K = 3, 6


def tiny_transformer(**changes) -> GoalDecisionTransformer:
    torch.manual_seed(0)
    sizes = {"context_length": K, "return_horizon": 60, "hidden_size": 16, "n_layer": 2, "n_head": 2}
    return vivid(GoalDecisionTransformer(GoalDecisionTransformerConfig(**sizes | changes)))


def tiny_mlp(**changes) -> GoalMLP:
    torch.manual_seed(0)
    return vivid(GoalMLP(GoalMLPConfig(hidden_size=16, n_layer=2, **changes)))


def vivid(model):
    """Weights large enough that everything that is seen shows in the action, and statistics of their own."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.3)
    for body, size in zip(model.config.bodies, model.config.state_dims, strict=True):
        model.set_statistics(body, np.linspace(-0.5, 0.5, size), np.linspace(0.5, 2, size), 0.1, 0.3, 0.5)
    return model.eval()


def without_returns(**changes) -> GoalDecisionTransformer:
    return tiny_transformer(return_horizon=0, **changes)


EVERY_MODEL = pytest.mark.parametrize("make", [tiny_transformer, without_returns, tiny_mlp])
MODELS = pytest.mark.parametrize("make", [tiny_transformer, tiny_mlp])
TRANSFORMERS = pytest.mark.parametrize("make", [tiny_transformer, without_returns])
# The humanoid, and a smaller robot that is not simulated here.
TWO_BODIES = {
    "bodies": ["humanoid", "dog"],
    "state_dims": [45, 30],
    "act_dims": [17, 12],
    "action_scales": [[0.4] * 17, [0.5, 2.0] * 6],
}
GOAL_PROMPTS = pytest.mark.parametrize("goal_prompt", ["prefix", "state"])


def make_window(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "states": torch.randn(B, K, 45, generator=generator),
        "actions": torch.randn(B, K, 17, generator=generator) * 0.2,
        "returns_to_go": torch.randn(B, K, generator=generator),
        "clock": torch.randn(B, K, 2, generator=generator),
        "goal_ids": torch.tensor([goal.command_ids for goal in GOALS]),
        "attention_mask": torch.ones(B, K, dtype=torch.bool),
        "labels": torch.randn(B, K, 17, generator=generator) * 0.2,
        "loss_mask": torch.ones(B, K, dtype=torch.bool),
    }


@torch.no_grad()
def actions_of(model, window) -> torch.Tensor:
    return model(**{name: value for name, value in window.items() if name not in ("labels", "loss_mask")}).action_preds


@TRANSFORMERS
@GOAL_PROMPTS
def test_an_action_depends_on_its_goal_its_state_and_the_past_but_not_on_itself_or_the_future(make, goal_prompt):
    model, window = make(goal_prompt=goal_prompt), make_window()
    before = actions_of(model, window)
    returns_from = 3 if model.config.return_horizon else K
    for name, step, seen_from in (
        *(("states", 3, 3), ("clock", 3, 3)),
        *(("returns_to_go", 3, returns_from), ("actions", 3, 4)),
    ):
        changed = window | {name: window[name].clone()}
        changed[name][:, step] += 0.3
        difference = (actions_of(model, changed) - before).abs().amax((0, 2))
        assert (difference[:seen_from] < 1e-6).all(), f"{name} is seen before it is there"
        assert (difference[seen_from:] > 1e-6).all(), f"{name} is not seen"
    other = window | {"goal_ids": window["goal_ids"].flip(0)}
    assert ((actions_of(model, other) - before).abs().amax(-1)[0] > 1e-4).all(), "the goal is not seen"


def test_the_order_of_the_past_matters():
    model, window = tiny_transformer(), make_window()
    swapped = {name: window[name].clone() for name in ("states", "actions", "returns_to_go")}
    for value in swapped.values():
        value[:, [0, 1]] = value[:, [1, 0]]
    assert (actions_of(model, window | swapped) - actions_of(model, window))[:, -1].abs().max() > 1e-4


def test_masked_steps_have_no_part_in_actions_and_loss():
    model, window = tiny_transformer(), make_window()
    window["attention_mask"][:, 4:] = window["loss_mask"][:, 4:] = False
    loss = model(**window).loss
    for name in ("states", "actions", "returns_to_go", "labels"):
        window[name] = window[name].clone()
        window[name][:, 4:] = 7.0
    assert torch.equal(model(**window).loss, loss)


def test_the_loss_is_a_mean_over_the_steps_that_count():
    prediction, target = torch.zeros(1, 2, 2), torch.tensor([[[1.0, 3.0], [5.0, 5.0]]])
    assert masked_square_error(prediction, target, torch.tensor([[True, False]]), 1) == 5.0
    assert masked_square_error(prediction, target, torch.tensor([[True, True]]), 2) == 15.0
    model, window = tiny_transformer(), make_window()
    with torch.no_grad():
        error = (actions_of(model, window) - window["labels"]) / 0.4
        assert model(**window).loss == pytest.approx(error.square().mean().item(), rel=1e-5)


@EVERY_MODEL
def test_every_parameter_learns(make):
    model = make()
    model(**make_window()).loss.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


@EVERY_MODEL
def test_a_saved_model_acts_identically(make, tmp_path):
    model = make()
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    observations = np.random.default_rng(0).normal(size=(10, B, 45)).astype(np.float32)
    for one in (model, again):
        one.prompt(GOALS)
    for observation in observations:
        np.testing.assert_array_equal(model.act(observation), again.act(observation))
    assert not again.training


@MODELS
def test_another_vocabulary_or_kind_of_model_is_refused_with_both_names(make, tmp_path):
    model = make()
    model.save_pretrained(tmp_path)
    (tmp_path / runs.MANIFEST).unlink()
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"goal_version": "0"}))
    with pytest.raises(ValueError, match="vocabulary 0, but this code uses 2"):
        type(model).from_pretrained(tmp_path)
    path.write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(ValueError, match=f"bert.*{model.config.model_type}"):
        type(model).from_pretrained(tmp_path)


@MODELS
def test_actions_are_float32_in_the_limit_and_shaped_like_the_observations(make):
    model = make()
    for shape in ((45,), (4, 45)):
        model.reset()
        model.prompt(Goal(1.0))
        action = model.act(10 * np.ones(shape, dtype=np.float32))
        assert action.dtype == np.float32
        assert action.shape == (*shape[:-1], 17)
        assert np.abs(action).max() <= np.float32(0.4)


def recomputed(model, observations, actions, goals, first=0) -> np.ndarray:
    """The last action as `forward` computes it from a whole context that begins with step `first` of the goals."""
    states = torch.from_numpy(np.stack(observations, axis=1))
    past = torch.from_numpy(np.stack([*actions, np.zeros_like(observations[0][:, :17])], axis=1))
    ids = torch.tensor([goal.command_ids for goal in goals])
    returns = model.statistics["humanoid"].target_return.expand(states.shape[:2])
    steps = np.arange(first, first + len(observations))
    clock = np.stack([wave_clock(steps if goal.arms == "wave_left" else 0 * steps - 1, HUMANOID) for goal in goals])
    mask = torch.ones(states.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        output = model(states, past, returns, torch.from_numpy(clock), ids, mask)
    return output.action_preds[:, -1].clamp(-0.4, 0.4).numpy()


@TRANSFORMERS
@GOAL_PROMPTS
def test_acting_from_the_cache_is_acting_from_the_whole_context(make, goal_prompt):
    model = make(goal_prompt=goal_prompt)
    observations = list(np.random.default_rng(0).normal(size=(20, B, 45)).astype(np.float32))
    model.prompt(GOALS)
    actions = [model.act(observation) for observation in observations]
    # The context grows to 6 steps, is cut to the last 3 when the next comes, and grows again.
    for step, begin in ((0, 0), (5, 0), (6, 3), (8, 3), (9, 6), (19, 15)):
        expected = recomputed(model, observations[begin : step + 1], actions[begin:step], GOALS, begin)
        np.testing.assert_allclose(actions[step], expected, atol=1e-5)


@MODELS
def test_a_wave_goes_on_through_other_goals_and_begins_again_after_one_without(make):
    model, wave = make(), Goal(arms="wave_right")
    for goal, steps in ((wave, 0), (Goal(0.6, arms="wave_left"), 1), (wave, 2), (Goal(0.6), -1), (wave, 0)):
        model.prompt(goal)
        model.act(np.zeros(45, dtype=np.float32))
        assert model._waved == steps


@GOAL_PROMPTS
def test_a_prompt_replaces_the_goal_and_keeps_the_history(goal_prompt):
    model = tiny_transformer(goal_prompt=goal_prompt)
    observations = list(np.random.default_rng(0).normal(size=(4, B, 45)).astype(np.float32))
    model.prompt(GOALS)
    actions = [model.act(observation) for observation in observations[:3]]
    model.prompt(GOALS[::-1])
    action = model.act(observations[3])
    np.testing.assert_allclose(action, recomputed(model, observations, actions, GOALS[::-1]), atol=1e-5)
    assert np.abs(action - recomputed(model, observations, actions, GOALS)).max() > 1e-3
    assert np.abs(action - recomputed(model, observations[3:], [], GOALS[::-1])).max() > 1e-3


@MODELS
def test_observations_of_other_bodies_than_those_prompted_are_refused(make):
    model = make()
    model.prompt(GOALS[:2])
    for shape in ((45,), (1, 45), (3, 45)):
        with pytest.raises(ValueError, match="after 2 prompts: give one for each, or prompt one Goal"):
            model.act(np.ones(shape, dtype=np.float32))
    assert model.act(np.ones((2, 45), dtype=np.float32)).shape == (2, 17)
    model.prompt(GOALS[:1])
    model.reset()
    assert model.act(np.ones(45, dtype=np.float32)).shape == (17,), "one body in a list of one"


def test_observations_of_other_bodies_than_those_remembered_are_refused():
    model = tiny_transformer()
    model.act(np.ones((2, 45), dtype=np.float32))
    with pytest.raises(ValueError, match="the actor remembers 2 bodies: reset it first"):
        model.act(np.ones((3, 45), dtype=np.float32))


@pytest.mark.parametrize("goal", [[], "stand", [(1.0, 0, 0, 0, 0)]])
def test_what_is_no_goal_is_no_prompt(goal):
    with pytest.raises(ValueError, match=r"goals=.*: give"):
        tiny_transformer().prompt(goal)


def test_reset_forgets_the_past():
    model = tiny_transformer()
    observations = np.random.default_rng(0).normal(size=(3, 45)).astype(np.float32)
    model.prompt(Goal(1.0))
    first = model.act(observations[0])
    model.act(observations[1])
    assert not np.array_equal(model.act(observations[0]), first)
    model.reset()
    np.testing.assert_array_equal(model.act(observations[0]), first)


def test_bodies_in_a_batch_do_not_see_each_other():
    model = tiny_transformer()
    observations = np.random.default_rng(0).normal(size=(9, B, 45)).astype(np.float32)
    model.prompt(GOALS)
    together = [model.act(observation) for observation in observations]
    for body, goal in enumerate(GOALS):
        model.reset()
        model.prompt(goal)
        alone = [model.act(observation[body]) for observation in observations]
        np.testing.assert_allclose(alone, [action[body] for action in together], atol=1e-5)


@TRANSFORMERS
@pytest.mark.parametrize("context", [1, 2, 5])
def test_the_context_never_outgrows_its_length(make, context):
    model = make(context_length=context)
    for observation in np.random.default_rng(0).normal(size=(40, 45)).astype(np.float32):
        model.act(observation)
        assert model._states.shape[1] <= context
        assert model._cache.get_seq_length() == 6 + len(model.config.step_tokens) * model._states.shape[1] - 1


@MODELS
def test_what_follows_the_body_state_in_an_observation_changes_nothing(make):
    model = make()
    observation = np.random.default_rng(0).normal(size=(B, 45)).astype(np.float32)
    first = model.act(observation)
    model.reset()
    np.testing.assert_array_equal(model.act(np.hstack([observation, np.ones((B, 5), np.float32)])), first)
    with pytest.raises(ValueError, match="this actor needs 45 numbers"):
        model.act(observation[:, :44])


@MODELS
def test_sizes_and_scales_are_those_of_the_body(make):
    config = make().config
    assert (config.bodies, config.state_dims, config.act_dims) == (["humanoid"], [45], [17])
    assert config.action_scales == [[0.4] * 17]
    assert make().body is HUMANOID


@pytest.mark.parametrize("config", [GoalDecisionTransformerConfig, GoalMLPConfig])
def test_sizes_that_do_not_belong_together_are_refused(config):
    with pytest.raises(ValueError, match="action_scales has 3 numbers for 2 actions"):
        config(bodies=["dog"], state_dims=[3], act_dims=[2], action_scales=[[1.0] * 3])
    with pytest.raises(ValueError, match=r"bodies=\['dog', 'cat'\]: give at least one, each with state_dims"):
        config(bodies=["dog", "cat"], state_dims=[3], act_dims=[2], action_scales=[[1.0] * 2])
    with pytest.raises(ValueError, match="body='dog' is unknown"):
        config(bodies=["dog"])


def test_each_action_has_a_scale_of_its_own():
    scale = np.linspace(0.1, 1.7, 17)
    sizes = {"bodies": ["humanoid"], "state_dims": [45], "act_dims": [17], "action_scales": [scale.tolist()]}
    model, window = tiny_transformer(**sizes), make_window()
    with torch.no_grad():
        error = (actions_of(model, window) - window["labels"]) / torch.tensor(scale)
        assert model(**window).loss == pytest.approx(error.square().mean().item(), rel=1e-5)
    actions = [model.act(30 * np.ones(45, dtype=np.float32) * sign) for sign in (1, -1)]
    assert (np.abs(actions) <= np.float32(scale)).all()


@MODELS
def test_one_model_moves_several_bodies_and_shares_all_but_their_projections(make):
    model = make(**TWO_BODIES)
    own = {name for name, _ in model.named_parameters() if "humanoid" in name or "dog" in name}
    layers = {name.split(".")[0] for name in own}
    assert layers == {"embed_state", "predict_action"} | (set() if make is tiny_mlp else {"embed_action"})
    window = make_window()
    dog = window | {"states": window["states"][..., :30]}
    dog |= {name: window[name][..., :12] for name in ("actions", "labels")}
    loss = model(**window).loss + model(**dog, body="dog").loss
    loss.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    with torch.no_grad():
        error = (model(**dog, body="dog").action_preds - dog["labels"]) / torch.tensor([0.5, 2.0] * 6)
        assert model(**dog, body="dog").loss == pytest.approx(error.square().mean().item(), rel=1e-5)


@MODELS
def test_an_actor_moves_the_selected_body_from_its_start(make):
    model = make(**TWO_BODIES)
    observations = np.random.default_rng(0).normal(size=(3, 45)).astype(np.float32)
    model.prompt(Goal(1.0))
    first = [model.act(observation) for observation in observations]
    model.select_body("dog")
    assert model.act(observations[0]).shape == (12,)
    with pytest.raises(ValueError, match="body='dog' is unknown: choose one of humanoid"):
        _ = model.body
    model.select_body("humanoid")
    np.testing.assert_array_equal([model.act(observation) for observation in observations], first)
    with pytest.raises(ValueError, match="does not move body='cat': choose one of humanoid, dog"):
        model.select_body("cat")


def test_the_body_is_a_token_of_the_prompt():
    model = tiny_transformer(
        **TWO_BODIES | {"state_dims": [45, 45], "act_dims": [17, 17], "action_scales": [[0.4] * 17] * 2}
    )
    for layers in (model.embed_state, model.embed_action, model.predict_action):
        layers["dog"].load_state_dict(layers["humanoid"].state_dict())
    window = make_window()
    with torch.no_grad():
        difference = model(**window).action_preds - model(**window, body="dog").action_preds
        assert difference.abs().amax(-1).min() > 1e-4
        model.embed_body.weight[1] = model.embed_body.weight[0]
        assert torch.equal(model(**window).action_preds, model(**window, body="dog").action_preds)


@MODELS
def test_loading_selects_the_body_that_is_asked_for_or_the_first_one(make, tmp_path):
    make().save_pretrained(tmp_path / "one")
    kind = type(make())
    for body in (None, "humanoid"):
        assert kind.from_pretrained(tmp_path / "one", body=body).body is HUMANOID
    with pytest.raises(ValueError, match="does not move body='dog': choose one of humanoid"):
        kind.from_pretrained(tmp_path / "one", body="dog")
    model = make(**TWO_BODIES)
    model.save_pretrained(tmp_path / "two")
    assert kind.from_pretrained(tmp_path / "two").body is HUMANOID
    dog = kind.from_pretrained(tmp_path / "two", body="dog")
    model.select_body("dog")
    observation = np.random.default_rng(0).normal(size=(2, 30)).astype(np.float32)
    np.testing.assert_array_equal(dog.act(observation), model.act(observation))


@MODELS
def test_a_model_that_keeps_one_of_two_bodies_moves_it_as_before(make, tmp_path):
    model = make(**TWO_BODIES)
    model.select_body("dog")
    observation = np.random.default_rng(0).normal(size=(2, 30)).astype(np.float32)
    before = model.act(observation)
    model.keep_bodies(["dog"])
    np.testing.assert_array_equal(model.act(observation), before)
    model.save_pretrained(tmp_path)
    kept = type(model).from_pretrained(tmp_path)
    assert kept.config.bodies == ["dog"] and not [name for name in kept.state_dict() if "humanoid" in name]
    np.testing.assert_array_equal(kept.act(observation), before)


@MODELS
def test_a_model_that_acts_beyond_the_scale_of_its_body_is_refused(make, tmp_path):
    make().save_pretrained(tmp_path)
    (tmp_path / runs.MANIFEST).unlink()
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"action_scales": [[9.0] * 17]}))
    with pytest.raises(ValueError, match=r"action_scales=\[\[9\.0, .* here it is \[\[0\.4"):
        type(make()).from_pretrained(tmp_path)


def test_the_same_prompt_again_keeps_the_cache():
    model = tiny_transformer()
    observation = np.zeros((B, 45), dtype=np.float32)
    model.prompt(GOALS)
    model.act(observation)
    cache = model._cache
    model.prompt([Goal(1.04), *GOALS[1:]])  # rounds to the same tokens
    model.act(observation)
    assert model._cache is cache
    model.prompt(GOALS[::-1])
    assert model._cache is None


SHIPPED = ROOT / "pretrained" / "agent" / "decision_transformer"


@pytest.mark.slow
def test_another_prompt_from_the_same_start_is_another_motion_for_every_pair_of_skills():
    transformer = GoalDecisionTransformer.from_pretrained(SHIPPED, body="humanoid").eval()
    first, then = ([Goal.from_skill(skill) for skill in part] for part in zip(*permutations(SKILLS, 2), strict=True))
    trace = roll_out(
        transformer,
        {0: first, 150: then},
        num_envs=len(first),
        steps=380,
        seed=[0] * len(first),
        num_threads=1,
    )
    before = trace.velocity[149].reshape(len(SKILLS), len(SKILLS) - 1, 3)
    assert np.ptp(before, axis=1).max() < 1e-6  # bodies of one first skill are the same until the second
    wanted, velocity = trace.commands[-1], trace.second_means[-1]
    near = np.abs(velocity - wanted) <= np.maximum(0.15, 0.2 * np.abs(wanted))
    assert (near.all(1) & trace.alive[-1]).mean() > 0.95


def with_projection_of(other: nn.Linear, own: nn.Linear) -> nn.Linear:
    """A projection of the sizes of `own` with the weights of `other`, cut or filled up with zeros."""
    made = nn.Linear(own.in_features, own.out_features)
    rows, columns = min(own.out_features, other.out_features), min(own.in_features, other.in_features)
    with torch.no_grad():
        made.weight.zero_()
        made.bias.zero_()
        made.weight[:rows, :columns] = other.weight[:rows, :columns]
        made.bias[:rows] = other.bias[:rows]
    return made


def exchanged(body: str, other: str, part: str) -> GoalDecisionTransformer:
    """The shipped transformer of a body, in which `part` is that of the other one."""
    transformer = GoalDecisionTransformer.from_pretrained(SHIPPED, body=body).eval()
    if part == "embed_body":
        with torch.no_grad():
            transformer.embed_body.weight.copy_(transformer.embed_body.weight.flip(0))
    else:
        layers = getattr(transformer, part)
        layers[body] = with_projection_of(layers[other], layers[body])
    return transformer


BODIES_EXCHANGED = pytest.mark.parametrize(("body", "other"), [("humanoid", "g1"), ("g1", "humanoid")])


@pytest.mark.slow
@BODIES_EXCHANGED
@pytest.mark.parametrize("part", ["embed_state", "predict_action"])
def test_a_robot_does_not_walk_with_the_projection_of_the_other_one(body, other, part):
    own = own_distance(body)
    assert own > 4.0 and distance_of_a_walk(exchanged(body, other, part)) < 0.75 * own


@pytest.mark.slow
@BODIES_EXCHANGED
@pytest.mark.parametrize("part", ["embed_body", "embed_action"])
def test_the_token_of_the_other_robot_or_its_view_of_past_actions_changes_what_a_robot_does(body, other, part):
    """It still walks: what it observes says which robot it is."""
    own = GoalDecisionTransformer.from_pretrained(SHIPPED, body=body).eval()
    changed = exchanged(body, other, part)
    for model in (own, changed):
        model.prompt(Goal(1.0))
    env, differences = make_env(body), []
    observation, _ = env.reset(seed=0)
    for _ in range(100):
        action = own.act(observation)
        differences.append(np.abs(changed.act(observation) - action) / own.body.scale)
        changed._actions = own._actions  # both remember what was done
        observation, *_ = env.step(action)
    env.close()
    assert np.mean(differences) > 0.01


@functools.cache
def own_distance(body: str) -> float:
    """Of the shipped transformer."""
    return distance_of_a_walk(GoalDecisionTransformer.from_pretrained(SHIPPED, body=body).eval())


def distance_of_a_walk(transformer) -> float:
    """Meters that robots walk ahead in five seconds at 1 m/s before they fall, in the mean of four."""
    steps = round(5 / transformer.body.control_seconds)
    trace = roll_out(transformer, {0: [Goal(1.0)] * 4}, 4, steps, 0, 1)
    return float((trace.velocity[..., 0] * trace.alive).sum(0).mean() * trace.control_seconds)
