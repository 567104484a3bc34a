"""The package as a user installs it: what importing it loads, and which names it has."""

import re

import pytest
from conftest import run_script

import agent

TRAINING_LIBRARIES = {"trl", "datasets", "tensorboard", "accelerate", "matplotlib", "pandas", "pyarrow"}


def test_importing_the_agent_loads_no_training_library():
    done = run_script("-X", "importtime", "-c", "from agent import MotorAgent")
    assert done.returncode == 0, done.stderr
    modules = re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE)
    assert "agent.simulation.video" in modules, "what the agent's module imports is listed"
    assert not TRAINING_LIBRARIES & {name.split(".")[0] for name in modules}


ACT = """
import sys
import agent

robot = agent.MotorAgent.from_pretrained("pretrained/agent")
env = robot.make_env()
observation, _ = env.reset(seed=0)
robot.prompt(agent.Goal(1.0))
assert env.step(robot.act(observation))[0].shape == observation.shape
print(*{name.split(".")[0] for name in sys.modules})

from transformers import AutoConfig, AutoModel

for part, kind in (("policy/humanoid", agent.MotorPolicy), ("decision_transformer", agent.GoalDecisionTransformer)):
    config, model = (auto.from_pretrained(f"pretrained/agent/{part}") for auto in (AutoConfig, AutoModel))
    assert type(model) is kind and type(config) is type(model.config), type(model)
"""


@pytest.mark.slow
def test_an_agent_acts_without_training_libraries_and_auto_classes_know_its_models():
    done = run_script("-W", "error::RuntimeWarning", "-c", ACT)
    assert done.returncode == 0, done.stderr
    # transformers itself imports accelerate where it is installed.
    assert not (TRAINING_LIBRARIES - {"accelerate"}) & set(done.stdout.split())


@pytest.mark.parametrize("name", agent.__all__)
def test_a_public_name_is_importable_from_the_package(name):
    assert name in dir(agent) and getattr(agent, name).__name__ == name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Puppet'"):
        agent.Puppet  # noqa: B018
