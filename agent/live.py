"""An agent that moves in real time: a new instruction takes over from where the body is, and after a fall it is put
back on its feet. app.py shows it in a page, play.py --viewer in a window.

One thread takes moments from `play`; all others only leave orders, which are carried out between two steps.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import SimpleQueue

import mujoco
import numpy as np

from agent.feedback.outcomes import verdict
from agent.goals import Goal, GoalProgram, VelocityGoal
from agent.language.program import parse
from agent.motor_agent import STAND, MotorAgent
from agent.simulation.env import goal_env
from agent.simulation.heading import heading_velocity
from agent.simulation.task import SMOOTHING_SECONDS
from agent.simulation.video import FRAME_EVERY, Capsules

MOMENT_STEPS = 4  # control steps from one moment to the next
CLIP_SECONDS = 10.0  # what is remembered of the past
LYING_SECONDS = 1.5  # from a fall until it stands again
PATIENCE = 0.5  # s behind real time, after which what was lost is given up
DIRECTIONS = ("forward", "to its left", "backward", "to its right")


@dataclass(frozen=True)
class Notice:
    """What happened last, in words; `refused` when it is why something did not."""

    text: str
    refused: bool = False


@dataclass(frozen=True)
class Moment:
    """What there is to show of the steps since the last one."""

    seconds: float  # simulated so far
    poses: np.ndarray  # [P, G, 6] m, both ends of the axis of every part of the body, FRAME_EVERY steps apart
    command: tuple[float, float, float]  # that the transformer follows: m/s, m/s, rad/s
    velocity: tuple[float, float, float]  # the same, smoothed over a quarter of a second
    program: GoalProgram
    reached: int  # goals of it that are over
    notice: Notice


class LiveAgent:
    """One body and its own agent, around weights that others may use too."""

    def __init__(self, agent: MotorAgent, seed: int | None = None):
        self._env, self._agent = agent.make_env(), agent.twin()
        self._observation, _ = self._env.reset(seed=seed)
        self._capsules = Capsules(self.model)
        self._seconds = agent.body.control_seconds
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._steps = 0
        self._lying_steps = 0
        self._last_order = time.monotonic()
        self._velocity = np.zeros(3)
        self._program = GoalProgram((STAND,))
        self._notice = Notice("It stands. Tell it what to do.")
        self.past: deque[np.ndarray] = deque(maxlen=round(CLIP_SECONDS / (FRAME_EVERY * self._seconds)))

    @property
    def model(self) -> mujoco.MjModel:
        return goal_env(self._env).model

    @property
    def data(self) -> mujoco.MjData:
        return goal_env(self._env).data

    @property
    def idle_seconds(self) -> float:
        """Since the last order."""
        return time.monotonic() - self._last_order

    def instruct(self, instruction: str | Goal) -> None:
        """Pursue a sentence or a goal from the next step on; when it is refused, what runs goes on."""
        if isinstance(instruction, Goal):
            program = parse(instruction.text, self._agent.body)  # which knows the limits of the robot
        else:
            program = self._agent.parse(instruction)
        if program.refused:
            self.say(f"Refused: {program.reason}.", refused=True)
        else:
            self._order(lambda: self._pursue(program))

    def say(self, text: str, refused: bool = False) -> None:
        """Make this the notice, from the next step on."""
        self._order(lambda: self._say(text, refused))

    def push(self, speed: float, direction: float) -> None:
        """Shove the whole body: `speed` m/s at once, `direction` radians counter-clockwise from ahead."""

        def push() -> None:
            goal_env(self._env).push(speed, direction)
            self._say(f"Pushed {DIRECTIONS[round(direction / (math.pi / 2)) % 4]} by {speed:.1f} m/s.")

        self._order(push)

    def hand_over(self, agent: MotorAgent, name: str) -> None:
        """Let another agent move the body from the next step on; it begins by standing."""

        def change() -> None:
            self._agent = agent.twin()
            self._program = GoalProgram((STAND,))
            self._say(f"{name} moves it now.")

        self._order(change)

    def play(self, moment_steps: int = MOMENT_STEPS) -> Generator[Moment]:
        """Moments in real time, for as long as they are taken, `moment_steps` (times of FRAME_EVERY) apart."""
        due = time.monotonic()
        while True:
            due += moment_steps * self._seconds
            poses = []
            for _ in range(moment_steps // FRAME_EVERY):
                for _ in range(FRAME_EVERY):
                    self._step()
                poses.append(self._capsules.ends(self.data))
                self.past.append(self.data.qpos.copy())
            late = time.monotonic() - due
            if late > PATIENCE:
                due += late
            time.sleep(max(0.0, -late))
            yield Moment(
                self._steps * self._seconds,
                np.array(poses),
                self._command.velocity,
                tuple(self._velocity.tolist()),
                self._program,
                len(self._agent.outcomes[0]),
                self._notice,
            )

    @property
    def _command(self) -> VelocityGoal:
        command = self._agent.command
        assert isinstance(command, VelocityGoal)
        return command

    def _say(self, text: str, refused: bool = False) -> None:
        self._notice = Notice(text, refused)

    def _order(self, order: Callable[[], None]) -> None:
        self._last_order = time.monotonic()
        self._orders.put(order)

    def _step(self) -> None:
        while not self._orders.empty():
            self._orders.get()()
        if self._lying_steps:
            self._lie()
        else:
            self._move()
        self._steps += 1
        velocity = heading_velocity(self.data.qpos, self.data.qvel)
        self._velocity += self._seconds / SMOOTHING_SECONDS * (velocity - self._velocity)

    def _move(self) -> None:
        over = self._agent.done
        action = self._agent.act(self._observation)
        goal_env(self._env).goal = self._command
        self._observation, _, fell, _, _ = self._env.step(action)
        if fell:
            self._agent.reset()
            self._program = GoalProgram((STAND,))
            self._lying_steps = round(LYING_SECONDS / self._seconds)
            self._say("It fell. It will stand up and wait.")
        elif self._agent.done and not over:
            self._say(f"It stands: {verdict(self._agent.outcomes[0], len(self._program.goals))}.")

    def _lie(self) -> None:
        """Limp, until it is put on its feet."""
        self._observation, *_ = self._env.step(np.zeros_like(self._agent.body.scale))
        self._lying_steps -= 1
        if not self._lying_steps:
            self._observation, _ = self._env.reset()
            self._velocity = np.zeros(3)
            self._say("It fell, and stands again. Tell it what to do.")

    def _pursue(self, program: GoalProgram) -> None:
        self._agent.prompt(program)
        self._program = program
        self._say("Understood.")
