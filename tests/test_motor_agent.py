import json
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard
from samples import small_agent

from agent.artefacts import hub
from agent.bodies import BODIES
from agent.bodies.humanoid import HUMANOID
from agent.goals import GOAL_VERSION, Goal, GoalProgram, Pose
from agent.models.decision_transformer import GoalDecisionTransformer, GoalDecisionTransformerConfig
from agent.models.motor_policy import MotorPolicy, MotorPolicyConfig
from agent.motor_agent import MotorAgent, describe
from agent.simulation.env import make_env


@pytest.fixture(scope="module")
def agent():
    return small_agent()


def test_a_skill_by_name_is_slowed_down_to_the_limit_of_the_robot(monkeypatch, agent):
    monkeypatch.setitem(
        BODIES, "slow", replace(HUMANOID, name="slow", speed_limits=((-0.6, 1.6), (-0.6, 0.6), (-1.2, 1.2)))
    )
    slow = small_agent("slow", agent.planner)
    slow.prompt("run_forward")
    assert slow.goal == Goal(1.6)


def test_a_goal_that_the_robot_cannot_take_leaves_what_runs(monkeypatch, agent):
    plain = replace(HUMANOID, name="plain", arm_joints=(), arm_poses={}, wave_swing=(), hands=())
    monkeypatch.setitem(BODIES, "plain", plain)
    armless = small_agent("plain", agent.planner)
    armless.prompt(Goal(1.0))
    with pytest.raises(ValueError, match="arms"):
        armless.prompt(Goal(arms="up"))
    assert armless.goal == Goal(1.0)


@pytest.fixture(scope="module")
def folder(agent, tmp_path_factory):
    path = tmp_path_factory.mktemp("agent")
    agent.save_pretrained(path)
    return path


@pytest.fixture
def env():
    env = make_env()
    env.reset(seed=0)
    yield env
    env.close()


def standing(forward=0.0, bodies=None, turning=0.0):
    observation = np.zeros(50, dtype=np.float32)  # body state and command
    observation[0], observation[1], observation[22], observation[27] = 1.3, 1.0, forward, turning
    return observation if bodies is None else np.tile(observation, (bodies, 1))


def test_an_agent_that_was_saved_acts_identically(agent, folder):
    actions = []
    for each in (agent, MotorAgent.from_pretrained(folder)):
        rng = np.random.default_rng(0)
        each.reset()
        each.prompt(Goal(1.0, 0.0, 0.4))
        actions.append([each.act(rng.normal(size=45).astype(np.float32)) for _ in range(30)])
    np.testing.assert_array_equal(*actions)


def test_an_agent_pushed_from_python_is_filmed_and_keeps_the_records_of_its_parts(agent, folder, server):
    for part in ("policy/humanoid", "decision_transformer", "planner"):
        (folder / part / "README.md").write_text(f"# How the {part} was made\n")
    describe(folder, "made here", {"exact": 0.5})
    MotorAgent.from_pretrained(folder).push_to_hub("me/agent", private=True, tag="v1")
    assert server.repo("me/agent").private and server.repo("me/agent").messages == ["initial commit", "Publish v1"]
    files = server.files("me/agent", revision="v1")
    assert files["planner/README.md"] == b"# How the planner was made\n" and "replay.mp4" in files
    card = ModelCard(files["README.md"].decode())
    assert card.data.model_name == "me/agent" and [each.metric_value for each in card.data.eval_results] == [0.5]
    pulled, observation = MotorAgent.from_pretrained("me/agent@v1"), standing()
    for each in (pulled, agent):
        each.reset()
        each.prompt(Goal(1.0, 0.0, 0.4))
    np.testing.assert_array_equal(pulled.act(observation), agent.act(observation))


