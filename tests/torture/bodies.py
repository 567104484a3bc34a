"""Numbers that are not finite, physics that fails, and agents that act for hours, with every robot."""

import ctypes
import gc
import resource
import time
from pathlib import Path

import mujoco
import numpy as np
import torch
from accelerate import Accelerator
from samples import small_agent

import pretrain_ppo
from agent.artefacts.arguments import parse_arguments
from agent.bodies import BODIES
from agent.feedback.trials import random_goal
from agent.motor_agent import MotorAgent
from agent.simulation.env import make_env
from agent.simulation.vector_env import make_vector_env
from torture import Tally
from torture.files import SHIPPED, refusal
from torture.stages import FLAGS, as_words

NOT_FINITE = (np.nan, np.inf, -np.inf)
CROWD = 300  # bodies that an agent moves at once
HOURS, PROMPTS = 5, 50_000  # of each robot
MOST_GROWTH = 10.0  # MB in half of a life: 400 bytes for each of its 25,000 prompts would be seen


def not_numbers(tally: Tally, home: Path) -> None:
    """Observations, actions and rewards that are not finite: refused by physics and actors, never in the weights."""
    rng = np.random.default_rng(0)
    for name in BODIES:
        refused(tally, rng, name)
    counted(tally, rng, home)


def refused(tally: Tally, rng: np.random.Generator, name: str) -> None:
    """What envs and actors of a robot do with numbers that are not finite."""
    agent, env, envs = small_agent(name), make_env(name), make_vector_env(3, 1, name)
    body = agent.body
    env.reset(seed=0)
    envs.reset(seed=0)
    for _ in range(tally.often(250, 5)):
        value = rng.choice(NOT_FINITE)
        actions = np.zeros((3, body.action_size))
        actions[rng.integers(3), rng.integers(body.action_size)] = value
        observation = np.zeros(body.observation_size, dtype=np.float32)
        observation[rng.integers(body.observation_size)] = value
        tally.expect("is not finite" in refusal(envs.step, actions), f"an action of {value} moved many bodies")
        tally.expect("is not finite" in refusal(env.step, actions.sum(0)), f"an action of {value} moved a body")
        for actor in (agent, agent.policy, agent.transformer):
            tally.expect("is not finite" in refusal(actor.act, observation), f"an actor saw {value}")
    sound = np.isfinite(agent.act(np.zeros(body.observation_size, dtype=np.float32))).all()
    tally.expect(bool(sound), "an actor remembers what it refused")


def counted(tally: Tally, rng: np.random.Generator, home: Path) -> None:
    """What PPO does with a rollout that is not finite."""
    words = as_words(FLAGS["pretrain_ppo"] | {"output_dir": home / "nan"})
    args = parse_arguments(pretrain_ppo.Arguments, words)
    accelerator = Accelerator(cpu=True)
    policy, critic = pretrain_ppo.build_models(args, accelerator.device)
    optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], lr=args.learning_rate)
    bodies = pretrain_ppo.build_envs(args, 0)
    for _ in range(tally.often(20, 1)):
        clean, _ = pretrain_ppo.collect(args, bodies, policy)
        for name in (
            "rewards",
            "observations",
            "next_observations",
            "actions",
            "log_probs",
            "critic_even",
            "commands",
        ):
            rollout = {key: tensor.clone() for key, tensor in clean.items()}
            value = float(rng.choice(NOT_FINITE))
            numbers = (
                rollout[name][..., :3] if name == "commands" else rollout[name]
            )  # a pose of the arms is no number
            numbers[tuple(rng.integers(size) for size in numbers.shape)] = value
            row = pretrain_ppo.update(args, accelerator, policy, critic, optimizer, rollout, critic_only=False)
            weights = [*policy.parameters(), *critic.parameters()]
            finite = all(bool(weight.isfinite().all()) for weight in weights)
            tally.expect(finite, f"weights are not finite after {name} of {value}")
            # Observations are clipped to ten deviations, and the ratio of probabilities near one: these are numbers.
            clipped = np.isinf(value) and name in ("observations", "next_observations", "log_probs")
            tally.expect(row["loss/skipped"] > 0 or clipped, f"{name} of {value} were not counted")
            critic.return_scale.fill_(1.0)


def physics(tally: Tally, home: Path) -> None:
    """In the middle of a step MuJoCo raises or diverges for a body: it starts anew, and no other changes."""
    rng = np.random.default_rng(0)
    for name in BODIES:
        broken(tally, rng, name)


