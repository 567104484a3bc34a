"""The robots: `body.py` defines what describes a robot, and each other file describes one."""

from agent.bodies import humanoid  # noqa: F401  registered first

# isort: split
from agent.bodies import g1  # noqa: F401
from agent.bodies.body import BODIES, Body, find_body

__all__ = ["BODIES", "Body", "find_body"]
