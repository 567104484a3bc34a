"""A humanoid that does what a sentence says. `from agent import MotorAgent` is all that most people need."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.decision_transformer import GoalDecisionTransformer
    from agent.env import make_env
    from agent.goals import Goal, GoalProgram
    from agent.motor_agent import MotorAgent
    from agent.motor_policy import MotorPolicy
    from agent.planner import Planner
    from agent.vector_env import make_vector_env

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

_HOMES = {
    "Goal": "goals",
    "GoalDecisionTransformer": "decision_transformer",
    "GoalProgram": "goals",
    "MotorAgent": "motor_agent",
    "MotorPolicy": "motor_policy",
    "Planner": "planner",
    "make_env": "env",
    "make_vector_env": "vector_env",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: torch and transformers take seconds, parsing a goal should not."""
    if name not in _HOMES:
        raise AttributeError(f"module 'agent' has no attribute {name!r}")
    return getattr(importlib.import_module(f"agent.{_HOMES[name]}"), name)