def broken(tally: Tally, rng: np.random.Generator, name: str) -> None:
    """The physics of one kind of robot that fails, beside one that does not."""
    envs, sound = (make_vector_env(24, threads, name) for threads in (2, 1))
    first = [env.reset(seed=0)[0] for env in (envs, sound)]
    assert np.array_equal(*first)
    failed = np.zeros(24, dtype=bool)
    for step in range(tally.often(200, 6)):
        fault = ("raises", "", "diverges", "")[step % 4]
        body = int(rng.integers(24))
        if fault:
            failed[body] = True
            qpos, qvel = envs.state.qpos[[body]].copy(), envs.state.qvel[[body]].copy()
            qpos[0, 0] = 1e4
            qvel[0, 9] = rng.choice([np.nan, np.inf, 1e9]) if fault == "diverges" else qvel[0, 9]
            envs.physics.set_state(np.array([body]), qpos, qvel)
            if fault == "raises":
                mujoco.set_mjcb_control(fail_far_away)
        actions = rng.uniform(-1, 1, (24, envs.body.action_size)) * envs.body.scale
        observations, rewards, terminated, _, info = envs.step(actions)
        mujoco.set_mjcb_control(None)
        expected, expected_rewards, *_ = sound.step(actions)
        if not fault:
            continue
        others = ~failed
        same = np.array_equal(observations[others], expected[others])
        same &= np.array_equal(rewards[others], expected_rewards[others])
        finite = np.isfinite(observations).all() and np.isfinite(rewards).all()
        anew = info["diverged"].sum() == 1 and info["diverged"][body] and terminated[body]
        tally.expect(bool(same and finite and anew), f"body {body} {fault}: it or another was lost")
        if failed.sum() > 16:  # keep some to compare with
            state = sound.state_dict()
            envs.load_state_dict(state)
            failed[:] = False


def fail_far_away(model, data) -> None:
    """A callback of MuJoCo that fails for bodies that are far away."""
    if data.qpos[0] > 5e3:
        raise RuntimeError("out of order")


def life(tally: Tally, home: Path) -> None:
    """100,000 goals of all kinds in ten hours of simulated time: memory and time per step, early and late.

    One agent moves 300 bodies at once, a minute each; a body that falls starts again. Now and then the agent reads a
    sentence.
    """
    torch.set_num_threads(1)
    agent = MotorAgent.from_pretrained(SHIPPED)
    for name in BODIES:
        agent.transformer.select_body(name)
        lives(tally, agent)


def lives(tally: Tally, agent: MotorAgent) -> None:
    """The life of the robot that the agent moves."""
    rng, body, crowd = np.random.default_rng(0), agent.body, tally.often(CROWD, 50)
    steps = round(HOURS * 3600 / body.control_seconds / crowd) if tally.full else 40
    every = steps * crowd // PROMPTS if tally.full else 4
    envs = make_vector_env(crowd, 1, body.name, max_episode_steps=steps + 1, training_model=True)
    observations, _ = envs.reset(seed=0)
    agent.reset()
    memory, seconds, falls = [], [], 0
    for step in range(steps):
        begin = time.perf_counter()
        if step % every == 0:
            agent.prompt([random_goal(rng, body) for _ in range(crowd)])
            tally.tried += crowd
        if step % (every * 20) == 0:
            agent.parse(f"walk forward for {rng.integers(1, 60)} seconds, then turn left")
        actions = agent.act(observations)
        seconds.append(time.perf_counter() - begin)
        if not np.isfinite(actions).all() or (np.abs(actions) > body.scale + 1e-6).any():
            tally.expect(False, f"an action out of range at step {step}")
        observations, _, fallen, _, _ = envs.step(actions)
        falls += int(fallen.sum())
        if step % every == every - 1:
            memory.append(held_megabytes())
    half = np.arange(steps) >= steps // 2
    late_memory = memory[len(memory) // 2 :]
    growth = np.polyfit(np.arange(len(late_memory)), late_memory, 1)[0] * len(late_memory)
    early, late = np.median(np.array(seconds)[steps // 10 : steps // 2]), np.median(np.array(seconds)[half])
    tally.expect(growth < (MOST_GROWTH if tally.full else 50.0), f"memory grew by {growth:.1f} MB in the second half")
    tally.expect(
        late < 1.25 * early or not tally.full, f"a step took {early * 1e3:.1f} ms, and later {late * 1e3:.1f} ms"
    )
    tally.notes.append(
        f"{body.name}: {steps * crowd * body.control_seconds / 3600:.1f} h; {growth:+.2f} MB in the second half; "
        f"{crowd} bodies act in {early * 1e3:.1f} ms, in the second half {late * 1e3:.1f} ms; {falls} falls"
    )


def held_megabytes() -> float:
    """The memory of this process, once it has given back what it does not use: until then it varies by a tenth."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
