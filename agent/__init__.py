"""A simulated robot that does what a sentence says. `from agent import MotorAgent` is all that most people need.

Importing the package registers the envs with Gymnasium and loads no neural network library: each model class is loaded
when it is first accessed, and is then registered with transformers' AutoConfig and AutoModel.
"""

import importlib
from typing import TYPE_CHECKING, Any

from agent.goals import Goal, GoalProgram
from agent.simulation.env import make_env
from agent.simulation.vector_env import make_vector_env

if TYPE_CHECKING:
    from agent.language.planner import Planner
    from agent.models.decision_transformer import GoalDecisionTransformer
    from agent.models.motor_policy import MotorPolicy
    from agent.motor_agent import MotorAgent

LAZY = {
    "GoalDecisionTransformer": "agent.models.decision_transformer",
    "MotorAgent": "agent.motor_agent",
    "MotorPolicy": "agent.models.motor_policy",
    "Planner": "agent.language.planner",
}

__all__ = [
    "Goal",
    "GoalDecisionTransformer",
    "GoalProgram",
    "MotorAgent",
    "MotorPolicy",
    "Planner",
    "make_env",
    "make_vector_env",
]


def __getattr__(name: str) -> Any:
    """A model class, loaded when it is first accessed."""
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(importlib.import_module(LAZY[name]), name))


def __dir__() -> list[str]:
    return [*globals(), *LAZY]
