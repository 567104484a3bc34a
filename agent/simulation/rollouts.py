"""An actor in an env: the loop of observing, acting and stepping that suites, trials, runs and videos share.

Shapes: N bodies (one body has no such axis).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np

from agent.bodies import Body, find_body
from agent.goals import Goal
from agent.simulation.env import goal_env
from agent.simulation.vector_env import GoalVectorEnv


class Actor(Protocol):
    """What moves bodies: a MotorPolicy, a GoalDecisionTransformer, a GoalMLP or a MotorAgent."""

    @property
    def body(self) -> Body: ...
    def reset(self) -> None: ...
    def prompt(self, goal: Goal | Sequence[Goal], /) -> None: ...
    def act(self, observation: np.ndarray, /) -> np.ndarray: ...


class Step(NamedTuple):
    """The result of one control step, of one body or of N."""

    action: np.ndarray
    observation: np.ndarray  # of the state that the step ended in, before any restart
    reward: Any
    fell: Any
    truncated: Any
    info: dict


class Rollout:
    """An actor that moves the body of a GoalEnv, or the bodies of a GoalVectorEnv, step by step.

    Args:
        actor: prompted by `prompt`; an actor that is never prompted keeps its own goal.
        env: wrapped or not; stepped with the actor's actions.
        observation: what the actor sees first.
    """

    def __init__(self, actor: Actor, env: gymnasium.Env | GoalVectorEnv, observation: np.ndarray):
        self.actor, self.env, self.observation = actor, env, observation

    @classmethod
    def start(
        cls,
        actor: Actor,
        env: gymnasium.Env | GoalVectorEnv,
        seed: int | list[int],
        goals: Goal | Sequence[Goal] | None = None,
    ) -> "Rollout":
        """Reset the env and the actor, and give both `goals`, if there are any."""
        actor.reset()
        options = None if goals is None else {"goal": goals}
        observation, _ = env.reset(seed=seed, options=options)  # ty: ignore[invalid-argument-type]  a list of seeds
        if goals is not None:
            actor.prompt(goals)
        return cls(actor, env, observation)

    def prompt(self, goals: Goal | Sequence[Goal]) -> None:
        """Give the actor and the env a goal, or one for each of N bodies, from the next step on."""
        if isinstance(self.env, GoalVectorEnv):
            self.env.goals = goals
        else:
            assert isinstance(goals, Goal), "one body has one goal"
            goal_env(self.env).goal = goals
        self.actor.prompt(goals)

    def step(self) -> Step:
        """Let the actor act, and the env take one control step."""
        action = self.actor.act(self.observation)
        self.observation, reward, fell, truncated, info = self.env.step(action)
        return Step(action, info.get("final_obs", self.observation), reward, fell, truncated, info)


def check_body(actor: Actor, body: str, name: object) -> None:
    """Raise ValueError if the actor, which was loaded from `name`, does not move the body named `body`."""
    if actor.body != find_body(body):
        raise ValueError(
            f"{name} moves the body {actor.body.name}, not {body}: give --body {actor.body.name}, "
            f"or an agent that was trained for {body}"
        )
