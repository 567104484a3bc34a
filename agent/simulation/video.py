"""Images of the body: an env that renders, with or without OpenGL, and H.264 files that play everywhere."""

import itertools
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import gymnasium
import mujoco
import numpy as np
from PIL import Image, ImageDraw

from agent.artefacts import cards, runs
from agent.bodies import Body
from agent.goals import SKILLS, VelocityGoal
from agent.simulation.env import FRAME_SIZE, goal_env, make_env
from agent.simulation.heading import yaw
from agent.simulation.rollouts import Actor, Rollout
from agent.simulation.vector_env import NEVER

FRAME_EVERY = 2  # control steps
CLIP_SECONDS = 10.0  # longest clip that the web page can ask for
PIXELS_PER_METER = 150
# What a replay shows, as far as the body supports it: goals, and the seconds of each.
SCENES = [
    *((VelocityGoal(*SKILLS[skill][1]), 1.5) for skill in ("walk_forward", "turn_left", "run_forward")),
    (VelocityGoal(0.4, height="low"), 3.0),
    (VelocityGoal(arms="wave_right"), 3.0),
]
STRIP_FRAMES, STRIP_SIZE, CAPTION_HEIGHT = 8, 180, 32  # of a strip; sizes in pixels
REMEDY = "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"


def make_rendering_env(body: str = "humanoid", max_episode_steps: int = NEVER) -> gymnasium.Env:
    """An env that renders `rgb_array`: MuJoCo's images if OpenGL works, otherwise a stick figure."""
    env = make_env(body, "rgb_array", max_episode_steps)
    env.reset(seed=0)
    quality = goal_env(env).model.vis.quality
    quality.offsamples = quality.shadowsize = 0  # six times as fast with software rendering
    try:
        env.render()
    except Exception as error:  # every OpenGL backend fails in its own way
        env.close()
        print(
            f"no OpenGL ({type(error).__name__}), so a stick figure is drawn; for pictures: {REMEDY}",
            file=sys.stderr,
        )
        return StickFigure(make_env(body, None, max_episode_steps))
    return env


class StickFigure(gymnasium.Wrapper):
    """Draws the geoms of the robot, almost from the side, without OpenGL."""

    render_mode = "rgb_array"

    def render(self) -> np.ndarray:
        """An image [480, 480, 3] uint8."""
        model, data = goal_env(self).model, goal_env(self).data
        picture = Image.new("RGB", (FRAME_SIZE, FRAME_SIZE), "white")
        draw = ImageDraw.Draw(picture)
        angle = float(yaw(data.qpos)) - np.pi / 5  # a little from the front
        side = np.array([np.cos(angle), np.sin(angle)])
        ground = FRAME_SIZE - 60

        def pixel(point: np.ndarray) -> tuple[float, float]:
            across = (point[:2] - data.qpos[:2]) @ side
            return FRAME_SIZE / 2 + PIXELS_PER_METER * across, ground - PIXELS_PER_METER * point[2]

        draw.line([(0, ground), (FRAME_SIZE, ground)], fill="gray", width=2)
        for meter in np.arange(-3, 4) - (data.qpos[:2] @ side) % 1:
            x = FRAME_SIZE / 2 + PIXELS_PER_METER * meter
            draw.line([(x, ground), (x, ground + 12)], fill="gray", width=2)
        for geom in range(model.ngeom):
            radius = model.geom_size[geom, 0] * PIXELS_PER_METER
            center, axes = data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3)
            link = model.body(model.geom_bodyid[geom]).name
            color = "steelblue" if link.startswith("left") else "darkorange"
            kind = model.geom_type[geom]
            if kind in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER):
                half = axes[:, 2] * model.geom_size[geom, 1]
                draw.line([pixel(center + half), pixel(center - half)], fill=color, width=round(2 * radius * 0.6))
            elif kind == mujoco.mjtGeom.mjGEOM_SPHERE:
                x, y = pixel(center)
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color)
            elif kind != mujoco.mjtGeom.mjGEOM_PLANE:
                # A box, or the box around a mesh: all lines between its corners.
                middle, half = np.split(model.geom_aabb[geom], 2)
                corners = [center + axes @ (middle + half * signs) for signs in itertools.product((-1, 1), repeat=3)]
                for ends in itertools.combinations(map(pixel, corners), 2):
                    draw.line(ends, fill=color, width=2)
        return np.asarray(picture)


