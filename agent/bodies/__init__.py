"""The robots: `body.py` says what a robot is made of, and each other file describes one."""

from agent.bodies import g1, humanoid  # noqa: F401  they register themselves
from agent.bodies.body import BODIES, Body, find_body

__all__ = ["BODIES", "Body", "find_body"]
