"""The package as a user installs it: what importing it loads, and which names it has."""

import pytest
from conftest import run_script

import agent

TRAINING_LIBRARIES = {"trl", "datasets", "tensorboard", "accelerate", "matplotlib", "pandas", "peft", "pyarrow"}


ACT = """
import sys
import agent
from agent import MotorAgent

def loaded():
    return {name.split(".")[0] for name in sys.modules}

assert "agent.simulation.video" in sys.modules, "what the agent's module imports is loaded"
print(*loaded())
robot = MotorAgent.from_pretrained("pretrained/agent")
env = robot.make_env()
observation, _ = env.reset(seed=0)
robot.prompt(agent.Goal(1.0))
assert env.step(robot.act(observation))[0].shape == observation.shape
print(*loaded())

from transformers import AutoConfig, AutoModel

for part, kind in (("policy/humanoid", agent.MotorPolicy), ("decision_transformer", agent.GoalDecisionTransformer)):
    config, model = (auto.from_pretrained(f"pretrained/agent/{part}") for auto in (AutoConfig, AutoModel))
    assert type(model) is kind and type(config) is type(model.config), type(model)

sys.modules["matplotlib"] = None  # only a report needs it
import evaluate
"""


@pytest.mark.slow
def test_an_agent_is_imported_acts_and_is_measured_without_training_libraries_and_auto_classes_know_its_models():
    done = run_script("-W", "error::RuntimeWarning", "-c", ACT)
    assert done.returncode == 0, done.stderr
    imported, acting = (set(line.split()) for line in done.stdout.splitlines())
    assert not TRAINING_LIBRARIES & imported
    # transformers itself imports accelerate where it is installed.
    assert not (TRAINING_LIBRARIES - {"accelerate"}) & acting


@pytest.mark.parametrize("name", agent.__all__)
def test_a_public_name_is_importable_from_the_package(name):
    assert name in dir(agent) and getattr(agent, name).__name__ == name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Puppet'"):
        agent.Puppet  # noqa: B018
