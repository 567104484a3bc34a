"""How one body executes a program: odometry, steering towards the goal in force, the switch to the next goal, and the
correction of misses.

Shapes: T steps, S body state; a command after the state in an observation is ignored.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from agent.bodies import Body
from agent.feedback.outcomes import STAND, Correction, GoalOutcome, Judge
from agent.goals import ARMS, GRID_STEP, Goal, Pose, Progress, VelocityGoal, rotate, wrap
from agent.simulation.curriculum import snap_velocity
from agent.simulation.heading import heading_rate, observed_velocity

STEER_SECONDS = 0.2  # from one steering command to the next
HOLD_STEPS = 0.6  # of the grid; the command is kept while the wanted velocity is this near
NEAR_PLAN = 0.5, 20.0  # m, degrees; a goal that ended this near to its destination counts as ended there
PATIENCE_SHARE, PATIENCE_SECONDS = 2.0, 4.0  # times the expected time, plus these seconds

Velocity = tuple[float, float, float]  # m/s, m/s, rad/s


class Odometry:
    """Position and heading of a body, from its observations, beginning at `pose`."""

    def __init__(self, body: Body, pose: Pose = Pose()):  # noqa: B008  it is a tuple
        self.body, self.pose = body, pose
        self._last: np.ndarray | None = None
        first = body.observation_names.index("roll_rate")
        self._mean = slice(first, first + 3 if body.averages_gyro else first)  # what is observed as a mean of the step

    def add(self, observations: np.ndarray) -> Iterator[tuple[Pose, Velocity]]:
        """Integrate the steps that led to observations [T, S], or the one that led to an observation [S].

        Yields the pose and the velocity (m/s, m/s, rad/s) after each. During a step, tilt and velocity are the mean of
        its start and end; so is the angular velocity, unless it is observed as a mean.
        """
        states = np.atleast_2d(observations)[:, : self.body.observation_size].astype(float)
        before = np.vstack([states[:1] if self._last is None else self._last, states[:-1]])
        self._last = states[-1:]
        during = (before + states) / 2
        during[:, self._mean] = states[:, self._mean]
        for step, now in zip(self._velocities(during), self._velocities(states), strict=True):
            vx, vy, wz = (value * self.body.control_seconds for value in step)
            x, y = rotate(vx, vy, self.pose.heading + wz / 2)
            self.pose = Pose(self.pose.x + x, self.pose.y + y, self.pose.heading + wz)
            yield self.pose, now

    def _velocities(self, states: np.ndarray) -> list[Velocity]:
        """Velocity (m/s, m/s, rad/s) at each of states [T, S]."""
        return np.column_stack([observed_velocity(states)[:, :2], heading_rate(states)]).tolist()


class Course:
    """The pursuit of one goal, from where it began. Poses are in the program's frame."""

    def __init__(self, goal: Goal, body: Body, origin: Pose, pose: Pose):
        self.goal, self.body, self.origin, self.pose = goal, body, origin, pose
        self.steps = 0
        self.meters = 0.0
        self.uprightness = 1.0
        self._last_second: deque[tuple[np.ndarray, Velocity]] = deque(maxlen=round(1 / body.control_seconds))
        vx, vy, _ = goal.velocity if isinstance(goal, VelocityGoal) else (0.0, 0.0, 0.0)
        planar = math.hypot(vx, vy)
        self._direction = (vx / planar, vy / planar) if planar else (0.0, 0.0)

    def add(self, state: np.ndarray, pose: Pose, velocity: Velocity) -> None:
        """Count a step that led to a state [S], a pose and a velocity."""
        self.pose = pose
        self.steps += 1
        (ahead, left), (vx, vy, _) = self._direction, velocity
        self.meters += self.body.control_seconds * (ahead * vx + left * vy)
        self.uprightness = min(self.uprightness, 1 - 2 * float(state[2] ** 2 + state[3] ** 2))
        self._last_second.append((state, velocity))

    @property
    def progress(self) -> Progress:
        pose = self.pose.seen_from(self.origin)
        home = Pose().seen_from(self.origin)
        return Progress(self.steps * self.body.control_seconds, pose, home, math.degrees(pose.heading), self.meters)

    @property
    def timed_out(self) -> bool:
        """Whether the goal has taken more than twice its expected time plus 4 seconds."""
        if self.goal.open:
            return False
        progress = self.progress
        return progress.seconds > PATIENCE_SHARE * self.goal.expected_seconds(progress) + PATIENCE_SECONDS

    @property
    def next_origin(self) -> Pose:
        """Where the next goal begins, in the program's frame: the planned pose if the body came near it, so that
        errors do not accumulate, otherwise the actual one.
        """
        progress = self.progress
        pose, planned = progress.pose, self.goal.destination(progress)
        x, y, heading = (a if math.isnan(p) else p for a, p in zip(pose, planned, strict=True))
        turn = wrap(heading - pose.heading)
        meters, degrees = NEAR_PLAN
        if math.hypot(x - pose.x, y - pose.y) > meters or abs(math.degrees(turn)) > degrees:
            return self.pose
        return self.origin.after(Pose(x, y, pose.heading + turn))

    def outcome(self, fell: bool = False) -> GoalOutcome:
        progress = self.progress
        late = self.timed_out and not self.goal.reached(progress)
        if not self._last_second:
            return GoalOutcome(self.goal, progress, (0.0, 0.0, 0.0), fell, late)
        states, velocities = zip(*self._last_second, strict=True)
        state, velocity = np.mean(states, axis=0), tuple(np.mean(velocities, axis=0).tolist())
        body, too_high, arms_off = self.body, 0.0, 0.0
        if self.goal.height == "low" and body.crouch_height is not None:
            too_high = float(state[0]) - body.crouch_height
        if self.goal.arms != "rest":
            joints = np.array(body.joint_indices(body.arm_joints)) - 2  # an observation has no x and y
            off = np.abs(state[joints] - body.arm_angles[ARMS.index(self.goal.arms)])
            arms_off = math.degrees(off.mean())
        return GoalOutcome(self.goal, progress, velocity, fell, late, self.uprightness, too_high, arms_off)


