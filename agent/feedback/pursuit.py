"""One body's way through a program: odometry, steering of the goal in force, when the next is due, and how a miss is
corrected.

Shapes: T steps, S body state; a command after the state in an observation is left out.
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
HOLD_STEPS = 0.6  # of the grid; a wanted velocity this near to the command leaves it as it is
NEAR_PLAN = 0.5, 20.0  # m, degrees; a goal that ended this near to its destination counts as ended there
PATIENCE_SHARE, PATIENCE_SECONDS = 2.0, 4.0  # of the expected time, and to get going

Velocity = tuple[float, float, float]  # m/s, m/s, rad/s


class Odometry:
    """Where a body is and how it faces, as its observations tell, from where it is at first."""

    def __init__(self, body: Body, pose: Pose = Pose()):  # noqa: B008  it is a tuple
        self.body, self.pose = body, pose
        self._last: Velocity | None = None

    def add(self, observations: np.ndarray) -> Iterator[tuple[Pose, Velocity]]:
        """Count the steps that led to observations [T, S], or the one that led to an observation [S].

        Yields the pose and the velocity (m/s, m/s, rad/s) after each. A step has the mean velocity of its two ends.
        """
        states = np.atleast_2d(observations)[:, : self.body.observation_size].astype(float)
        velocities = np.column_stack([observed_velocity(states)[:, :2], heading_rate(states)])
        seconds = self.body.control_seconds
        for now in velocities.tolist():
            before = self._last or now
            vx, vy, wz = ((a + b) / 2 * seconds for a, b in zip(before, now, strict=True))
            x, y = rotate(vx, vy, self.pose.heading + wz / 2)
            self.pose = Pose(self.pose.x + x, self.pose.y + y, self.pose.heading + wz)
            self._last = now
            yield self.pose, now


class Course:
    """One goal on its way, from where it began. Poses are in the program's frame."""

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
        """Whether the goal has taken twice the time that it should, and 4 seconds to get going."""
        progress = self.progress
        expected = 0.0 if self.goal.open else self.goal.expected_seconds(progress)
        return not self.goal.open and progress.seconds > PATIENCE_SHARE * expected + PATIENCE_SECONDS

    @property
    def end(self) -> Pose:
        """Where the next goal begins, in the program's frame: the planned pose where the body came near it, so that
        errors do not add up, otherwise the actual one.
        """
        progress = self.progress
        pose, planned = progress.pose, self.goal.destination(progress)
        if planned is None:
            return self.pose
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
    """One body's way through a program: the goal in force, the outcomes of those before it, and their corrections.

    Args:
        goals: of the program, measured one after another.
        body: the robot.
        executed: goals that the body pursues, one for each of `goals`: the same unless a trial disturbs it.
        judge: says what is wrong with a goal that is over, and which goals repair it. These run before the next goal
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
    def in_force(self) -> Goal:
        """The goal of the program, or of a correction, that the body pursues now; to stand when all is over."""
        return STAND if self.over else self._course.goal

    @property
    def goal(self) -> VelocityGoal:
        """The command of the actor: an open velocity on the grid, with the height and arms of the goal in force."""
        return self._command

    @property
    def seconds(self) -> float:
        """Since the goal in force began."""
        return self._course.progress.seconds

    def add(self, observation: np.ndarray, fell: bool = False) -> bool:
        """Count the step that led to `observation` [S]; whether the command changes. A fall ends it all."""
        before = self._command
        for pose, velocity in self.odometry.add(observation):
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
            self._command = steer(self._course.goal, progress, self.body, before)
        return self._command != before

    def advance(self) -> None:
        """End the goal in force: the next one repairs it, or is the next of the program."""
        if not self._repairs:
            self._repairs = self._judge_goal()
        if self._repairs:
            self._course = Course(self._repairs.pop(0), self.body, self._course.end, self.odometry.pose)
        else:
            self.outcomes.append(self._measured.outcome())
            if not self.over:
                self._begin(self._measured.end)
        self._command = STAND if self.over else steer(self._course.goal, self._course.progress, self.body)

    def stop(self, fell: bool = False) -> None:
        """End the program in the middle of a goal."""
        self.outcomes.append(self._measured.outcome(fell))
        self._stopped = True
        self._command = STAND

    def _begin(self, origin: Pose) -> None:
        goal, executed = (goals[len(self.outcomes)] for goals in (self.goals, self.executed))
        pose = self.odometry.pose
        self._measured = Course(goal, self.body, origin, pose)  # of all the motion for a goal, repairs included
        self._course = self._measured if executed == goal else Course(executed, self.body, origin, pose)  # in force
        self._repairs: list[Goal] = []
        self._corrected = 0
        self._command = steer(self._course.goal, self._course.progress, self.body)

    def _judge_goal(self) -> list[Goal]:
        """Goals that repair the one that is over, by the judge."""
        if self.judge is None or self._corrected == self.max_corrections:
            return []
        outcome = self._measured.outcome()
        assessment, goals = self.judge(outcome)
        goals = tuple(goal for goal in goals if not goal.open)  # one without an end would last for ever
        if not goals:
            return []
        self._corrected += 1
        self.corrections.append(Correction(len(self.outcomes) + 1, assessment, outcome, goals))
        return list(goals)


def steer(goal: Goal, progress: Progress, body: Body, before: VelocityGoal | None = None) -> VelocityGoal:
    """The command for the actor: the velocity that the goal wants, on the grid and within the body's reach. An axis of
    the command `before` stays as it is where it is near enough, so that prompts do not flutter.
    """
    wanted = goal.wanted(progress)
    if before is not None:
        pairs = zip(wanted, before.velocity, strict=True)
        wanted = tuple(old if abs(new - old) <= HOLD_STEPS * GRID_STEP else new for new, old in pairs)
    velocity = snap_velocity(wanted, body, goal.height == "low")
    return VelocityGoal(*velocity, height=goal.height, arms=goal.arms)


def measure(goal: Goal, observations: np.ndarray, body: Body, fell: bool = False) -> GoalOutcome:
    """The outcome of the steps that led to `observations` [T, S]."""
    course = Course(goal, body, Pose(), Pose())
    for state, (pose, velocity) in zip(observations, Odometry(body).add(observations), strict=True):
        course.add(state, pose, velocity)
    return course.outcome(fell)