def test_the_card_of_an_agent_says_what_it_can_do_and_what_its_shares_are_of(tmp_path):
    (tmp_path / "decision_transformer").mkdir()
    (tmp_path / "decision_transformer/config.json").write_text('{"bodies": ["humanoid", "g1"]}')
    describe(tmp_path, "me/agent", {})
    text = (tmp_path / "README.md").read_text()
    assert "## Results\n\nNot measured." in text and "## Reproduce\n\nSee the cards of its parts." in text
    describe(tmp_path, "me/agent", {"exact": 0.5})
    card = ModelCard.load(tmp_path / "README.md")
    assert "The planner, on development sentences:\n\n| measure | share |\n|---|---|\n| exact | 0.500 |" in card.text
    assert {result.dataset_name for result in card.data.eval_results} == {"development sentences"}
    assert "robots of `agent/HumanoidGoal-v0` and `agent/G1Goal-v0`" in card.text
    assert "17 torques or 29 joint targets out" in card.text and '"me/agent")  # or body="g1"' in card.text
    assert {"humanoid", "g1"} <= set(card.data.tags)
    assert "go to a place, return, face the way it started, crouch" in card.text.replace("\n", " ")


def test_goals_follow_one_another_as_the_body_reaches_their_ends(agent):
    agent.reset()
    agent.prompt(GoalProgram((Goal(1.0, meters=0.5), Goal(0.0, 0.0, 0.8, seconds=0.15))))
    steps = 0
    while agent.goal == Goal(1.0, meters=0.5):
        agent.act(standing(forward=1.0))
        steps += 1
    assert steps == pytest.approx(0.5 / 0.015, abs=2)
    assert agent.goal == Goal(0.0, 0.0, 0.8, seconds=0.15)
    for _ in range(10):
        agent.act(standing())
    assert agent.done
    assert agent.goal == Goal()
    assert [outcome.met for outcome in agent.outcomes[0]] == [True, False]  # it went, and did not turn


def test_the_transformer_is_told_velocities_and_postures_that_lead_to_a_place(agent):
    agent.reset()
    agent.prompt(Goal.to(0, 3, arms="up"))
    assert agent.goal == Goal.to(0, 3, arms="up")
    assert agent.command == Goal(0.0, 0.0, 0.8, arms="up"), "it turns there first"


@pytest.mark.parametrize("skill", ["go_home", "face_start"])
def test_a_way_back_by_itself_leads_to_where_the_program_before_it_began(agent, skill):
    agent.reset()
    agent.prompt(GoalProgram((Goal(1.0, seconds=0.6), Goal(wz=0.8, seconds=0.6))))
    for _ in range(100):
        agent.act(standing(forward=1.0, turning=0.8))
    agent.prompt(skill)
    agent.act(standing())
    agent.act(standing())
    assert agent.goal.skill == skill and not agent.done
    agent.reset()
    agent.prompt(skill)
    agent.act(standing())
    agent.act(standing())
    assert agent.done, "it is there already"


def test_a_new_prompt_replaces_what_runs(agent):
    agent.reset()
    agent.prompt(Goal(1.0, seconds=5.0))
    agent.act(standing())
    agent.prompt("turn_left")
    assert agent.goal == Goal.from_skill("turn_left")
    assert not agent.done


def test_a_prompt_changes_what_the_body_does(agent):
    actions = []
    for skill in ("walk_forward", "turn_left"):
        agent.reset()
        agent.prompt(skill)
        actions.append(agent.act(standing()))
    assert np.abs(actions[0] - actions[1]).max() > 1e-6


def test_bodies_of_a_batch_pursue_their_own_programs(agent):
    agent.reset()
    agent.prompt([Goal(1.0, seconds=0.15), Goal(1.0)])
    for _ in range(12):
        action = agent.act(standing(bodies=2))
    assert action.shape == (2, 17)
    assert agent.done == [True, False]
    assert agent.goal == agent.command == [Goal(), Goal(1.0)]
    with pytest.raises(ValueError, match="3 bodies were observed, 2 were prompted"):
        agent.act(standing(bodies=3))


def test_a_run_ends_with_the_fall_of_an_untrained_body_and_says_so(agent, env):
    agent.reset()
    result = agent.run(GoalProgram((Goal(1.0, meters=3.0), Goal())), env)
    assert not result.success
    assert result.outcomes[0].fell
    assert result.feedback.startswith("goal 1 of 2 (walk forward 3 meters) fell after")
    assert "walk forward 3 meters: " in result.summary


