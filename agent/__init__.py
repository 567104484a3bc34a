"""A humanoid that does what a sentence says. `from agent import MotorAgent` is all that most people need.

With it, transformers' AutoConfig and AutoModel know the models of this package.
"""

from agent.goals import Goal, GoalProgram
from agent.language.planner import Planner
from agent.models.decision_transformer import GoalDecisionTransformer
from agent.models.motor_policy import MotorPolicy
from agent.motor_agent import MotorAgent
from agent.simulation.env import make_env
from agent.simulation.vector_env import make_vector_env

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
