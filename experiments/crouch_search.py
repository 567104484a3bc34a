"""Search for a body's `crouch_offset`: an offset to its policy's observations that makes it crouch without training.

    PYTHONPATH=. python experiments/crouch_search.py pretrained/agent/policy/humanoid

Uses the cross-entropy method on the mirror-symmetric parts of an observation, without arms and joint speeds. Each
generation is drawn around the best of the previous one. Takes minutes and prints the offset.

Shapes: K candidates, D parts, S body state.
"""

import sys
from itertools import product

import numpy as np

from agent.bodies import Body
from agent.goals import VelocityGoal
from agent.models.motor_policy import MotorPolicy
from agent.simulation.heading import heading_velocity
from agent.simulation.vector_env import NEVER, make_vector_env

# Scale of the first candidates, in the units of the observation.
REACH = {"height": 0.1, "tilt_y": 0.05, "vx": 0.3, "pitch_rate": 0.3}
JOINT_REACH, STRAIGHTER = 0.25, 0.45  # rad; the search begins with knees that look this much straighter
KEPT = 0.2  # weight of the previous mean and spread in the next ones
LEAST_SPREAD = 0.12
STAND, BEND, SETTLE = 0.75, 0.9, 0.5  # s before the offset, while it grows, and before scores count


def main(path: str, generations: int = 14, candidates: int = 48, seconds: float = 4.0) -> dict[str, float]:
    policy = MotorPolicy.from_pretrained(path)
    if policy.body.crouch_height is None:
        raise SystemExit(f"body {policy.body.name} has no crouch_height: nothing to search for")
    parts, rng = directions(policy.body), np.random.default_rng(0)
    mean, spread = np.zeros(len(parts)), np.full(len(parts), 0.7)
    knee = policy.body.observation_names.index(policy.body.knees[0])
    straight = np.argmax(np.abs(parts[:, knee]))
    mean[straight] = -policy.body.knee_bend * STRAIGHTER / parts[straight, knee]
    for generation in range(generations):
        drawn = mean + spread * rng.normal(size=(candidates, len(parts)))
        scores = measure(policy, drawn @ parts, seconds)
        best = drawn[np.argsort(-scores)[: max(2, candidates // 5)]]
        mean = KEPT * mean + (1 - KEPT) * best.mean(0)
        spread = np.maximum(KEPT * spread + (1 - KEPT) * best.std(0), LEAST_SPREAD)
        print(f"generation {generation}: best {scores.max():.3f}, mean {scores.mean():.3f}", file=sys.stderr)
    found = zip(policy.body.observation_names, (mean @ parts).tolist(), strict=True)
    return {name: round(value, 3) for name, value in found if abs(value) >= 5e-4}


def directions(body: Body) -> np.ndarray:
    """Mirror-symmetric offsets [D, S] to combine, each at the scale of the candidates."""
    reach = REACH | {joint: JOINT_REACH for joint in body.joints if joint not in body.arm_joints}
    source, sign = body.observation_mirror
    rows = []
    for index, (name, partner) in enumerate(zip(body.observation_names, source.tolist(), strict=True)):
        if name in reach and partner >= index and (partner != index or sign[index] > 0):
            rows.append(np.zeros(len(source)))
            rows[-1][partner] = reach[name] * sign[index]
            rows[-1][index] = reach[name]
    return np.array(rows)


def measure(policy: MotorPolicy, offsets: np.ndarray, seconds: float) -> np.ndarray:
    """Scores [K] of offsets [K, S], at most 2: how well the policy crouches while it stands, walks and sidesteps."""
    body = policy.body
    velocities = np.array([(0, 0, 0), (0.6 * body.low_speed, 0, 0), (0, 0.65 * body.limits[1, 1], 0)])
    cases = list(product(range(len(offsets)), velocities))
    wanted = np.array([velocity for _, velocity in cases])
    offsets = np.array([offsets[candidate] for candidate, _ in cases])
    goals = [VelocityGoal(*velocity) for velocity in wanted.tolist()]
    envs = make_vector_env(len(cases), None, body.name, max_episode_steps=NEVER, training_model=True)
    observations, _ = envs.reset(seed=0, options={"goal": goals})
    policy.reset()
    policy.prompt(goals)
    alive, survived, count = np.ones(len(cases), dtype=bool), np.zeros(len(cases)), np.zeros(len(cases))
    height, velocity = np.zeros(len(cases)), np.zeros((len(cases), 3))
    steps = round(seconds / body.control_seconds)
    for step in range(steps):
        bent = np.clip((step * body.control_seconds - STAND) / BEND, 0, 1)
        seen = observations[:, : body.observation_size] + bent * offsets
        observations, _, fell, _, _ = envs.step(policy.act(seen))
        alive &= ~fell
        survived += alive / steps
        if step * body.control_seconds > STAND + BEND + SETTLE:
            state = envs.final_state
            count += alive
            height += alive * state.qpos[:, 2]
            velocity += alive[:, None] * (heading_velocity(state.qpos, state.qvel) - wanted)
    envs.close()
    lived = count > 0
    off = np.abs(height / np.maximum(1, count) - body.crouch_height)
    astray = np.linalg.norm(velocity, axis=1) / np.maximum(1, count)
    scores = 2 * survived - np.where(lived, 10 * np.maximum(0, off - 0.01) + 0.5 * astray, 1.2)
    return scores.reshape(-1, len(velocities)).mean(1)


if __name__ == "__main__":
    print(main(sys.argv[1]))