class Pursuit:
    """The execution of a program by one body: the goal in force, the outcomes of earlier goals, and their corrections.

    Args:
        goals: of the program, measured one after another.
        body: the robot.
        executed: goals that the body pursues, one for each of `goals`: the same unless a trial disturbs it.
        judge: says what is wrong with a finished goal, and which goals repair it. The repairs run before the next goal
            of the program begins, and their motion counts for the goal that they repair.
        max_corrections: how often a goal may be repaired.
        start: where the body is, seen from home; by default it begins at home.
    """

    def __init__(
        self,
        goals: Sequence[Goal],
        body: Body,
        executed: Sequence[Goal] = (),
        judge: Judge | None = None,
        max_corrections: int = 0,
        start: Pose = Pose(),  # noqa: B008  it is a tuple
    ):
        self.goals, self.executed, self.body = tuple(goals), tuple(executed or goals), body
        assert len(self.goals) == len(self.executed)
        self.judge, self.max_corrections = judge, max_corrections
        self.outcomes: list[GoalOutcome] = []
        self.corrections: list[Correction] = []
        self.odometry = Odometry(body, start)
        self._stopped = False
        self._steps = 0
        self._begin(start)
        # What the actor is prompted with: an open velocity on the grid, with the height and arms of the goal.
        self.command = steer(self._course.goal, self._course.progress, body)

    @property
    def over(self) -> bool:
        return self._stopped or len(self.outcomes) == len(self.goals)

    @property
    def success(self) -> bool:
        """Whether every goal was pursued and met."""
        return len(self.outcomes) == len(self.goals) and all(outcome.met for outcome in self.outcomes)

    @property
    def fell(self) -> bool:
        return any(outcome.fell for outcome in self.outcomes)

    @property
    def goal(self) -> Goal:
        """The goal in force: of the program or of a correction; standing after the program."""
        return STAND if self.over else self._course.goal

    @property
    def seconds(self) -> float:
        """Time since the goal in force began."""
        return self._course.progress.seconds

    def add(self, observation: np.ndarray, fell: bool = False) -> bool:
        """Count a step that led to `observation` [S]. Returns whether the command changes. A fall ends the program."""
        before = self.command
        ((pose, velocity),) = self.odometry.add(observation)
        if self.over:
            return False
        self._course.add(observation, pose, velocity)
        if self._measured is not self._course:
            self._measured.add(observation, pose, velocity)
        self._steps += 1
        progress = self._course.progress
        if fell:
            self.stop(fell=True)
        elif self._course.goal.reached(progress) or self._course.timed_out:
            self.advance()
        elif self._steps % round(STEER_SECONDS / self.body.control_seconds) == 0:
            self.command = steer(self._course.goal, progress, self.body, before)
        return self.command != before

    def advance(self) -> None:
        """End the goal in force, and begin the next one: a repair, or the next goal of the program."""
        origin = self._course.next_origin
        if not self._repairs:
            self._repairs, origin = self._judge_goal(), self.odometry.pose  # the judge measures from where the body is
        if self._repairs:
            self._course = Course(self._repairs.pop(0), self.body, origin, self.odometry.pose)
        else:
            self.outcomes.append(self._measured.outcome())
            if not self.over:
                self._begin(self._measured.next_origin)
        self.command = STAND if self.over else steer(self._course.goal, self._course.progress, self.body)

    def stop(self, fell: bool = False) -> None:
        """End the program in the middle of a goal."""
        self.outcomes.append(self._measured.outcome(fell))
        self._stopped = True
        self.command = STAND

    def _begin(self, origin: Pose) -> None:
        goal, executed = (goals[len(self.outcomes)] for goals in (self.goals, self.executed))
        pose = self.odometry.pose
        self._measured = Course(goal, self.body, origin, pose)  # of all the motion for a goal, repairs included
        self._course = self._measured if executed == goal else Course(executed, self.body, origin, pose)  # in force
        self._repairs: list[Goal] = []
        self._corrected = 0

    def _judge_goal(self) -> list[Goal]:
        """The goals with which the judge repairs the finished one."""
        if self.judge is None or self._corrected == self.max_corrections:
            return []
        outcome = self._measured.outcome()
        assessment, goals = self.judge(outcome)
        goals = tuple(goal for goal in goals if not goal.open)  # one without an end would never finish
        if not goals:
            return []
        self._corrected += 1
        self.corrections.append(Correction(len(self.outcomes) + 1, assessment, outcome, goals))
        return list(goals)