def test_a_new_episode_has_no_history_and_a_program_that_leads_back_has_the_home_of_the_one_before(agent, env):
    def actions(episodes: int) -> list[np.ndarray]:
        agent.reset()
        for _ in range(episodes):
            env.reset(seed=0)
            result = agent.run(Goal(1.0, seconds=0.3), env)
        assert result.outcomes
        return env.unwrapped.data.qpos.copy()

    np.testing.assert_array_equal(actions(1), actions(2))
    agent.run(GoalProgram((Goal.home(),)), env, max_seconds=0.1)
    assert agent._pursuits[0].outcomes[0].progress.home != Pose()


def test_a_refusal_moves_nothing(agent, env):
    position = env.unwrapped.data.qpos.copy()
    result = agent.run("   ", env)
    assert result.program.refused
    assert not result.success
    assert "empty" in result.feedback
    np.testing.assert_array_equal(position, env.unwrapped.data.qpos)
    with pytest.raises(ValueError, match="empty"):
        agent.prompt("   ")


def test_a_list_without_instructions_is_refused_and_what_ran_goes_on(agent):
    agent.prompt(Goal(1.0))
    with pytest.raises(ValueError, match="there is no instruction: give one"):
        agent.prompt([])
    assert agent.goal == Goal(1.0)


def test_an_agent_of_another_body_is_refused_in_one_line(folder, monkeypatch):
    monkeypatch.setitem(BODIES, "centaur", replace(HUMANOID, name="centaur"))
    with pytest.raises(ValueError, match="does not move body='centaur': choose one of humanoid") as error:
        MotorAgent.from_pretrained(folder, body="centaur")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="body='g2' is unknown: choose one of humanoid"):
        MotorAgent.from_pretrained(folder, body="g2")


def test_an_agent_of_two_robots_moves_either_one_and_is_saved_whole(agent, monkeypatch, tmp_path):
    twin = replace(HUMANOID, name="twin")
    monkeypatch.setitem(BODIES, "twin", twin)
    sizes = {"hidden_size": 16, "n_layer": 1, "n_head": 2}
    transformer = GoalDecisionTransformer(GoalDecisionTransformerConfig(bodies=["humanoid", "twin"], **sizes)).eval()
    policies = [MotorPolicy(MotorPolicyConfig(widths=[8], body=name)) for name in ("humanoid", "twin")]
    with pytest.raises(ValueError, match="give one policy for each robot of the transformer"):
        MotorAgent(policies[:1], transformer, agent.planner)
    MotorAgent(policies, transformer, agent.planner).save_pretrained(tmp_path)
    assert MotorAgent.from_pretrained(tmp_path).body is HUMANOID
    second = MotorAgent.from_pretrained(tmp_path, body="twin")
    assert second.body is twin and second.policy.body is twin
    action = second.act(standing(forward=0.3))
    second.save_pretrained(tmp_path)  # onto itself
    for name, body in (("humanoid", HUMANOID), ("twin", twin)):
        loaded = MotorAgent.from_pretrained(tmp_path, body=name)
        assert loaded.body is body and list(loaded.policies) == ["humanoid", "twin"]
    np.testing.assert_array_equal(loaded.act(standing(forward=0.3)), action)


def test_an_agent_records_its_body(agent, folder):
    assert json.loads((folder / "config.json").read_text())["bodies"] == [agent.body.name] == ["humanoid"]
    assert agent.make_env().unwrapped.body is agent.body


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "motor_agent", "goal_version": "0"}, f"goal vocabulary 0, but this code uses {GOAL_VERSION}"),
        ({"model_type": "llama"}, "holds no motor agent"),
        ({"model_type": "motor_agent", "goal_version": GOAL_VERSION}, "bodies=None .* must be a list of names"),
        (
            {"model_type": "motor_agent", "goal_version": GOAL_VERSION, "bodies": ["humanoid", "humanoid"]},
            "must be a list of names",
        ),
        (
            {"model_type": "motor_agent", "goal_version": GOAL_VERSION, "bodies": ["humanoid"]},
            "has no policy/humanoid/: assemble the agent again",
        ),
    ],
)
def test_a_folder_that_is_no_agent_of_this_vocabulary_is_refused(tmp_path, config, message):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        hub.agent_folder(tmp_path)
