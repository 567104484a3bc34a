"""The robots: `body.py` says what a robot is made of, and each other file describes one."""

from agent.bodies import humanoid  # noqa: F401  registers it, as the first

# isort: split
from agent.bodies import g1  # noqa: F401
from agent.bodies.body import BODIES, Body, find_body

__all__ = ["BODIES", "Body", "find_body"]