def draw(body: Body, positions: Iterable[np.ndarray]) -> Generator[np.ndarray]:
    """Images [480, 480, 3] uint8 of the body at these MuJoCo positions [7 + J]."""
    env = make_rendering_env(body.name)
    inner = goal_env(env)
    try:
        for qpos in positions:
            inner.set_state(qpos, np.zeros(inner.model.nv))
            yield np.asarray(env.render())
    finally:
        env.close()


def scenes(body: Body) -> list[tuple[VelocityGoal, float]]:
    """The SCENES that the body supports."""
    return [(goal, seconds) for goal, seconds in SCENES if body.supports(goal)]


def perform(actor: Actor, seed: int = 0) -> Generator[np.ndarray]:
    """Images [480, 480, 3] uint8 of an actor that performs its scenes, until the end or a fall. The actor is reset."""
    env = make_rendering_env(actor.body.name)
    steps = 1 / actor.body.control_seconds
    goals = [goal for goal, seconds in scenes(actor.body) for _ in range(round(seconds * steps))]
    try:
        rollout = Rollout.start(actor, env, seed, goals[0])
        for number, goal in enumerate(goals):
            if number and goal != goals[number - 1]:
                rollout.prompt(goal)
            if number % FRAME_EVERY == 0:
                yield np.asarray(env.render())
            if rollout.step().fell:
                break
    finally:
        env.close()
        actor.reset()


def film(actor: Actor, folder: Path) -> None:
    """Write the replay of an actor to the folder of its artifact, and show it in the card."""
    write_video(folder / cards.REPLAY, perform(actor), actor.body)
    cards.show_replay(folder)


def write_strip(path: str | Path, frames: Sequence[np.ndarray], captions: Sequence[str]) -> None:
    """Write STRIP_FRAMES evenly spaced frames [H, W, 3] side by side to a PNG, each with its caption."""
    indices = np.linspace(0, len(frames) - 1, min(STRIP_FRAMES, len(frames))).round().astype(int)
    strip = Image.new("RGB", (STRIP_SIZE * len(indices), STRIP_SIZE + CAPTION_HEIGHT), "white")
    draw = ImageDraw.Draw(strip)
    for number, index in enumerate(indices):
        strip.paste(Image.fromarray(frames[index]).resize((STRIP_SIZE, STRIP_SIZE)), (number * STRIP_SIZE, 0))
        draw.text((number * STRIP_SIZE + 4, STRIP_SIZE + 2), captions[index], fill="black")
    with runs.replacing(path) as new:
        strip.save(new, format="PNG", optimize=True)


def mp4(frames: Iterable[np.ndarray], body: Body) -> bytes:
    """RGB frames [H, W, 3] of a body as an MP4 file in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, frames, body)
        return path.read_bytes()


def write_video(path: str | Path, frames: Iterable[np.ndarray], body: Body) -> None:
    """Write RGB frames [H, W, 3] of a body as H.264 (yuv420p) MP4, atomically."""
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"there is nothing to show in {path}: the agent did not move")
    rate = Fraction(1 / (FRAME_EVERY * body.control_seconds)).limit_denominator(1000)
    with (
        runs.replacing(path) as new,
        av.open(str(new), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        stream = container.add_stream("libx264", rate=rate, options={"crf": "23"})
        stream.height, stream.width, stream.pix_fmt = *first.shape[:2], "yuv420p"
        for frame in itertools.chain([first], frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