def steer(goal: Goal, progress: Progress, body: Body, before: VelocityGoal | None = None) -> VelocityGoal:
    """The command for the actor: the velocity that the goal wants, on the grid and within the body's reach. An axis of
    the previous command, `before`, is kept while it is near enough, so that prompts do not flicker.
    """
    wanted = goal.wanted(progress)
    if before is not None:
        pairs = zip(wanted, before.velocity, strict=True)
        wanted = tuple(old if abs(new - old) <= HOLD_STEPS * GRID_STEP else new for new, old in pairs)
    low, turn = goal.height == "low", math.copysign(GRID_STEP, wanted[2])
    velocity = snap_velocity(wanted, body, low)
    share = 1 - float(body.reach((0.0, 0.0, turn)))  # of the reach that the smallest turn leaves
    if velocity[2] == 0 and abs(wanted[2]) >= GRID_STEP / 2 and share > 0:  # near full speed: slow down and turn
        velocity = snap_velocity((share * velocity[0], share * velocity[1], turn), body, low)
    return VelocityGoal(*velocity, height=goal.height, arms=goal.arms)


def measure(goal: Goal, observations: np.ndarray, body: Body, fell: bool = False) -> GoalOutcome:
    """The outcome of the steps that led to `observations` [T, S]."""
    course = Course(goal, body, Pose(), Pose())
    for state, (pose, velocity) in zip(observations, Odometry(body).add(observations), strict=True):
        course.add(state, pose, velocity)
    return course.outcome(fell)
